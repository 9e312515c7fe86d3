//! Pushed requests (RFC 9126), signed ones (RFC 9101) and signed answers (JARM).

use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use serde_json::{Value, json};

use super::dpop::Key;
use super::house::{
    Answer, BACK, Browser, CHALLENGE, House, ISSUER, SECRET, VERIFIER, basic, form, on_both,
};

const URN: &str = "urn:ietf:params:oauth:request_uri:";

fn request() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

async fn push(house: &House, fields: &[(&str, &str)]) -> Answer {
    house.post("/oauth2/par", &[basic("a", SECRET)], fields).await
}

async fn pushed(house: &House) -> String {
    let answer = push(house, &request()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json()["request_uri"].as_str().unwrap().to_owned()
}

/// Sends a browser with nothing but the reference.
async fn arrive(browser: &mut Browser, house: &House, client: &str, uri: &str) -> Answer {
    let query = form(&[("client_id", client), ("request_uri", uri)]);
    let first = browser.get(house, &format!("/oauth2/authorize?{query}")).await;
    if first.status != StatusCode::SEE_OTHER || first.location().starts_with("http") {
        return first;
    }
    let path = first.location().to_owned();
    browser.get(house, &path).await
}

async fn rfc_9126_2_2_a_pushed_request_is_referred_to_and_redeemed(house: House) {
    let answer = push(&house, &request()).await;
    let body = answer.json();
    assert!(body["request_uri"].as_str().unwrap().starts_with(URN));
    assert!((30..=120).contains(&body["expires_in"].as_i64().unwrap()));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let mut browser = Browser::signed_in(&house).await;
    let answer = arrive(&mut browser, &house, "a", body["request_uri"].as_str().unwrap()).await;
    let query = answer.query();
    assert_eq!((&query["state"], &query["iss"]), (&"s".to_owned(), &ISSUER.to_owned()));
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", query["code"].as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(house.token(&fields).await.status, StatusCode::OK);
}

async fn attack_14_a_reference_dies_with_the_sign_in_and_after_its_time(house: House) {
    let uri = pushed(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    // Until then it may be opened again: browsers reload.
    let query = form(&[("client_id", "a"), ("request_uri", uri.as_str())]);
    let open = format!("/oauth2/authorize?{query}");
    let (one, two) = (browser.get(&house, &open).await, browser.get(&house, &open).await);
    let (one, two) = (one.location().to_owned(), two.location().to_owned());
    assert!(browser.get(&house, &one).await.query().contains_key("code"));
    let second = browser.get(&house, &two).await;
    assert_eq!(second.status, StatusCode::BAD_REQUEST, "two sign-ins, one answer");
    let again = arrive(&mut browser, &house, "a", &uri).await;
    assert!(again.status == StatusCode::BAD_REQUEST && again.body.contains("invalid_request_uri"));
    let late = pushed(&house).await;
    house.wait(90_000);
    let answer = arrive(&mut browser, &house, "a", &late).await;
    assert!(
        answer.status == StatusCode::BAD_REQUEST && answer.body.contains("invalid_request_uri")
    );
}

async fn attack_14_a_reference_belongs_to_its_client_and_is_not_guessed(house: House) {
    let uri = pushed(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let mut last = uri.clone().into_bytes();
    let end = last.len() - 1;
    last[end] = if last[end] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(last).unwrap();
    let unknown = format!("{URN}x");
    for (client, uri) in [("b", &uri), ("a", &forged), ("a", &unknown)] {
        let answer = arrive(&mut browser, &house, client, uri).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{client} {uri}");
        assert!(answer.body.contains("invalid_request_uri"));
    }
    assert_eq!(arrive(&mut browser, &house, "a", &uri).await.query()["state"], "s");
}

async fn rfc_9126_2_3_a_wrong_request_is_refused_where_it_is_pushed(house: House) {
    let cases: &[(&str, &str, &str)] = &[
        ("request_uri", "urn:x", "invalid_request"),
        ("redirect_uri", "https://evil.example/cb", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("dpop_jkt", "short", "invalid_request"),
    ];
    for (name, value, code) in cases {
        let mut fields = request();
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
        let answer = push(&house, &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}={value}");
        assert_eq!(answer.error(), *code, "{name}={value}");
    }
    let answer = house.post("/oauth2/par", &[basic("a", "wrong")], &request()).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
    let answer = house.send(Method::GET, "/oauth2/par", &[], "").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

async fn attack_08_a_pushed_proof_binds_the_code_to_its_key(house: House) {
    let (key, thief) = (Key::new(), Key::new());
    let headers = [basic("a", SECRET), key.post(&house, "/oauth2/par")];
    let answer = house.post("/oauth2/par", &headers, &request()).await;
    let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    let mut browser = Browser::signed_in(&house).await;
    let code = arrive(&mut browser, &house, "a", &uri).await.query().remove("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    for proofs in [vec![], vec![thief.post(&house, "/oauth2/token")]] {
        let headers = [vec![basic("a", SECRET)], proofs].concat();
        let answer = house.post("/oauth2/token", &headers, &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    }
    // RFC 9449 §10.1: another thumbprint beside the proof.
    let mut other = request();
    let jkt = thief.jkt();
    other.push(("dpop_jkt", &jkt));
    let headers = [basic("a", SECRET), key.post(&house, "/oauth2/par")];
    let answer = house.post("/oauth2/par", &headers, &other).await;
    assert_eq!(answer.error(), "invalid_dpop_proof");
}

async fn rfc_9126_5_a_client_that_must_push_is_refused_in_front(house: House) {
    house
        .register(json!({"client_id": "must", "client_secret": SECRET, "redirect_uris": [BACK],
            "require_pushed_authorization_requests": true, "legal_basis": "test"}))
        .await;
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser.authorize(&house, &[("client_id", "must")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("invalid_request"));
    let answer = house.post("/oauth2/par", &[basic("must", SECRET)], &request()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

/// A client that signs.
async fn signing(house: &House, id: &str, more: Value) -> Signer {
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let mut registration = json!({"client_id": id, "client_secret": SECRET,
        "redirect_uris": [BACK], "jwks": {"keys": [signer.jwk()]}, "legal_basis": "test"});
    for (name, value) in more.as_object().unwrap() {
        registration[name] = value.clone();
    }
    house.register(registration).await;
    signer
}

async fn rfc_9101_5_a_signed_request_is_opened_in_front_and_pushed(house: House) {
    let signer = signing(&house, "signs", json!({"require_signed_request_object": true})).await;
    let now = house.state.now() / 1000;
    let claims = json!({"iss": "signs", "aud": ISSUER, "exp": now + 60, "nbf": now,
        "client_id": "signs", "response_type": "code", "redirect_uri": BACK, "scope": "openid",
        "state": "inside"});
    let object = signer.sign("oauth-authz-req+jwt", &claims).unwrap();
    let mut browser = Browser::signed_in(&house).await;
    let query = form(&[("client_id", "signs"), ("request", &object)]);
    let first = browser.get(&house, &format!("/oauth2/authorize?{query}")).await;
    let path = first.location().to_owned();
    assert_eq!(browser.get(&house, &path).await.query()["state"], "inside");
    let answer =
        house.post("/oauth2/par", &[basic("signs", SECRET)], &[("request", &object)]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let answer = house.post("/oauth2/par", &[basic("signs", SECRET)], &request()).await;
    assert_eq!(answer.error(), "invalid_request", "unsigned");
    let stale = json!({"iss": "signs", "aud": ISSUER, "exp": now - 60, "nbf": now - 90,
        "client_id": "signs", "response_type": "code", "redirect_uri": BACK, "scope": "openid"});
    let object = signer.sign("JWT", &stale).unwrap();
    let query = form(&[("client_id", "signs"), ("request", &object), ("redirect_uri", BACK)]);
    let answer = browser.get(&house, &format!("/oauth2/authorize?{query}")).await;
    assert_eq!(answer.query()["error"], "invalid_request_object");
    // Attacks row 18: without an address beyond doubt, a page.
    let evil = ("redirect_uri", "https://evil.example/cb");
    let query = form(&[("client_id", "signs"), ("request", &object), evil]);
    let answer = browser.get(&house, &format!("/oauth2/authorize?{query}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

async fn jarm_2_1_the_answer_is_one_signed_token(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let keys = house.send(Method::GET, "/oauth2/jwks", &[], "").await.json();
    let keys = keys["keys"].as_array().unwrap().clone();
    for mode in ["jwt", "query.jwt", "fragment.jwt", "form_post.jwt"] {
        for prompt in ["", "login consent none"] {
            let extra = [("response_mode", mode), ("prompt", prompt)];
            let answer = browser.authorize(&house, &extra).await;
            let text = match mode {
                "form_post.jwt" => {
                    let (_, rest) = answer.body.split_once("name=\"response\" value=\"").unwrap();
                    rest.split('"').next().unwrap().to_owned()
                }
                _ => {
                    let mark = if mode == "fragment.jwt" { '#' } else { '?' };
                    let (_, rest) = answer.location().split_once(mark).unwrap();
                    rest.strip_prefix("response=").unwrap().to_owned()
                }
            };
            let token = Unverified::parse(&text).unwrap();
            let claims = token.verify(&keys, &[Algorithm::Rs256], None).unwrap();
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("a")));
            let life = claims["exp"].as_i64().unwrap() - house.state.now() / 1000;
            assert!((1..=600).contains(&life));
            assert_eq!(claims["state"], "s t&ä");
            let member = if prompt.is_empty() { "code" } else { "error" };
            assert!(claims[member].is_string(), "{mode} {claims}");
        }
    }
}

on_both! {
    rfc_9126_2_2_a_pushed_request_is_referred_to_and_redeemed;
    attack_14_a_reference_dies_with_the_sign_in_and_after_its_time;
    attack_14_a_reference_belongs_to_its_client_and_is_not_guessed;
    rfc_9126_2_3_a_wrong_request_is_refused_where_it_is_pushed;
    attack_08_a_pushed_proof_binds_the_code_to_its_key;
    rfc_9126_5_a_client_that_must_push_is_refused_in_front;
    rfc_9101_5_a_signed_request_is_opened_in_front_and_pushed;
    jarm_2_1_the_answer_is_one_signed_token;
}
