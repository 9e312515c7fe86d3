//! Tokens from the front: the implicit and hybrid response types behind the operator's switch.

use std::collections::BTreeMap;

use http::StatusCode;
use idp_protocol::jose::{Algorithm, half_hash};
use serde_json::{Value, json};

use super::house::{BACK, Browser, House, ISSUER, SECRET, claims, on_both};
use crate::state::Settings;

const ALL: [&str; 5] =
    ["id_token", "id_token token", "code id_token", "code token", "code id_token token"];

fn on() -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.implicit_and_hybrid = true;
    settings
}

/// With a client that has registered them all.
async fn furnish(house: &House) {
    house
        .register(json!({"client_id": "old", "client_secret": SECRET, "redirect_uris": [BACK],
            "grant_types": ["authorization_code", "implicit"], "legal_basis": "test",
            "response_types": ["code", "id_token", "id_token token", "code id_token", "code token",
                "code id_token token"], "scope": "openid profile"}))
        .await;
}

async fn ask(house: &House, kind: &str, extra: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut browser = Browser::signed_in(house).await;
    let mut fields = vec![
        ("client_id", "old"),
        ("response_type", kind),
        ("scope", "openid profile"),
        ("nonce", "n-1"),
    ];
    fields.extend_from_slice(extra);
    let answer = browser.authorize(house, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let (address, fragment) = answer.location().split_once('#').unwrap();
    assert_eq!(address, BACK, "nothing in the query");
    url::form_urlencoded::parse(fragment.as_bytes()).into_owned().collect()
}

async fn core_3_2_and_3_3_each_type_brings_what_it_names(house: House) {
    furnish(&house).await;
    for kind in ALL {
        let has = |word: &str| kind.split(' ').any(|known| known == word);
        let got = ask(&house, kind, &[]).await;
        assert_eq!(got.contains_key("code"), has("code"), "{kind}");
        assert_eq!(got.contains_key("id_token"), has("id_token"), "{kind}");
        assert_eq!(got.contains_key("access_token"), has("token"), "{kind}");
        assert_eq!((&got["iss"], &got["state"]), (&ISSUER.to_owned(), &"s t&ä".to_owned()));
        if has("token") {
            assert_eq!(got["token_type"], "Bearer");
            assert!(got["expires_in"].parse::<i64>().unwrap() > 0);
            let answer = house.userinfo(&got["access_token"]).await;
            assert_eq!(answer.json()["name"], "林小满");
        }
        let Some(token) = got.get("id_token") else { continue };
        let front = claims(token);
        assert_eq!(front["nonce"], "n-1");
        let hash = |name: &str| got.get(name).map(|text| json!(half_hash(Algorithm::Rs256, text)));
        assert_eq!(front.get("at_hash").cloned(), hash("access_token"), "{kind}");
        assert_eq!(front.get("c_hash").cloned(), hash("code"), "{kind}");
        // OpenID Connect Core §5.4.
        assert_eq!(front.get("name").is_some(), kind == "id_token", "{kind}");
        if has("code") {
            let back = redeem(&house, &got["code"]).await;
            let back = claims(back["id_token"].as_str().unwrap());
            assert_eq!((&back["sub"], &back["iss"]), (&front["sub"], &front["iss"]));
        }
    }
}

async fn redeem(house: &House, code: &str) -> Value {
    let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];
    let answer = house.post("/oauth2/token", &[super::house::basic("old", SECRET)], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

async fn core_3_2_2_1_without_a_nonce_no_id_token_comes_from_the_front(house: House) {
    furnish(&house).await;
    for kind in ALL.iter().filter(|kind| kind.contains("id_token")) {
        let got = ask(&house, kind, &[("nonce", "")]).await;
        assert_eq!(
            (got["error"].as_str(), got.contains_key("id_token")),
            ("invalid_request", false)
        );
    }
    assert!(ask(&house, "code token", &[("nonce", "")]).await.contains_key("code"));
}

async fn multiple_response_types_5_the_query_carries_no_token_and_a_form_may(house: House) {
    furnish(&house).await;
    let got = ask(&house, "id_token", &[("response_mode", "query")]).await;
    assert_eq!(got["error"], "invalid_request");
    let mut browser = Browser::signed_in(&house).await;
    let fields = [
        ("client_id", "old"),
        ("response_type", "code id_token"),
        ("scope", "openid"),
        ("nonce", "n"),
        ("response_mode", "form_post"),
    ];
    let answer = browser.authorize(&house, &fields).await;
    assert_eq!(answer.status, StatusCode::OK);
    for name in ["code", "id_token", "state", "iss"] {
        assert!(answer.body.contains(&format!("name=\"{name}\"")), "{name}");
    }
}

async fn attack_22_what_the_operator_has_off_no_request_turns_on(on: House) {
    furnish(&on).await;
    let off = on.beside_with(Settings::new(ISSUER)).await;
    for kind in ALL {
        assert_eq!(ask(&off, kind, &[]).await["error"], "unsupported_response_type", "{kind}");
        // Client `a` has not registered it.
        let got = ask(&on, kind, &[("client_id", "a")]).await;
        assert_eq!(got["error"], "unauthorized_client", "{kind}");
    }
    let metadata = off.send(http::Method::GET, "/.well-known/openid-configuration", &[], "").await;
    assert_eq!(metadata.json()["response_types_supported"], json!(["code"]));
    let metadata = on.send(http::Method::GET, "/.well-known/openid-configuration", &[], "").await;
    assert_eq!(metadata.json()["response_types_supported"].as_array().unwrap().len(), 6);
}

async fn attack_01_a_replayed_code_ends_the_token_that_came_beside_it(house: House) {
    furnish(&house).await;
    let got = ask(&house, "code token", &[]).await;
    redeem(&house, &got["code"]).await;
    assert_eq!(house.userinfo(&got["access_token"]).await.status, StatusCode::OK);
    let fields =
        [("grant_type", "authorization_code"), ("code", &got["code"]), ("redirect_uri", BACK)];
    house.post("/oauth2/token", &[super::house::basic("old", SECRET)], &fields).await;
    assert_eq!(house.userinfo(&got["access_token"]).await.status, StatusCode::UNAUTHORIZED);
}

on_both! { front with on:
    core_3_2_and_3_3_each_type_brings_what_it_names;
    core_3_2_2_1_without_a_nonce_no_id_token_comes_from_the_front;
    multiple_response_types_5_the_query_carries_no_token_and_a_form_may;
    attack_22_what_the_operator_has_off_no_request_turns_on;
    attack_01_a_replayed_code_ends_the_token_that_came_beside_it;
}
