//! Codes: what they are bound to and how they die (attacks rows 1–3, 5, 6, 8).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;

use super::house::{Answer, BACK, Browser, CHALLENGE, House, SECRET, VERIFIER, basic};

async fn refused(house: &House, fields: &[(&str, &str)]) {
    let answer = house.token(fields).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_grant")
    );
}

async fn attack_01_a_replayed_code_revokes_what_came_from_it(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let code = browser.code(&house, &[]).await;
    let tokens = house.redeem(&code).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.status, StatusCode::OK);
    assert!(house.active(access).await);
    house.wait(30_000);
    let again = house.redeem(&code).await;
    assert_eq!((again.status, again.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert_eq!(house.userinfo(access).await.status, StatusCode::UNAUTHORIZED);
    assert!(!house.active(access).await);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(house.refresh(refresh).await.error(), "invalid_grant");
}

async fn attack_01_a_replay_is_told_to_the_person(house: House) {
    let code = Browser::signed_in(&house).await.code(&house, &[]).await;
    house.redeem(&code).await;
    let newest = async || house.trail("p1").await.remove(0);
    assert_eq!(newest().await.kind, "claims_released");
    house.redeem(&code).await;
    let told = newest().await;
    assert_eq!((told.kind.as_str(), told.actor.as_str()), ("token_reused", "a"));
    assert_eq!(told.details["client"], "a");
    // Once: what is revoked already is nobody's any more.
    house.redeem(&code).await;
    assert_eq!(newest().await.n, told.n);
}

async fn attack_01_even_after_its_expiry_a_replay_is_known_as_one(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let code = browser.code(&house, &[]).await;
    let access = house.redeem(&code).await.json()["access_token"].as_str().unwrap().to_owned();
    house.wait(120_000);
    assert_eq!(house.redeem(&code).await.error(), "invalid_grant");
    assert!(!house.active(&access).await);
}

async fn attack_02_of_parallel_redemptions_one_wins(house: House) {
    let house = std::sync::Arc::new(house);
    let code = Browser::signed_in(&house).await.code(&house, &[]).await;
    let tries = (0..12).map(|_| {
        let (house, code) = (house.clone(), code.clone());
        tokio::spawn(async move { house.redeem(&code).await.status })
    });
    let mut won = 0;
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            StatusCode::OK => won += 1,
            status => assert_eq!(status, StatusCode::BAD_REQUEST),
        }
    }
    assert_eq!(won, 1);
}

async fn attack_03_a_code_older_than_a_minute_is_dead(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let code = browser.code(&house, &[]).await;
    house.wait(59_999);
    assert_eq!(house.redeem(&code).await.status, StatusCode::OK);
    let code = browser.code(&house, &[]).await;
    house.wait(60_000);
    assert_eq!(house.redeem(&code).await.error(), "invalid_grant");
}

async fn attack_05_the_redirect_uri_of_both_requests_is_the_same(house: House) {
    let code = Browser::signed_in(&house).await.code(&house, &[]).await;
    let grant = ("grant_type", "authorization_code");
    // Registered, but not the one of this request; and none at all.
    let other = ("redirect_uri", "https://a.example/cb?x=1");
    refused(&house, &[grant, ("code", &code), other]).await;
    refused(&house, &[grant, ("code", &code)]).await;
    // Neither burnt the code.
    assert_eq!(house.redeem(&code).await.status, StatusCode::OK);
}

async fn attack_06_pkce_binds_the_code_and_is_not_downgraded(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let code = browser.code(&house, &pkce).await;
    let base =
        [("grant_type", "authorization_code"), ("redirect_uri", BACK), ("code", code.as_str())];
    refused(&house, &base).await;
    refused(&house, &[&base[..], &[("code_verifier", CHALLENGE)]].concat()).await;
    let answer = house.token(&[&base[..], &[("code_verifier", VERIFIER)]].concat()).await;
    assert_eq!(answer.status, StatusCode::OK);
    // A verifier for a code without a challenge.
    let code = browser.code(&house, &[]).await;
    let base =
        [("grant_type", "authorization_code"), ("redirect_uri", BACK), ("code", code.as_str())];
    refused(&house, &[&base[..], &[("code_verifier", VERIFIER)]].concat()).await;
    for extra in [
        vec![("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        vec![("code_challenge", CHALLENGE)],
    ] {
        let answer = browser.authorize(&house, &extra).await;
        assert_eq!(answer.query()["error"], "invalid_request");
    }
    // A public client cannot leave it out.
    let public =
        [("client_id", "public"), ("redirect_uri", "https://p.example/cb"), ("scope", "openid")];
    let answer = browser.authorize(&house, &public).await;
    assert_eq!(answer.query()["error"], "invalid_request");
}

async fn a_public_client_redeems_with_pkce(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser
        .authorize(
            &house,
            &[
                ("client_id", "public"),
                ("redirect_uri", "https://p.example/cb"),
                ("scope", "openid"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
        )
        .await;
    let code = answer.query().remove("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "public"),
        ("code", code.as_str()),
        ("redirect_uri", "https://p.example/cb"),
        ("code_verifier", VERIFIER),
    ];
    let answer = house.post("/oauth2/token", &[], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.json()["refresh_token"].is_null(), "it is not registered for refreshing");
}

async fn attack_08_a_code_is_of_no_use_to_another_client(house: House) {
    let code = Browser::signed_in(&house).await.code(&house, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("client_id", "b"),
        ("client_secret", SECRET),
    ];
    let answer = house.post("/oauth2/token", &[], &fields).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(house.redeem(&code).await.status, StatusCode::OK);
}

/// Its id is the key of a row, half of it the time: only the secret opens it.
async fn attack_08_a_code_of_another_secret_is_none(house: House) {
    let code = Browser::signed_in(&house).await.code(&house, &[]).await;
    let (kept, last) = code.split_at(code.len() - 1);
    let other = format!("{kept}{}", if last == "A" { "B" } else { "A" });
    assert_eq!(house.redeem(&other).await.error(), "invalid_grant");
    assert_eq!(house.redeem(&code).await.status, StatusCode::OK);
    // Nor is it a replay, which would end what came from it.
    assert_eq!(house.redeem(&other).await.error(), "invalid_grant");
    assert!(house.trail("p1").await.iter().all(|line| line.kind != "token_reused"));
}

async fn rfc_6749_5_2_each_fault_has_its_code_and_status(house: House) {
    let grant = ("grant_type", "authorization_code");
    assert_eq!(house.token(&[]).await.error(), "invalid_request");
    assert_eq!(house.token(&[grant]).await.error(), "invalid_request");
    assert_eq!(house.token(&[grant, ("code", "tbc_x")]).await.error(), "invalid_grant");
    let unknown = house.token(&[("grant_type", "password")]).await;
    assert_eq!(unknown.error(), "unsupported_grant_type");
    assert_eq!(unknown.headers["cache-control"], "no-store");
    for headers in [
        vec![basic("a", "wrong-secret-of-more-than-thirty-two-chars")],
        vec![basic("nobody", SECRET)],
        // Registered for client_secret_post.
        vec![basic("b", SECRET)],
    ] {
        let answer = house.post("/oauth2/token", &headers, &[grant]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error(), "invalid_client");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    // PostgreSQL has no text with a NUL: whoever is named so is nobody, and no fault of ours.
    let (head, body) = (r#"{"alg":"ES256"}"#, r#"{"iss":"a\u0000","sub":"a\u0000"}"#);
    let nul = [head, body, "x"].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let asserted = [
        grant,
        ("client_assertion_type", idp_protocol::assertion::TYPE),
        ("client_assertion", nul.as_str()),
    ];
    for (headers, fields) in [(vec![basic("a%00", SECRET)], &[grant][..]), (vec![], &asserted[..])]
    {
        let answer = house.post("/oauth2/token", &headers, fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        assert_eq!(answer.error(), "invalid_client");
    }
    // Who knows the secret is told that another method is registered; nobody else is.
    let told = |answer: Answer| answer.body.contains("token_endpoint_auth_method");
    assert!(told(house.post("/oauth2/token", &[basic("b", SECRET)], &[grant]).await));
    assert!(!told(house.post("/oauth2/token", &[basic("b", "another secret")], &[grant]).await));
    let named = house.post("/oauth2/token", &[], &[grant, ("client_id", "a")]).await;
    assert_eq!(named.error(), "invalid_client");
    assert!(!named.headers.contains_key("www-authenticate"));
}

super::house::on_both! {
    attack_01_a_replay_is_told_to_the_person;
    attack_01_a_replayed_code_revokes_what_came_from_it;
    attack_01_even_after_its_expiry_a_replay_is_known_as_one;
    attack_02_of_parallel_redemptions_one_wins;
    attack_03_a_code_older_than_a_minute_is_dead;
    attack_05_the_redirect_uri_of_both_requests_is_the_same;
    attack_06_pkce_binds_the_code_and_is_not_downgraded;
    a_public_client_redeems_with_pkce;
    attack_08_a_code_is_of_no_use_to_another_client;
    attack_08_a_code_of_another_secret_is_none;
    rfc_6749_5_2_each_fault_has_its_code_and_status;
}
