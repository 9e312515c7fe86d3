//! What stands behind a good signature: claims that a client, or we, have signed with nonsense in
//! them. An input is a line with the token's `typ` and then the claims.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use idp_protocol::authorize::{self, Arrival, Refusal};
use idp_protocol::client::Client;
use idp_protocol::dpop::{self, Expected};
use idp_protocol::jose::{Algorithm, Signer, generate, thumbprint};
use idp_protocol::parameters::Parameters;
use idp_protocol::{assertion, ciba, hint, request_object};
use serde_json::{Value, json};

use crate::{ISSUER, NOW, text};

const BACK: &str = "https://a.example/cb";
/// Seconds by which clocks may differ, and the longest lives of the two kinds of assertions.
const SKEW: i64 = 60;
const LONGEST: i64 = 3600;
const LONGEST_GRANT: i64 = 300;

/// A key, and clients to which it belongs: under the usual rules, and under the strict ones.
struct Signing {
    signer: Signer,
    public: Vec<Value>,
    usual: Client,
    strict: Client,
}

fn signing() -> &'static Signing {
    static SIGNING: OnceLock<Signing> = OnceLock::new();
    SIGNING.get_or_init(|| {
        let private = generate(Algorithm::EdDsa).expect("a key");
        let signer = Signer::new(Algorithm::EdDsa, &private).expect("a signer");
        let public = vec![signer.jwk().clone()];
        let mut registration = json!({"client_id": "a", "redirect_uris": [BACK],
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": public},
            "backchannel_token_delivery_mode": "poll", "scope": "openid profile cases",
            "authorization_details_types": ["urn:tongban:case-access"],
            "resources": ["https://api.example"],
            "grant_types": ["authorization_code", ciba::GRANT]});
        let usual = Client::from_json(registration.clone()).expect("a registration");
        registration["policy"] = json!("fapi2-message-signing");
        registration["grant_types"] = json!(["authorization_code"]);
        let strict = Client::from_json(registration).expect("a registration");
        Signing { signer, public, usual, strict }
    })
}

/// The `typ` and the claims of an input.
fn parts(bytes: &[u8]) -> Option<(&str, Value)> {
    let (typ, claims) = text(bytes)?.split_once('\n')?;
    // It stands in a header that is written without escapes.
    let plain = typ.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-/.".contains(&byte));
    Some((typ, serde_json::from_str(claims).ok()?)).filter(|_| plain)
}

fn signed(bytes: &[u8]) -> Option<(String, Value)> {
    let (typ, claims) = parts(bytes)?;
    Some((signing().signer.sign(typ, &claims).ok()?, claims))
}

fn seconds(claims: &Value, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Whether the issuer is among the audiences.
fn meant_for_us(claims: &Value) -> bool {
    match &claims["aud"] {
        Value::Array(list) => list.contains(&json!(ISSUER)),
        one => one == ISSUER,
    }
}

/// An assertion: who is believed is the client itself, speaks to us, and not for long.
pub(crate) fn assertion(bytes: &[u8]) {
    let Some((token, claims)) = signed(bytes) else { return };
    let Signing { public, usual, strict, .. } = signing();
    for client in [usual, strict] {
        let about_itself = assertion::check(client, public, &token, &[ISSUER], NOW);
        let about_others = assertion::spoken(client, public, &token, &[ISSUER], NOW);
        for (believed, longest) in [
            (about_itself.as_ref().ok(), LONGEST),
            (about_others.as_ref().ok().map(|spoken| &spoken.assertion), LONGEST_GRANT),
        ] {
            let Some(believed) = believed else { continue };
            assert_eq!(claims["iss"], "a");
            assert!(meant_for_us(&claims), "meant for others");
            let expires = seconds(&claims, "exp").expect("exp");
            assert!(expires > NOW - SKEW && expires <= NOW + longest, "for too long");
            assert_eq!(believed.expires, expires + SKEW);
            assert!((1..=256).contains(&believed.jti.len()) && claims["jti"] == believed.jti);
        }
        if about_itself.is_ok() {
            assert_eq!(claims["sub"], "a");
        }
        if let Ok(spoken) = about_others {
            assert!(!spoken.sub.is_empty() && claims["sub"] == spoken.sub);
        }
    }
}

/// A request object: what is taken is the client's, for us, and leads nowhere else.
pub(crate) fn request_object(bytes: &[u8]) {
    let Some((token, claims)) = signed(bytes) else { return };
    let outside = Parameters::parse(b"client_id=a&scope=openid&response_type=code");
    let outside = outside.expect("parameters");
    let Signing { public, usual, strict, .. } = signing();
    for client in [usual, strict] {
        let opened = request_object::open(client, &token, &outside, public, ISSUER, NOW);
        let Ok(parameters) = opened else { continue };
        assert!(parameters.get("request").is_none() && parameters.get("request_uri").is_none());
        assert!(claims.get("iss").is_none_or(|iss| iss == "a"), "another's");
        assert!(claims.get("aud").is_none() || meant_for_us(&claims), "meant for others");
        if client.rules().signed_request {
            assert!(claims["iss"] == "a" && meant_for_us(&claims));
            assert!(seconds(&claims, "exp").is_some_and(|exp| exp > NOW - SKEW), "stale");
        }
        let arrival = Arrival { pushed: true, signed: true, front: false, issuer: ISSUER };
        let to = match authorize::check(client, &parameters, arrival) {
            Ok(request) => {
                assert!(request.scope.within(&client.scopes()), "wider than the registration");
                request.redirect_uri
            }
            Err(Refusal::Redirect { redirect_uri, .. }) => redirect_uri,
            Err(Refusal::Page(_)) => continue,
        };
        assert_eq!(to, BACK);
    }
}

/// A request over the back channel.
pub(crate) fn ciba(bytes: &[u8]) {
    let Some((token, claims)) = signed(bytes) else { return };
    let Signing { public, usual, .. } = signing();
    let Ok(opened) = ciba::open(usual, &token, public, ISSUER, NOW) else { return };
    assert!(claims["iss"] == "a" && meant_for_us(&claims), "another's");
    assert!(seconds(&claims, "exp").is_some_and(|exp| exp > NOW - SKEW), "stale");
    assert_eq!(claims["jti"], opened.jti);
    if let Ok(request) = ciba::check(usual, &opened.parameters, ISSUER) {
        assert!(request.scope.has("openid") && request.scope.within(&usual.scopes()));
    }
}

/// An ID token of ours as a hint: it names one client and somebody.
pub(crate) fn hint(bytes: &[u8]) {
    let Some((token, claims)) = signed(bytes) else { return };
    let Ok(hint) = hint::check(&token, &signing().public, ISSUER) else { return };
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], hint.subject);
    let only = json!([hint.client_id]);
    assert!(claims["aud"] == hint.client_id || claims["aud"] == only, "two clients");
}

/// A DPoP proof by the key that it brings: about this request, this token and now.
pub(crate) fn dpop(bytes: &[u8]) {
    let Some((typ, claims)) = parts(bytes) else { return };
    let Signing { signer, .. } = signing();
    let mut jwk = signer.jwk().clone();
    let members: BTreeSet<_> = ["kid", "use", "alg"].into();
    jwk.as_object_mut().expect("a key").retain(|name, _| !members.contains(name.as_str()));
    let header = json!({"typ": typ, "alg": "EdDSA", "jwk": jwk});
    let Ok(proof) = signer.sign_with_header(&header, &claims) else { return };
    let addresses = [format!("{ISSUER}/oauth2/userinfo")];
    for token in [None, Some("token")] {
        let expected = Expected { method: "GET", addresses: &addresses, token, now: NOW };
        let Ok(believed) = dpop::check(&[&proof], expected) else { continue };
        assert!(
            typ.eq_ignore_ascii_case("dpop+jwt")
                || typ.eq_ignore_ascii_case("application/dpop+jwt")
        );
        assert_eq!(claims["htm"], "GET");
        assert!(NOW.abs_diff(believed.issued) <= dpop::WINDOW.unsigned_abs(), "stale");
        assert_eq!(believed.jkt, thumbprint(&jwk).expect("a thumbprint"));
        assert!((1..=256).contains(&believed.jti.len()) && claims["jti"] == believed.jti);
        let other = Expected { token: Some("other"), ..expected };
        assert!(dpop::check(&[&proof], other).is_err(), "good for any token");
    }
}
