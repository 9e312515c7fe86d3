//! The device grant (RFC 8628; attacks rows 26, 31, 32).

use std::sync::atomic::Ordering;

use http::StatusCode;
use idp_domain::citizen::account::AccountState;
use idp_protocol::device::GRANT;
use serde_json::{Value, json};

use super::house::{Answer, Browser, House, ISSUER, SECRET, basic, claims};
use crate::pages;
use crate::session::Who;

async fn registered(house: &House) {
    house
        .register(json!({"client_id": "tv", "client_name": "电视", "client_name#en": "Television",
            "token_endpoint_auth_method": "none", "grant_types": [GRANT, "refresh_token"],
            "response_types": [], "scope": "openid profile phone"}))
        .await;
    house
        .register(json!({"client_id": "own", "client_secret": SECRET, "legal_basis": "test",
            "grant_types": [GRANT], "response_types": [], "scope": "openid staff"}))
        .await;
}

/// A device that asks for codes.
async fn ask(house: &House, extra: &[(&str, &str)]) -> Answer {
    let fields = [&[("client_id", "tv")], extra].concat();
    house.post("/oauth2/device_authorization", &[], &fields).await
}

async fn codes(house: &House) -> (String, String) {
    let told = ask(house, &[]).await.json();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

async fn poll(house: &House, device_code: &str) -> Answer {
    let fields = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", device_code)];
    house.post("/oauth2/token", &[], &fields).await
}

/// The person types a code; gives the page that the browser is led to.
async fn enter(house: &House, browser: &mut Browser, user_code: &str) -> String {
    let begun = browser.post(house, "/device", &[], &[("user_code", user_code)]).await;
    assert!(begun.location().starts_with("/oauth2/authorize/"), "{begun:?}");
    let path = begun.location().to_owned();
    browser.get(house, &path).await.location().to_owned()
}

/// The person decides; gives the last page.
async fn decide(house: &House, browser: &mut Browser, page: &str, value: &str) -> Answer {
    let decided = browser.post(house, page, &[], &[("confirm", value)]).await;
    let path = decided.location().to_owned();
    browser.get(house, &path).await
}

async fn rfc_8628_3_a_device_waits_is_allowed_and_signs_in(house: House) {
    registered(&house).await;
    let told = ask(&house, &[("scope", "openid profile nothing")]).await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    assert_eq!(told.headers["cache-control"], "no-store");
    let told = told.json();
    // §3.2.
    assert_eq!((&told["expires_in"], &told["interval"]), (&json!(600), &json!(5)));
    assert_eq!(told["verification_uri"], format!("{ISSUER}/device"));
    let user_code = told["user_code"].as_str().unwrap();
    assert_eq!(told["verification_uri_complete"], format!("{ISSUER}/device?user_code={user_code}"));
    let device_code = told["device_code"].as_str().unwrap();
    // §3.5: pending, then too fast, which makes the interval longer.
    assert_eq!(poll(&house, device_code).await.error(), "authorization_pending");
    house.wait(4_000);
    assert_eq!(poll(&house, device_code).await.error(), "slow_down");
    house.wait(5_000);
    assert_eq!(poll(&house, device_code).await.error(), "slow_down");
    house.wait(15_000);
    assert_eq!(poll(&house, device_code).await.error(), "authorization_pending");
    // §3.3: the person, in a browser that knows nothing yet.
    let mut browser = Browser::default();
    let page = enter(&house, &mut browser, &user_code.to_lowercase().replace('-', " ")).await;
    assert!(page.starts_with("/signin?flow="), "{page}");
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    let flow = page.split_once("flow=").unwrap().1;
    let page =
        browser.get(&house, &format!("/oauth2/authorize/{flow}")).await.location().to_owned();
    assert_eq!(page, format!("/device/confirm?flow={flow}"));
    let shown = browser.get(&house, &page).await;
    assert!(
        shown.body.contains("电视") && shown.body.contains("data-claim=\"profile\""),
        "{shown:?}"
    );
    assert!(!shown.body.contains("data-claim=\"phone\""));
    let done = decide(&house, &mut browser, &page, "yes").await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    assert!(done.headers.get("location").is_none());
    house.wait(15_000);
    let tokens = poll(&house, device_code).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let tokens = tokens.json();
    assert_eq!(tokens["scope"], "openid profile");
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id["iss"], &id["aud"]), (&json!(ISSUER), &json!("tv")));
    assert!(id.get("sid").is_none() && id.get("nonce").is_none(), "{id}");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.json()["name"], "林小满");
    // The person's own browser leaves; the device stays until she takes it back.
    browser.post(&house, "/signout", &[], &[("logout", "yes")]).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("client_id", "tv"), ("refresh_token", refresh)];
    assert_eq!(house.post("/oauth2/token", &[], &fields).await.status, StatusCode::OK);
    let kinds: Vec<_> = house.trail("p1").await.into_iter().map(|line| line.kind).collect();
    assert!(kinds.iter().any(|kind| kind == "device_allowed"), "{kinds:?}");
    let now = house.state.now();
    house
        .write(move |tx| {
            Box::pin(
                async move { idp_store::consent::withdraw(tx, "p1", "tv", now).await.map(drop) },
            )
        })
        .await;
    assert_eq!(house.userinfo(access).await.status, StatusCode::UNAUTHORIZED);
}

async fn rfc_8628_3_5_codes_end_and_are_their_clients(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    // Refused.
    let (device_code, user_code) = codes(&house).await;
    let page = enter(&house, &mut browser, &user_code).await;
    let done = decide(&house, &mut browser, &page, "no").await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(poll(&house, &device_code).await.error(), "access_denied");
    // Another client's, unknown, malformed.
    let (device_code, user_code) = codes(&house).await;
    let fields = [("grant_type", GRANT), ("device_code", device_code.as_str())];
    let other = house.post("/oauth2/token", &[basic("own", SECRET)], &fields).await;
    assert_eq!(other.error(), "invalid_grant");
    let mut changed = device_code.clone();
    changed.replace_range(changed.len() - 1.., if changed.ends_with('A') { "B" } else { "A" });
    for wrong in [changed.as_str(), "tbd_x", ""] {
        let error = poll(&house, wrong).await.error();
        assert_eq!(error, if wrong.is_empty() { "invalid_request" } else { "invalid_grant" });
    }
    // Single use, also of two at once.
    let page = enter(&house, &mut browser, &user_code).await;
    decide(&house, &mut browser, &page, "yes").await;
    let house = std::sync::Arc::new(house);
    let both = [(); 2].map(|()| {
        let (house, code) = (house.clone(), device_code.clone());
        tokio::spawn(async move { poll(&house, &code).await.status })
    });
    let mut won = 0;
    for one in both {
        won += u8::from(one.await.unwrap() == StatusCode::OK);
    }
    assert_eq!(won, 1);
    house.wait(60_000);
    assert_eq!(poll(&house, &device_code).await.error(), "invalid_grant");
    // Expired, decided or not.
    let (device_code, user_code) = codes(&house).await;
    let page = enter(&house, &mut browser, &user_code).await;
    house.wait(600_000);
    assert_eq!(poll(&house, &device_code).await.error(), "expired_token");
    let over = browser.get(&house, &page).await;
    assert_eq!(over.status, StatusCode::BAD_REQUEST);
    let late = browser.post(&house, "/device", &[], &[("user_code", &user_code)]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// The grant waits for its device a little longer than what is made of it lives.
async fn attack_10_a_devices_refresh_token_has_an_end(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let (device_code, user_code) = codes(&house).await;
    let page = enter(&house, &mut browser, &user_code).await;
    decide(&house, &mut browser, &page, "yes").await;
    let tokens = poll(&house, &device_code).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("client_id", "tv"), ("refresh_token", refresh)];
    house.wait(30 * 86_400_000);
    let late = house.post("/oauth2/token", &[], &fields).await;
    assert_eq!((late.status, late.error()), (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()));
}

async fn rfc_8628_3_1_only_registered_clients_ask_for_what_they_may(house: House) {
    registered(&house).await;
    let refused = ask(&house, &[("scope", "identity")]).await;
    assert_eq!(refused.error(), "invalid_scope");
    let refused = ask(&house, &[("scope", "\"")]).await;
    assert_eq!(refused.error(), "invalid_scope");
    let post = async |headers: &[(&'static str, String)], fields: &[(&str, &str)]| {
        house.post("/oauth2/device_authorization", headers, fields).await
    };
    assert_eq!(post(&[basic("a", SECRET)], &[]).await.error(), "unauthorized_client");
    assert_eq!(post(&[basic("own", "wrong")], &[]).await.error(), "invalid_client");
    assert_eq!(post(&[], &[("client_id", "own")]).await.error(), "invalid_client");
    assert_eq!(post(&[], &[]).await.error(), "invalid_client");
    // An officer's role is for the hall, never for a device.
    assert_eq!(post(&[basic("own", SECRET)], &[("scope", "staff")]).await.error(), "invalid_scope");
    assert_eq!(post(&[basic("own", SECRET)], &[]).await.status, StatusCode::OK);
    let metadata = house
        .send(http::Method::GET, "/.well-known/oauth-authorization-server", &[], "")
        .await
        .json();
    let at = format!("{ISSUER}/oauth2/device_authorization");
    assert_eq!(metadata["device_authorization_endpoint"], at);
    let grants: Vec<Value> = metadata["grant_types_supported"].as_array().unwrap().clone();
    assert!(grants.contains(&json!(GRANT)));
}

async fn attack_26_a_device_gets_nothing_of_a_shut_account(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let allowed = async |browser: &mut Browser| {
        let (device_code, user_code) = codes(&house).await;
        let page = enter(&house, browser, &user_code).await;
        decide(&house, browser, &page, "yes").await;
        device_code
    };
    // The gate alone: nothing was revoked.
    let device_code = allowed(&mut browser).await;
    house.set_state(AccountState::Active, AccountState::Frozen).await;
    let refused = poll(&house, &device_code).await;
    assert_eq!(refused.error(), "invalid_grant");
    assert!(refused.body.contains("cannot be used"), "{refused:?}");
    house.set_state(AccountState::Frozen, AccountState::Active).await;
    // Frozen between the decision and the question, and opened again: it was taken back.
    let device_code = allowed(&mut browser).await;
    let (db, now) = (house.state.db.clone(), house.state.now());
    assert!(pages::freeze(&db, "p1".to_owned(), false, now).await.unwrap());
    house.set_state(AccountState::Frozen, AccountState::Active).await;
    assert_eq!(poll(&house, &device_code).await.error(), "invalid_grant");
    // A shut account decides nothing.
    let (device_code, user_code) = codes(&house).await;
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    house.set_state(AccountState::Active, AccountState::Disabled).await;
    let begun = browser.post(&house, "/device", &[], &[("user_code", &user_code)]).await;
    let path = begun.location().to_owned();
    let told = browser.get(&house, &path).await;
    assert!(told.headers.get("location").is_none(), "{told:?}");
    assert_eq!(poll(&house, &device_code).await.error(), "access_denied");
}

/// A code that somebody sent: nothing happens before its page, which says what it is about.
async fn attack_31_no_device_is_allowed_silently_or_from_afar_unseen(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let (first, user_code) = codes(&house).await;
    // The link fills the field and decides nothing, for a signed-in person too.
    let filled = browser.get(&house, &format!("/device?user_code={user_code}")).await;
    assert!(filled.body.contains(&format!("value=\"{user_code}\"")), "{filled:?}");
    assert!(filled.body.contains("role=\"status\""), "warned before the code is sent");
    assert_eq!(poll(&house, &first).await.error(), "authorization_pending");
    let evil = browser.get(&house, "/device?user_code=%22%3E%3Cscript%3E").await;
    assert!(!evil.body.contains("<script"), "attack_37");
    let page = enter(&house, &mut browser, &user_code).await;
    let shown = browser.get(&house, &page).await;
    assert!(shown.body.contains("data-warning=\"device\"") && shown.body.contains("192.0.2.1"));
    assert_eq!(poll_later(&house, &first).await, "authorization_pending");
    decide(&house, &mut browser, &page, "yes").await;
    // What was allowed once allows no second device.
    let (second, user_code) = codes(&house).await;
    let page = enter(&house, &mut browser, &user_code).await;
    assert!(page.starts_with("/device/confirm?flow="), "{page}");
    assert_eq!(poll_later(&house, &second).await, "authorization_pending");
    // A house of the operator's own neither.
    let own = house.post("/oauth2/device_authorization", &[basic("own", SECRET)], &[]).await;
    let own = own.json()["user_code"].as_str().unwrap().to_owned();
    assert!(enter(&house, &mut browser, &own).await.starts_with("/device/confirm?flow="));
    // The page of a flow is of the browser that typed the code, and of our own site.
    let mut other = Browser::signed_in(&house).await;
    let stolen = other.post(&house, &page, &[], &[("confirm", "yes")]).await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST);
    let cross = [("sec-fetch-site", "cross-site".to_owned())];
    let forged = browser.post(&house, &page, &cross, &[("confirm", "yes")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert_eq!(poll_later(&house, &second).await, "authorization_pending");
    // The device of somebody far away: said in so many words.
    house.peer.store(77, Ordering::Relaxed);
    let (_, user_code) = codes(&house).await;
    house.peer.store(1, Ordering::Relaxed);
    let page = enter(&house, &mut browser, &user_code).await;
    let shown = browser.get(&house, &page).await;
    assert!(shown.body.contains("data-warning=\"elsewhere\"") && shown.body.contains("192.0.2.77"));
    // Once used, a code is nobody's.
    decide(&house, &mut browser, &page, "yes").await;
    let again = browser.post(&house, "/device", &[], &[("user_code", &user_code)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// The person takes her consent back between the decision and its end.
async fn attack_34_a_withdrawal_beside_an_allowed_device_holds(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let (device_code, user_code) = codes(&house).await;
    let page = enter(&house, &mut browser, &user_code).await;
    let decided = browser.post(&house, &page, &[], &[("confirm", "yes")]).await;
    house
        .write(|tx| {
            Box::pin(async move { idp_store::consent::withdraw(tx, "p1", "tv", 1).await.map(drop) })
        })
        .await;
    let told = browser.get(&house, decided.location()).await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    assert_eq!(poll_later(&house, &device_code).await, "authorization_pending");
    // The very same page again, and this time she stays with it.
    assert_eq!(decide(&house, &mut browser, &page, "yes").await.status, StatusCode::OK);
    house.wait(6_000);
    assert_eq!(poll(&house, &device_code).await.status, StatusCode::OK);
}

async fn poll_later(house: &House, device_code: &str) -> String {
    house.wait(6_000);
    poll(house, device_code).await.error()
}

async fn attack_32_user_codes_cannot_be_tried_out(house: House) {
    registered(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let (_, user_code) = codes(&house).await;
    // What can be no code is no try.
    for _ in 0..40 {
        let answer = browser.post(&house, "/device", &[], &[("user_code", "1234")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Right ones cost nothing: a family behind one address connects its devices.
    for _ in 0..31 {
        enter(&house, &mut browser, &user_code).await;
    }
    for _ in 0..30 {
        let answer = browser.post(&house, "/device", &[], &[("user_code", "BBBB-BBBB")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    }
    // Then even the right one is refused here, and serves elsewhere.
    let right = browser.post(&house, "/device", &[], &[("user_code", &user_code)]).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(right.body.contains("role=\"alert\""));
    house.peer.store(2, Ordering::Relaxed);
    enter(&house, &mut browser, &user_code).await;
    house.peer.store(1, Ordering::Relaxed);
    // A device code is no code that anybody can try, and asking for codes has its limit.
    let mut seen = std::collections::BTreeSet::new();
    let limited = loop {
        let answer = ask(&house, &[]).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        assert!(seen.insert(answer.json()["user_code"].as_str().unwrap().to_owned()));
        assert!(answer.json()["device_code"].as_str().unwrap().len() > 60);
        assert!(seen.len() < 500);
    };
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    house.wait(60_000);
    assert_eq!(ask(&house, &[]).await.status, StatusCode::OK);
}

super::house::on_both! {
    rfc_8628_3_a_device_waits_is_allowed_and_signs_in;
    rfc_8628_3_5_codes_end_and_are_their_clients;
    attack_10_a_devices_refresh_token_has_an_end;
    rfc_8628_3_1_only_registered_clients_ask_for_what_they_may;
    attack_26_a_device_gets_nothing_of_a_shut_account;
    attack_31_no_device_is_allowed_silently_or_from_afar_unseen;
    attack_32_user_codes_cannot_be_tried_out;
    attack_34_a_withdrawal_beside_an_allowed_device_holds;
}
