//! SM2 with SM3 (GM/T 0125): for the client that registered it, and for nobody else.

use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate, half_hash};
use idp_store::{StoreError, Tx};
use serde_json::{Value, json};

use super::house::{BACK, Browser, House, ISSUER, SECRET, basic, bearer, claims, form, on_both};
use crate::state::{Registration, Settings};

const NAME: &str = "SGD_SM3_SM2";
const BYE: &str = "https://a.example/bye";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn signer(algorithm: Algorithm) -> Signer {
    Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap()
}

async fn document(house: &House, path: &str) -> Value {
    house.send(Method::GET, path, &[], "").await.json()
}

/// Our keys of the curve.
async fn published(house: &House) -> Vec<Value> {
    let curve = |set: Value| -> (Vec<Value>, Vec<Value>) {
        let keys = set["keys"].as_array().unwrap().clone();
        keys.into_iter().partition(|key| key["crv"] == "sm2p256v1")
    };
    let (own, beside) = curve(document(house, "/oauth2/jwks/sm2").await);
    // Authlib refuses a set with one key that it does not know; RFC 7517 §5 has it ignore the key.
    assert_eq!(curve(document(house, "/oauth2/jwks").await), (Vec::new(), beside));
    own
}

async fn gm_t_0125_who_registers_it_gets_it_and_nobody_else(house: House) {
    let registration = json!({"client_id": "gm", "client_secret": SECRET, "redirect_uris": [BACK],
        "legal_basis": "test", "scope": "openid profile", "id_token_signed_response_alg": NAME});
    house.register(registration).await;
    let served = document(&house, "/.well-known/openid-configuration").await;
    assert_eq!(served["sm2_jwks_uri"], format!("{ISSUER}/oauth2/jwks/sm2"));
    let keys = published(&house).await;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"]),
        (&json!("EC"), &json!(NAME), &json!("sig"))
    );
    let mut browser = Browser::signed_in(&house).await;
    let asked = [("client_id", "gm"), ("scope", "openid profile"), ("nonce", "n")];
    let code = browser.code(&house, &asked).await;
    let fields =
        [("grant_type", "authorization_code"), ("redirect_uri", BACK), ("code", code.as_str())];
    let tokens = house.post("/oauth2/token", &[basic("gm", SECRET)], &fields).await.json();
    let id = Unverified::parse(tokens["id_token"].as_str().unwrap()).unwrap();
    assert_eq!((id.algorithm_name(), id.kid()), (Some(NAME), key["kid"].as_str()));
    let told = id.verify(&keys, &[Algorithm::Sm2], None).unwrap();
    assert_eq!((&told["aud"], &told["nonce"]), (&json!("gm"), &json!("n")));
    // OpenID Connect Core §3.1.3.6: the hash is the one of the signature.
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(told["at_hash"], half_hash(Algorithm::Sm2, access));
    // Access tokens are for resources, which registered nothing (RFC 9068 §2.1).
    let algorithm = |text: &str| Unverified::parse(text).unwrap().algorithm();
    assert_eq!(algorithm(access), Some(Algorithm::Es256));
    assert_eq!(house.userinfo(access).await.json()["sub"], told["sub"]);
    let mut other = Browser::signed_in(&house).await;
    let tokens = other.tokens(&house, &[("client_id", "a"), ("scope", "openid")]).await;
    assert_eq!(algorithm(tokens["id_token"].as_str().unwrap()), Some(Algorithm::Rs256));
}

/// A client with keys of both kinds, and how it is answered when it shows either.
async fn asserts(house: &House, id: &str, more: Value) -> [StatusCode; 2] {
    let signers = [signer(Algorithm::Sm2), signer(Algorithm::Es256)];
    let keys: Vec<_> = signers.iter().map(Signer::jwk).collect();
    let mut registration = json!({"client_id": id, "redirect_uris": [BACK], "scope": "openid",
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys},
        "grant_types": ["authorization_code", "client_credentials"]});
    registration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.register(registration).await;
    let mut said = Vec::new();
    for signer in &signers {
        let body = json!({"iss": id, "sub": id, "aud": ISSUER, "jti": house.state.ambient.id(),
            "exp": house.state.now() / 1000 + 60});
        let assertion = signer.sign("JWT", &body).unwrap();
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.as_str()),
        ];
        said.push(house.post("/oauth2/token", &[], &fields).await.status);
    }
    said.try_into().unwrap()
}

async fn attack_11_sm2_is_never_agreed_by_what_a_token_says(house: House) {
    let (yes, no) = (StatusCode::OK, StatusCode::UNAUTHORIZED);
    // Its key of the curve is registered; that it signs with it is not.
    assert_eq!(asserts(&house, "silent", json!({})).await, [no, yes]);
    let named = json!({"token_endpoint_auth_signing_alg": NAME});
    assert_eq!(asserts(&house, "named", named).await, [yes, no]);
    let other = json!({"id_token_signed_response_alg": NAME});
    assert_eq!(asserts(&house, "for-answers", other).await, [no, yes]);
    // RFC 9449 §5.1: proofs of possession are of the algorithms that the metadata names.
    let signer = signer(Algorithm::Sm2);
    let mut jwk = signer.jwk().clone();
    for extra in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(extra);
    }
    let proof = json!({"jti": house.state.ambient.id(), "htm": "POST",
        "htu": format!("{ISSUER}/oauth2/token"), "iat": house.state.now() / 1000});
    let header = json!({"typ": "dpop+jwt", "alg": NAME, "jwk": jwk});
    let proof = ("dpop", signer.sign_with_header(&header, &proof).unwrap());
    let fields = [("grant_type", "client_credentials")];
    let answer = house.post("/oauth2/token", &[basic("a", SECRET), proof], &fields).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_dpop_proof")
    );
}

async fn rp_initiated_logout_2_its_id_token_is_a_hint(house: House) {
    let registration = json!({"client_id": "gm", "client_secret": SECRET, "redirect_uris": [BACK],
        "legal_basis": "test", "scope": "openid", "id_token_signed_response_alg": NAME,
        "post_logout_redirect_uris": [BYE]});
    house.register(registration).await;
    let mut browser = Browser::signed_in(&house).await;
    let code = browser.code(&house, &[("client_id", "gm"), ("scope", "openid")]).await;
    let fields =
        [("grant_type", "authorization_code"), ("redirect_uri", BACK), ("code", code.as_str())];
    let tokens = house.post("/oauth2/token", &[basic("gm", SECRET)], &fields).await.json();
    let token = tokens["id_token"].as_str().unwrap();
    // Another's signature, under the name of its key and under that of ours.
    let (stranger, ours) = (signer(Algorithm::Sm2), Unverified::parse(token).unwrap());
    let under_ours = json!({"typ": "JWT", "alg": NAME, "kid": ours.kid()});
    for forged in [
        stranger.sign("JWT", &claims(token)).unwrap(),
        stranger.sign_with_header(&under_ours, &claims(token)).unwrap(),
    ] {
        let forged = [("id_token_hint", forged.as_str()), ("post_logout_redirect_uri", BYE)];
        let address = format!("/oauth2/end_session?{}", form(&forged));
        assert_eq!(browser.get(&house, &address).await.status, StatusCode::BAD_REQUEST);
    }
    let yes = [("id_token_hint", token), ("post_logout_redirect_uri", BYE), ("logout", "yes")];
    let done = browser.post(&house, "/oauth2/end_session/confirm", &[], &yes).await;
    assert_eq!(done.location(), BYE);
}

async fn without_the_operators_switch_nothing_of_it_is_there(house: House) {
    assert!(published(&house).await.is_empty());
    let text = document(&house, "/.well-known/openid-configuration").await.to_string();
    assert!(!text.contains(NAME) && !text.contains("sm2"));
    for member in [
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
        "introspection_signed_response_alg",
        "authorization_signed_response_alg",
        "token_endpoint_auth_signing_alg",
        "request_object_signing_alg",
        "backchannel_authentication_request_signing_alg",
    ] {
        let headers = [("content-type", "application/json".to_owned())];
        let register = async |wish: Value| {
            house.send(Method::POST, "/oauth2/register", &headers, &wish.to_string()).await
        };
        let refused = register(json!({"redirect_uris": [BACK], member: NAME})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{member}");
        assert_eq!(refused.error(), "invalid_client_metadata", "{member}");
        let usual = register(json!({"redirect_uris": [BACK], member: "ES256"})).await;
        assert_eq!(usual.status, StatusCode::CREATED, "{member} {usual:?}");
    }
}

async fn rfc_7592_2_2_who_has_it_since_before_changes_the_rest_and_adds_none_of_it(house: House) {
    let json_body = ("content-type", "application/json".to_owned());
    let wish = json!({"redirect_uris": [BACK], "client_name": "before"});
    let registered = [json_body.clone()];
    let made = house.send(Method::POST, "/oauth2/register", &registered, &wish.to_string()).await;
    let made = made.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (id, path) = (text("client_id"), text("registration_client_uri"));
    let path = path.strip_prefix(ISSUER).unwrap();
    let headers = [json_body, bearer(&text("registration_access_token"))];
    // As it stands where the switch was on when the client registered.
    let (named, now) = (id.clone(), house.state.now());
    let write = house.state.db.write::<_, StoreError, _>("test_sm2", move |tx: &mut Tx| {
        let id = named.clone();
        Box::pin(async move {
            let mut found = idp_store::client::find(tx, &id).await?.unwrap();
            NAME.clone_into(&mut found.client.id_token_signed_response_alg);
            idp_store::client::update(tx, &found, now).await
        })
    });
    assert!(write.await.unwrap());
    let update = async |more: Value| {
        let mut wish = json!({"client_id": id, "redirect_uris": [BACK], "client_name": "after"});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.send(Method::PUT, path, &headers, &wish.to_string()).await
    };
    let id_token = "id_token_signed_response_alg";
    let kept = update(json!({id_token: NAME})).await;
    assert_eq!(kept.status, StatusCode::OK, "{kept:?}");
    assert_eq!(
        (&kept.json()["client_name"], &kept.json()[id_token]),
        (&json!("after"), &json!(NAME))
    );
    // Elsewhere it would be new, and the answer names the member.
    let refused = update(json!({id_token: NAME, "userinfo_signed_response_alg": NAME})).await;
    assert_eq!(refused.error(), "invalid_client_metadata");
    let told = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(told.contains("`userinfo_signed_response_alg`") && !told.contains(id_token), "{told}");
    // Whoever leaves it does not come back.
    assert_eq!(update(json!({id_token: "ES256"})).await.status, StatusCode::OK);
    let refused = update(json!({id_token: NAME})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
}

fn off() -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.registration = Registration::Open;
    settings.limits.registrations_per_network_per_minute = 0;
    settings
}

on_both! { switched_off with off:
    without_the_operators_switch_nothing_of_it_is_there;
    rfc_7592_2_2_who_has_it_since_before_changes_the_rest_and_adds_none_of_it;
}

on_both! {
    gm_t_0125_who_registers_it_gets_it_and_nobody_else;
    attack_11_sm2_is_never_agreed_by_what_a_token_says;
    rp_initiated_logout_2_its_id_token_is_a_hint;
}
