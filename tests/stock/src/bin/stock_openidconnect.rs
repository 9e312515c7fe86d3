//! Stories told by the crate `openidconnect` 4, each a function of its name (see
//! tests/stock/tests/stock/play.rs for how a program speaks with the test that started it).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A story stops by panicking.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // It speaks with the test by these.

use std::borrow::Cow;
use std::error::Error;
use std::io::BufRead as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::*;
use openidconnect::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const HOME: &str = "https://partner.example/callback";

/// Endpoints that the crate does not look for by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct More {
    device_authorization_endpoint: DeviceAuthorizationUrl,
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    end_session_endpoint: EndSessionUrl,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Partner = CoreClient<
    EndpointSet,
    EndpointSet,
    EndpointSet,
    EndpointSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An error and its causes.
fn told(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The refusal of an attempt; the story fails if nothing is refused.
fn refused<T, E: Error + 'static>(attempt: Result<T, E>) -> Value {
    match attempt {
        Ok(_) => panic!("nothing was refused"),
        Err(error) => json!(told(&error)),
    }
}

/// Sends the person's browser to an address; gives the address where that ended.
fn person(address: &str) -> url::Url {
    println!("{}", json!({"open": address}));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

fn parameter(address: &url::Url, name: &str) -> String {
    let found = address.query_pairs().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

/// A request before the person answers it, and her answer.
struct Answer {
    at: url::Url,
    nonce: Nonce,
    verifier: String,
}

impl Answer {
    fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.verifier.clone())
    }
}

struct Story {
    settings: Value,
    http: reqwest::Client,
}

impl Story {
    fn text(&self, name: &str) -> String {
        self.settings["client"][name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    fn issuer(&self) -> IssuerUrl {
        IssuerUrl::new(self.settings["issuer"].as_str().unwrap().to_owned()).unwrap()
    }

    async fn metadata(&self) -> Metadata {
        let found = Metadata::discover_async(self.issuer(), &self.http).await;
        found.unwrap_or_else(|error| panic!("{}", told(&error)))
    }

    fn client(&self, metadata: Metadata) -> Partner {
        let more = metadata.additional_metadata().clone();
        let (id, secret) = (self.text("client_id"), self.text("client_secret"));
        let secret = Some(ClientSecret::new(secret));
        CoreClient::from_provider_metadata(metadata, ClientId::new(id), secret)
            .set_redirect_uri(RedirectUrl::new(HOME.to_owned()).unwrap())
            .set_device_authorization_url(more.device_authorization_endpoint)
            .set_introspection_url(more.introspection_endpoint)
            .set_revocation_url(more.revocation_endpoint)
    }

    async fn partner(&self) -> Partner {
        self.client(self.metadata().await)
    }

    /// Sends the person to sign in; with `home`, as if she were to come back there.
    fn asked(&self, client: &Partner, home: Option<&str>) -> Answer {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(["profile", "phone", "offline_access"].map(|s| Scope::new(s.to_owned())))
            .set_pkce_challenge(challenge);
        if let Some(home) = home {
            request =
                request.set_redirect_uri(Cow::Owned(RedirectUrl::new(home.to_owned()).unwrap()));
        }
        let (address, state, nonce) = request.url();
        let at = person(address.as_str());
        if home.is_none() {
            assert_eq!(&parameter(&at, "state"), state.secret());
        }
        Answer { at, nonce, verifier: verifier.into_secret() }
    }

    async fn redeemed(
        &self,
        client: &Partner,
        at: &url::Url,
        verifier: PkceCodeVerifier,
    ) -> Result<CoreTokenResponse, impl Error + 'static + use<>> {
        let code = AuthorizationCode::new(parameter(at, "code"));
        let request = client.exchange_code(code).unwrap().set_pkce_verifier(verifier);
        request.request_async(&self.http).await
    }

    async fn signed_in(&self, client: &Partner) -> (CoreTokenResponse, Answer) {
        let answer = self.asked(client, None);
        let tokens = self.redeemed(client, &answer.at, answer.verifier()).await;
        (tokens.unwrap_or_else(|error| panic!("{}", told(&error))), answer)
    }

    async fn refreshed(
        &self,
        client: &Partner,
        token: &RefreshToken,
    ) -> Result<CoreTokenResponse, impl Error + 'static + use<>> {
        client.exchange_refresh_token(token).unwrap().request_async(&self.http).await
    }

    /// What a sign-in gave, with the claims that the crate has checked.
    async fn outcome(
        &self,
        client: &Partner,
        tokens: &CoreTokenResponse,
        nonce: Option<&Nonce>,
    ) -> Value {
        let id_token = tokens.id_token().expect("an ID token");
        let verifier = client.id_token_verifier();
        let claims = match nonce {
            Some(nonce) => id_token.claims(&verifier, nonce),
            None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        };
        let claims = claims.unwrap_or_else(|error| panic!("{}", told(&error)));
        if let Some(expected) = claims.access_token_hash() {
            let (key, alg) =
                (id_token.signing_key(&verifier).unwrap(), id_token.signing_alg().unwrap());
            let found = AccessTokenHash::from_token(tokens.access_token(), alg, key).unwrap();
            assert_eq!(&found, expected);
        }
        let userinfo = self.known(client, tokens.access_token(), claims.subject()).await;
        let mut claims = json!(claims);
        // The crate reads `aud` as the list that it may be.
        if let [only] = &claims["aud"].as_array().cloned().unwrap_or_default()[..] {
            claims["aud"] = only.clone();
        }
        json!({"claims": claims, "userinfo": userinfo, "access_token": tokens.access_token()})
    }

    async fn known(&self, client: &Partner, token: &AccessToken, sub: &SubjectIdentifier) -> Value {
        let request = client.user_info(token.clone(), Some(sub.clone())).unwrap();
        let told_: CoreUserInfoClaims = request
            .request_async(&self.http)
            .await
            .unwrap_or_else(|error| panic!("{}", told(&error)));
        json!(told_)
    }

    async fn signs_in_with_pkce_state_and_nonce(&self) -> Value {
        let client = self.partner().await;
        let (tokens, answer) = self.signed_in(&client).await;
        let mut done = self.outcome(&client, &tokens, Some(&answer.nonce)).await;
        (done["at"], done["nonce"]) = (json!(answer.at), json!(answer.nonce));
        done
    }

    async fn refuses_another_nonce(&self) -> Value {
        let client = self.partner().await;
        let (tokens, _) = self.signed_in(&client).await;
        let claims = tokens.id_token().unwrap();
        json!({"refusal": refused(claims.claims(&client.id_token_verifier(), &Nonce::new_random()))})
    }

    async fn refuses_metadata_of_another_issuer(&self) -> Value {
        let (http, issuer) = (self.http.clone(), self.issuer());
        // The document of the one, asked for in the name of the other.
        let elsewhere = move |request: HttpRequest| {
            let path = request.uri().path().replace("/elsewhere", "");
            let address = issuer.url().join(&path).unwrap();
            let http = http.clone();
            async move {
                let body = http.get(address).send().await?.bytes().await?.to_vec();
                let response = http::Response::builder().header("content-type", "application/json");
                Ok::<_, reqwest::Error>(response.body(body).unwrap())
            }
        };
        let other = IssuerUrl::new(format!("{}/elsewhere", self.issuer().as_str())).unwrap();
        json!({"refusal": refused(Metadata::discover_async(other, &elsewhere).await)})
    }

    async fn refuses_a_signature_by_another_key(&self) -> Value {
        let metadata = self.metadata().await;
        let client = self.client(metadata.clone());
        let (tokens, answer) = self.signed_in(&client).await;
        let id_token = tokens.id_token().unwrap();
        let key = id_token.signing_key(&client.id_token_verifier()).unwrap().key_id().cloned();
        // Another modulus under the provider's own key id.
        let forged = CoreJsonWebKey::new_rsa(vec![0xb5; 256], vec![1, 0, 1], key);
        let attacked = self.client(metadata.set_jwks(JsonWebKeySet::new(vec![forged])));
        let refusal = refused(id_token.claims(&attacked.id_token_verifier(), &answer.nonce));
        json!({"refusal": refusal})
    }

    async fn rotates_the_refresh_token(&self) -> Value {
        let client = self.partner().await;
        let (first, answer) = self.signed_in(&client).await;
        let old = first.refresh_token().unwrap();
        let second = self.refreshed(&client, old).await.unwrap();
        let third = self.refreshed(&client, second.refresh_token().unwrap()).await.unwrap();
        let _ = self.outcome(&client, &first, Some(&answer.nonce)).await;
        let told = self.outcome(&client, &third, None).await;
        let tokens = [&first, &second, &third].map(|one| json!(one.refresh_token()));
        let replayed = refused(self.refreshed(&client, old).await);
        let after = refused(self.refreshed(&client, third.refresh_token().unwrap()).await);
        json!({"told": told, "tokens": tokens, "replayed": replayed, "after": after})
    }

    async fn redeems_a_code_once(&self) -> Value {
        let client = self.partner().await;
        let (first, answer) = self.signed_in(&client).await;
        let refusal = refused(self.redeemed(&client, &answer.at, answer.verifier()).await);
        let asked = client.introspect(first.access_token()).request_async(&self.http).await;
        json!({"refusal": refusal, "after": asked.unwrap()})
    }

    async fn redeems_by_its_own_verifier(&self) -> Value {
        let client = self.partner().await;
        let answer = self.asked(&client, None);
        let (_, other) = PkceCodeChallenge::new_random_sha256();
        json!({"refusal": refused(self.redeemed(&client, &answer.at, other).await)})
    }

    async fn comes_back_to_its_own_address(&self) -> Value {
        let client = self.partner().await;
        let answer = self.asked(&client, Some("https://partner.example/callback/"));
        json!({"at": answer.at})
    }

    async fn signs_out(&self) -> Value {
        let metadata = self.metadata().await;
        let leave = metadata.additional_metadata().end_session_endpoint.clone();
        let client = self.client(metadata);
        let (tokens, _) = self.signed_in(&client).await;
        let (id_token, state) = (tokens.id_token().unwrap(), CsrfToken::new_random());
        let bye = PostLogoutRedirectUrl::new("https://partner.example/bye".to_owned()).unwrap();
        let request = LogoutRequest::from(leave)
            .set_id_token_hint(id_token)
            .set_post_logout_redirect_uri(bye)
            .set_state(state.clone());
        let at = person(request.http_get_url().as_str());
        let (again, _) = self.signed_in(&client).await;
        let claims = [id_token, again.id_token().unwrap()].map(|token| {
            let part = token.to_string().split('.').nth(1).unwrap().to_owned();
            serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        });
        json!({"at": at, "state": state.secret(), "subjects": claims.each_ref().map(|one| &one["sub"]),
            "sessions": claims.each_ref().map(|one| &one["sid"])})
    }

    async fn acts_for_itself(&self) -> Value {
        let client = self.partner().await.disable_openid_scope();
        let request = client.exchange_client_credentials().unwrap();
        let request = request.add_scope(Scope::new("cases".to_owned()));
        let tokens = request.request_async(&self.http).await;
        json!(tokens.unwrap_or_else(|error| panic!("{}", told(&error))))
    }

    async fn introspects_and_revokes(&self) -> Value {
        let client = self.partner().await;
        let (tokens, _) = self.signed_in(&client).await;
        let asked = || async {
            let request = client.introspect(tokens.access_token());
            request
                .request_async(&self.http)
                .await
                .unwrap_or_else(|error| panic!("{}", told(&error)))
        };
        let before = asked().await;
        let refresh = tokens.refresh_token().unwrap();
        client
            .revoke_token(refresh.clone().into())
            .unwrap()
            .request_async(&self.http)
            .await
            .unwrap();
        let after = asked().await;
        let refresh = refused(self.refreshed(&client, refresh).await);
        json!({"before": before, "after": after, "refresh": refresh})
    }

    async fn signs_in_on_a_device(&self) -> Value {
        let client = self.partner().await;
        let request = client.exchange_device_code().add_scope(Scope::new("profile".to_owned()));
        let device: CoreDeviceAuthorizationResponse = request
            .request_async(&self.http)
            .await
            .unwrap_or_else(|error| panic!("{}", told(&error)));
        person(device.verification_uri_complete().unwrap().secret());
        let tokens = client.exchange_device_access_token(&device).unwrap();
        let tokens = tokens.request_async(&self.http, tokio::time::sleep, None).await;
        let tokens = tokens.unwrap_or_else(|error| panic!("{}", told(&error)));
        self.outcome(&client, &tokens, None).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (name, settings) = (arguments.next().unwrap(), arguments.next().unwrap());
    let authority = std::fs::read(std::env::var("STOCK_AUTHORITY").unwrap()).unwrap();
    let http = reqwest::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&authority).unwrap())
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let story = Story { settings: serde_json::from_str(&settings).unwrap(), http };
    let done = match name.as_str() {
        "signs_in_with_pkce_state_and_nonce" => story.signs_in_with_pkce_state_and_nonce().await,
        "refuses_another_nonce" => story.refuses_another_nonce().await,
        "refuses_metadata_of_another_issuer" => story.refuses_metadata_of_another_issuer().await,
        "refuses_a_signature_by_another_key" => story.refuses_a_signature_by_another_key().await,
        "rotates_the_refresh_token" => story.rotates_the_refresh_token().await,
        "redeems_a_code_once" => story.redeems_a_code_once().await,
        "redeems_by_its_own_verifier" => story.redeems_by_its_own_verifier().await,
        "comes_back_to_its_own_address" => story.comes_back_to_its_own_address().await,
        "signs_out" => story.signs_out().await,
        "acts_for_itself" => story.acts_for_itself().await,
        "introspects_and_revokes" => story.introspects_and_revokes().await,
        "signs_in_on_a_device" => story.signs_in_on_a_device().await,
        other => panic!("no story {other}"),
    };
    println!("{}", json!({"done": done}));
}
