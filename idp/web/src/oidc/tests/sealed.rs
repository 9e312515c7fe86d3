//! Answers as signed and encrypted tokens, and encrypted request objects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use idp_protocol::jwe::{self, Content, Management, Opener};
use serde_json::{Value, json};

use super::house::{Answer, BACK, Browser, House, ISSUER, SECRET, basic, bearer, form, on_both};

async fn keys(house: &House) -> Vec<Value> {
    let keys = house.send(Method::GET, "/oauth2/jwks/sm2", &[], "").await.json();
    keys["keys"].as_array().unwrap().clone()
}

async fn believed(house: &House, text: &str, algorithm: Algorithm, typ: Option<&str>) -> Value {
    let token = Unverified::parse(text).unwrap();
    token.verify(&keys(house).await, &[algorithm], typ).unwrap()
}

async fn register(house: &House, id: &str, more: Value) {
    let mut registration = json!({"client_id": id, "client_secret": SECRET,
        "redirect_uris": [BACK], "legal_basis": "test", "scope": "openid profile"});
    for (name, value) in more.as_object().unwrap() {
        registration[name] = value.clone();
    }
    house.register(registration).await;
}

async fn tokens(house: &House, id: &str) -> Value {
    let mut browser = Browser::signed_in(house).await;
    let code = browser.code(house, &[("client_id", id), ("scope", "openid profile")]).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
    let answer = house.post("/oauth2/token", &[basic(id, SECRET)], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

async fn core_5_3_2_userinfo_is_signed_as_registered(house: House) {
    for algorithm in Algorithm::ALL {
        let id = format!("ui-{}", algorithm.name());
        register(&house, &id, json!({"userinfo_signed_response_alg": algorithm.name()})).await;
        let tokens = tokens(&house, &id).await;
        let answer = house.userinfo(tokens["access_token"].as_str().unwrap()).await;
        assert_eq!(answer.headers["content-type"], "application/jwt");
        let claims = believed(&house, &answer.body, algorithm, None).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(id)));
        assert_eq!(claims["name"], "林小满");
        assert_eq!(
            claims["sub"],
            super::house::claims(tokens["id_token"].as_str().unwrap())["sub"]
        );
    }
}

async fn rfc_7519_11_2_tokens_are_signed_then_encrypted_to_the_clients_key(house: House) {
    for (management, content) in
        [(Management::EcdhEs, Content::A128Gcm), (Management::RsaOaep256, Content::A256Gcm)]
    {
        let own = Opener::new(management, &jwe::generate(management).unwrap()).unwrap();
        let (alg, enc) = (management.name(), content.name());
        let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
        register(
            &house,
            alg,
            json!({"jwks": {"keys": [own.jwk(), signer.jwk()]},
            "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc,
            "userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc,
            "userinfo_signed_response_alg": "RS256",
            "authorization_encrypted_response_alg": alg,
            "authorization_encrypted_response_enc": enc}),
        )
        .await;
        let own = [own];
        let opened = |text: &str| String::from_utf8(jwe::open(&own, text).unwrap()).unwrap();
        let tokens = tokens(&house, alg).await;
        let id = opened(tokens["id_token"].as_str().unwrap());
        let id = believed(&house, &id, Algorithm::Rs256, None).await;
        assert_eq!(id["aud"], alg);
        let answer = house.userinfo(tokens["access_token"].as_str().unwrap()).await;
        let info = believed(&house, &opened(&answer.body), Algorithm::Rs256, None).await;
        assert_eq!(info["sub"], id["sub"]);
        let mut browser = Browser::signed_in(&house).await;
        let extra = [("client_id", alg), ("scope", "openid"), ("response_mode", "jwt")];
        let answer = browser.authorize(&house, &extra).await;
        let response = opened(&answer.query()["response"]);
        let response = believed(&house, &response, Algorithm::Rs256, None).await;
        assert!(response["code"].is_string());
    }
}

async fn rfc_9701_4_introspection_is_a_token_for_whoever_asks_for_one(house: House) {
    let tokens = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let access = tokens["access_token"].as_str().unwrap();
    let kind = "application/token-introspection+jwt";
    let headers = [basic("a", SECRET), ("accept", kind.to_owned())];
    for (token, active) in [(access, true), ("nonsense", false)] {
        let answer = house.post("/oauth2/introspect", &headers, &[("token", token)]).await;
        assert_eq!(answer.headers["content-type"], kind);
        let typ = Some("token-introspection+jwt");
        let claims = believed(&house, &answer.body, Algorithm::Rs256, typ).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("a")));
        assert_eq!(claims["token_introspection"]["active"], active);
        assert!(claims.get("sub").is_none() && claims.get("exp").is_none(), "RFC 9701 section 5");
        // RFC 9701 §8.1: it opens nothing.
        let shown = house.send(Method::GET, "/oauth2/userinfo", &[bearer(&answer.body)], "").await;
        assert_eq!(shown.status, StatusCode::UNAUTHORIZED);
    }
}

async fn ask(house: &House, object: &str) -> Answer {
    let query = form(&[("client_id", "c"), ("request", object), ("redirect_uri", BACK)]);
    let mut browser = Browser::signed_in(house).await;
    let first = browser.get(house, &format!("/oauth2/authorize?{query}")).await;
    if first.location().starts_with(BACK) {
        return first;
    }
    let path = first.location().to_owned();
    browser.get(house, &path).await
}

async fn attack_12_an_encrypted_object_is_held_to_its_signature(house: House) {
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    register(&house, "c", json!({"jwks": {"keys": [signer.jwk()]}})).await;
    let claims = json!({"iss": "c", "aud": ISSUER, "client_id": "c", "response_type": "code",
        "redirect_uri": BACK, "scope": "openid", "state": "inside"});
    let keys = keys(&house).await;
    let to = |management: Management| {
        keys.iter().find(|key| key["alg"] == management.name()).unwrap().clone()
    };
    let sealed = |text: &str, management: Management| {
        let key = to(management);
        let content = Content::A256Gcm;
        jwe::encrypt(text.as_bytes(), &key, management, content, Some("JWT")).unwrap()
    };
    for management in Management::ALL {
        let object = sealed(&signer.sign("JWT", &claims).unwrap(), management);
        assert_eq!(ask(&house, &object).await.query()["state"], "inside");
        // Nothing but a wrapper: the unsigned one of CVE-2026-9793, another's key, plain claims.
        let body = signer.sign("JWT", &claims).unwrap();
        let body = body.split('.').nth(1).unwrap();
        let none = sealed(&format!("eyJhbGciOiJub25lIn0.{body}."), management);
        assert_eq!(ask(&house, &none).await.query()["error"], "request_not_supported");
        let other = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
        for inside in [other.sign("JWT", &claims).unwrap(), claims.to_string()] {
            let answer = ask(&house, &sealed(&inside, management)).await;
            assert_eq!(answer.query()["error"], "invalid_request_object");
        }
    }
    let broken = format!("{}x", sealed("x", Management::EcdhEs));
    assert_eq!(ask(&house, &broken).await.query()["error"], "invalid_request_object");
}

async fn core_5_3_2_userinfo_without_a_signature_is_encrypted_as_it_is(house: House) {
    let own = Management::EcdhEs;
    let own = Opener::new(own, &jwe::generate(own).unwrap()).unwrap();
    let (alg, enc) = (Management::EcdhEs.name(), Content::A128Gcm.name());
    let keys = json!({"jwks": {"keys": [own.jwk()]}, "userinfo_encrypted_response_alg": alg,
        "userinfo_encrypted_response_enc": enc});
    register(&house, "plain", keys).await;
    let tokens = tokens(&house, "plain").await;
    let answer = house.userinfo(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(answer.headers["content-type"], "application/jwt");
    let plain = jwe::open(&[own], &answer.body).unwrap();
    let claims: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(claims["sub"], super::house::claims(tokens["id_token"].as_str().unwrap())["sub"]);
    assert_eq!(claims["name"], "林小满");
    // RFC 7519 §5.2: the mark of a token inside would be wrong.
    let head = answer.body.split('.').next().unwrap();
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    assert!(head.get("cty").is_none(), "{head}");
}

on_both! {
    core_5_3_2_userinfo_is_signed_as_registered;
    rfc_7519_11_2_tokens_are_signed_then_encrypted_to_the_clients_key;
    rfc_9701_4_introspection_is_a_token_for_whoever_asks_for_one;
    attack_12_an_encrypted_object_is_held_to_its_signature;
    core_5_3_2_userinfo_without_a_signature_is_encrypted_as_it_is;
}
