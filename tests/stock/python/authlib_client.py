"""Stories told by Authlib 1 in Flask, each a function of its name (see tests/stock/tests/stock).

How it speaks with the test that started it: lines of JSON out, answers in.
"""

import json
import sys
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from flask import Flask, jsonify
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

settings = json.loads(sys.argv[2])
client = settings["client"]
HOME = "https://partner.example/callback"
SCOPE = "openid profile phone offline_access"


def person(address):
    """Sends the person's browser to an address; gives the address where that ended."""
    print(json.dumps({"open": address}), flush=True)
    return sys.stdin.readline().strip()


def refused(attempt):
    """The refusal of an attempt; the story fails if it refuses nothing."""
    try:
        attempt()
    except (OAuthError, JoseError) as error:
        return {"kind": type(error).__name__, "error": getattr(error, "error", None), "message": str(error)}
    raise AssertionError("the library refused nothing")


def payload(token):
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def parameter(address, name):
    return parse_qs(urlsplit(address).query)[name][0]


class Site:
    """A partner's site as the library's manual has it, and the person's cookies there."""

    def __init__(self, home=HOME, **how):
        app = Flask("partner")
        app.secret_key = "of this process only"
        app.testing = True  # A refusal is not made a page.
        self.oauth = OAuth(app)
        how = {"client_secret": client.get("client_secret"), **how}
        kwargs = how.pop("client_kwargs", {})
        self.tongban = self.oauth.register(
            "tongban",
            server_metadata_url=settings["issuer"] + "/.well-known/openid-configuration",
            client_id=client["client_id"],
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **kwargs},
            **how,
        )

        @app.get("/")
        def start():
            return self.tongban.authorize_redirect(home)

        @app.get("/callback")
        def callback():
            token = self.tongban.authorize_access_token()
            return jsonify(token=token, userinfo=self.tongban.userinfo(token=token))

        @app.get("/leave")
        def leave():
            return self.tongban.logout_redirect(
                "https://partner.example/bye", id_token_hint=self.id_token)

        @app.get("/bye")
        def bye():
            return jsonify(self.tongban.validate_logout_response())

        self.browser = app.test_client()
        self.id_token = None
        self.metadata = self.tongban.load_server_metadata

    def page(self, address):
        """A page of the site in the person's browser."""
        return self.browser.get(address, base_url="https://partner.example")

    def answered(self):
        """Sends the person to sign in; gives the address to which she comes back."""
        return person(self.page("/").location)

    def begun(self):
        """What the site remembers of the one sign-in under way: to be altered by an attacker."""
        return self.browser.session_transaction(base_url="https://partner.example")

    def signed_in(self):
        at = self.answered()
        told = self.page(at).get_json()
        self.id_token = told["token"]["id_token"]
        return told, at

    def by_itself(self, scope=None):
        """The library's own session, for what no page does."""
        return OAuth2Session(client["client_id"], client.get("client_secret"), scope=scope)


def outcome(told):
    """What a sign-in gave, with the claims that the library has checked."""
    return {"claims": told["token"]["userinfo"], "userinfo": told["userinfo"],
            "access_token": told["token"]["access_token"]}


def tampered(site, alter):
    """The library refuses an answer after something was altered."""
    at = site.answered()
    with site.begun() as memory:
        for name, value in memory.items():
            if name.startswith("_state_tongban_"):
                alter(value["data"])
        memory.modified = True  # Flask does not see into what it keeps.
    return refused(lambda: site.page(at))


def signs_in_with_pkce_state_and_nonce():
    site = Site()
    told, at = site.signed_in()
    return {**outcome(told), "at": at, "nonce": told["token"]["userinfo"]["nonce"]}


def refuses_another_nonce():
    return {"refusal": tampered(Site(), lambda data: data.update(nonce="another"))}


def refuses_another_state():
    site = Site()
    at = site.answered()
    refusal = refused(lambda: site.page(at.replace("&state=" + parameter(at, "state"), "&state=another")))
    assert refusal["kind"] == MismatchingStateError.__name__, refusal
    return {"refusal": refusal, "claims": site.page(at).get_json()["token"]["userinfo"]}


def refuses_a_signature_by_another_key():
    site = Site()
    at = site.answered()
    # A key of the attacker's under each of the provider's own key ids.
    forged = RSAKey.generate_key(2048).as_dict(private=False)
    site.tongban.fetch_jwk_set()
    keys = [key["kid"] for key in site.tongban.server_metadata["jwks"]["keys"]]
    site.tongban.server_metadata["jwks"] = {"keys": [{**forged, "kid": kid} for kid in keys]}
    return {"refusal": refused(lambda: site.page(at))}


def rotates_the_refresh_token():
    site = Site()
    told, _ = site.signed_in()
    endpoint, own = site.metadata()["token_endpoint"], site.by_itself()
    first = told["token"]
    second = dict(own.refresh_token(endpoint, first["refresh_token"]))
    third = dict(own.refresh_token(endpoint, second["refresh_token"]))
    userinfo = own.get(site.metadata()["userinfo_endpoint"]).json()
    replayed = refused(lambda: own.refresh_token(endpoint, first["refresh_token"]))
    after = refused(lambda: own.refresh_token(endpoint, third["refresh_token"]))
    tokens = [one["refresh_token"] for one in (first, second, third)]
    return {"told": {"userinfo": userinfo}, "tokens": tokens, "replayed": replayed, "after": after}


def redeems_a_code_once():
    site = Site()
    at = site.answered()
    with site.begun() as memory:
        before = dict(memory)
    told = site.page(at).get_json()
    with site.begun() as memory:  # The site forgets; whoever copied its cookie does not.
        memory.update(before)
    refusal = refused(lambda: site.page(at))
    own = site.by_itself()
    after = own.introspect_token(site.metadata()["introspection_endpoint"], told["token"]["access_token"])
    return {"refusal": refusal, "after": after.json()}


def redeems_by_its_own_verifier():
    return {"refusal": tampered(Site(), lambda data: data.update(code_verifier="another" * 7))}


def comes_back_to_its_own_address():
    return {"at": Site(home=HOME + "/").answered()}


def signs_in_by_private_key_jwt():
    endpoint = settings["issuer"] + "/oauth2/token"
    method = PrivateKeyJWT(endpoint, headers={"kid": "signing"}, alg="ES256")
    site = Site(
        client_secret=ECKey.import_key(settings["signing"]),
        client_kwargs={"token_endpoint_auth_method": "private_key_jwt"},
        client_auth_methods=[method],
    )
    assert site.metadata()["token_endpoint"] == endpoint
    return outcome(site.signed_in()[0])


def signs_out():
    site = Site()
    first, _ = site.signed_in()
    begun = site.page("/leave").location
    at = person(begun)
    site.page(at)  # The library holds the state against the one that it sent.
    second, _ = site.signed_in()
    claims = [payload(one["token"]["id_token"]) for one in (first, second)]
    return {"at": at, "state": parameter(begun, "state"), "subjects": [one["sub"] for one in claims],
            "sessions": [one["sid"] for one in claims]}


def acts_for_itself():
    site = Site()
    own = site.by_itself(scope="cases")
    return dict(own.fetch_token(site.metadata()["token_endpoint"], grant_type="client_credentials"))


def introspects_and_revokes():
    site = Site()
    token, own = site.signed_in()[0]["token"], site.by_itself()
    endpoint = site.metadata()["introspection_endpoint"]
    before = own.introspect_token(endpoint, token["access_token"]).json()
    own.revoke_token(site.metadata()["revocation_endpoint"], token["refresh_token"]).raise_for_status()
    after = own.introspect_token(endpoint, token["access_token"]).json()
    refresh = refused(lambda: own.refresh_token(site.metadata()["token_endpoint"], token["refresh_token"]))
    return {"before": before, "after": after, "refresh": refresh}


STORIES = [
    signs_in_with_pkce_state_and_nonce, refuses_another_nonce, refuses_another_state,
    refuses_a_signature_by_another_key, rotates_the_refresh_token, redeems_a_code_once,
    redeems_by_its_own_verifier, comes_back_to_its_own_address, signs_in_by_private_key_jwt,
    signs_out, acts_for_itself, introspects_and_revokes,
]

if __name__ == "__main__":
    told = {story.__name__: story for story in STORIES}[sys.argv[1]]()
    print(json.dumps({"done": told}), flush=True)
