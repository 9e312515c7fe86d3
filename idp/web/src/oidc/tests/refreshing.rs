//! Refresh tokens (attacks rows 9, 10, 26, 48).

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use idp_domain::citizen::account::AccountState;
use idp_store::{StoreError, args, statement};
use serde_json::Value;

use super::house::{Browser, House, SECRET, claims};
use crate::testing::holds;

async fn tokens(house: &House) -> Value {
    Browser::signed_in(house).await.tokens(house, &[("nonce", "n")]).await
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

async fn core_12_2_a_refresh_keeps_who_and_when(house: House) {
    let before = tokens(&house).await;
    house.wait(120_000);
    let answer = house.refresh(text(&before, "refresh_token")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let after = answer.json();
    assert_ne!(text(&before, "refresh_token"), text(&after, "refresh_token"));
    assert_ne!(text(&before, "access_token"), text(&after, "access_token"));
    let (old, new) = (claims(text(&before, "id_token")), claims(text(&after, "id_token")));
    for name in ["iss", "sub", "aud", "auth_time", "sid", "acr"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert_eq!(new["iat"].as_i64(), old["iat"].as_i64().map(|at| at + 120));
    assert!(new["nonce"].is_null());
    assert!(house.active(text(&after, "refresh_token")).await);
    assert!(!house.active(text(&before, "refresh_token")).await);
}

async fn attack_09_a_retry_gets_the_same_answer_and_a_reuse_ends_the_family(house: House) {
    let first = tokens(&house).await;
    let first = text(&first, "refresh_token");
    let second = house.refresh(first).await.json();
    // The answer was lost: the same client asks again at once.
    house.wait(29_999);
    let again = house.refresh(first).await.json();
    assert_eq!(text(&second, "refresh_token"), text(&again, "refresh_token"));
    house.wait(1);
    assert_eq!(house.refresh(first).await.error(), "invalid_grant");
    // Whoever holds the newest one cannot go on either.
    assert_eq!(house.refresh(text(&second, "refresh_token")).await.error(), "invalid_grant");
    assert!(!house.active(text(&again, "access_token")).await);
}

async fn attack_09_a_token_two_rotations_old_ends_the_family_at_once(house: House) {
    let first = tokens(&house).await;
    let second = house.refresh(text(&first, "refresh_token")).await.json();
    let third = house.refresh(text(&second, "refresh_token")).await.json();
    assert_eq!(house.refresh(text(&first, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(house.refresh(text(&third, "refresh_token")).await.error(), "invalid_grant");
}

async fn attack_09_parallel_retries_get_one_successor(house: House) {
    let house = std::sync::Arc::new(house);
    let first = tokens(&house).await;
    let first = text(&first, "refresh_token").to_owned();
    let tries = (0..8).map(|_| {
        let (house, first) = (house.clone(), first.clone());
        tokio::spawn(async move { house.refresh(&first).await.json() })
    });
    let mut successors = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        successors.push(text(&one.await.unwrap(), "refresh_token").to_owned());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(house.refresh(&successors[0]).await.status, StatusCode::OK);
}

statement!(
    CUT,
    // There is nobody to cut in an embedded database.
    "select 1 as n",
    postgres: "select count(pg_terminate_backend(pid)) as n from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()"
);

/// Connections break under rotations: nobody is taken for a thief because of it, and a client that
/// is told of a fault of ours asks again.
async fn attack_09_a_rotation_whose_connection_broke_is_no_reuse(house: House) {
    let house = std::sync::Arc::new(house);
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let mut families = Vec::new();
    for _ in 0..6 {
        families.push(text(&tokens(&house).await, "refresh_token").to_owned());
    }
    let (db, done) = (house.state.db.clone(), over.clone());
    let cutting = tokio::spawn(async move {
        while !done.load(Ordering::Relaxed) {
            let cut = db.read::<_, StoreError, _>("cut", |tx| {
                Box::pin(async move { tx.all(&CUT, args![]).await })
            });
            let _ = cut.await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let chains = families.into_iter().map(|mut token| {
        let house = house.clone();
        tokio::spawn(async move {
            let mut rotated = 0;
            while rotated < 20 {
                let answer = house.refresh(&token).await;
                if answer.status == StatusCode::OK {
                    text(&answer.json(), "refresh_token").clone_into(&mut token);
                    rotated += 1;
                } else {
                    assert_eq!(answer.error(), "server_error", "after {rotated}");
                }
            }
        })
    });
    for chain in chains.collect::<Vec<_>>() {
        chain.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    cutting.await.unwrap();
}

async fn attack_10_absolute_expiry_scope_and_client_hold(house: House) {
    let first = tokens(&house).await;
    let first = text(&first, "refresh_token");
    let refresh = ("grant_type", "refresh_token");
    let wider = [refresh, ("refresh_token", first), ("scope", "openid cases")];
    assert_eq!(house.token(&wider).await.error(), "invalid_scope");
    let stolen = [refresh, ("refresh_token", first), ("client_id", "b"), ("client_secret", SECRET)];
    let answer = house.post("/oauth2/token", &[], &stolen).await;
    assert_eq!(answer.error(), "invalid_grant");
    // Narrower for one access token; the grant stays what it was.
    let narrower = [refresh, ("refresh_token", first), ("scope", "openid")];
    let narrow = house.token(&narrower).await.json();
    assert_eq!(text(&narrow, "scope"), "openid");
    let whole = house.refresh(text(&narrow, "refresh_token")).await.json();
    assert_eq!(text(&whole, "scope"), "openid profile phone identity");
    let mut last = text(&whole, "refresh_token").to_owned();
    for _ in 0..3 {
        house.wait(9 * 86_400_000);
        last = text(&house.refresh(&last).await.json(), "refresh_token").to_owned();
    }
    house.wait(3 * 86_400_000);
    assert_eq!(house.refresh(&last).await.error(), "invalid_grant", "30 days in all");
}

async fn attack_10_what_the_registration_loses_is_refreshed_no_more(house: House) {
    let claims = r#"{"userinfo":{"email":null}}"#;
    let mut browser = Browser::signed_in(&house).await;
    let first = browser.tokens(&house, &[("claims", claims)]).await;
    // Narrowed by the client itself: claims by name are narrowed as well.
    let refresh = ("grant_type", "refresh_token");
    let narrow =
        [refresh, ("refresh_token", text(&first, "refresh_token")), ("scope", "openid phone")];
    let narrow = house.token(&narrow).await.json();
    let userinfo = house.userinfo(text(&narrow, "access_token")).await.json();
    assert!(userinfo["phone_number"].is_string());
    assert!(userinfo["email"].is_null() && userinfo["name"].is_null(), "{userinfo}");
    // Narrowed by the operator.
    let less = serde_json::json!({"client_id": "a", "redirect_uris": [super::house::BACK],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile"});
    crate::clients::update(&house.state.db, &house.state.ambient, less).await.unwrap();
    house.state.clients.forget();
    let after = house.refresh(text(&narrow, "refresh_token")).await.json();
    assert_eq!(text(&after, "scope"), "openid profile");
    let none = serde_json::json!({"client_id": "a", "redirect_uris": [super::house::BACK],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "cases"});
    crate::clients::update(&house.state.db, &house.state.ambient, none).await.unwrap();
    house.state.clients.forget();
    let nothing = house.refresh(text(&after, "refresh_token")).await;
    assert_eq!(
        (nothing.status, nothing.error()),
        (StatusCode::BAD_REQUEST, "invalid_grant".into())
    );
}

async fn attack_09_a_reuse_is_told_to_the_person(house: House) {
    let first = tokens(&house).await;
    let first = text(&first, "refresh_token");
    house.refresh(first).await;
    house.wait(60_000);
    assert_eq!(house.refresh(first).await.error(), "invalid_grant");
    let newest = house
        .state
        .db
        .read("test", |tx: &mut idp_store::Tx| {
            Box::pin(async move { idp_store::audit::list(tx, "p1", i64::MAX, 1).await })
        })
        .await
        .unwrap()
        .remove(0);
    assert_eq!((newest.kind.as_str(), newest.actor.as_str()), ("token_reused", "a"));
}

async fn attack_26_a_frozen_account_gets_nothing_by_any_grant(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    let code = browser.code(&house, &[]).await;
    house.set_state(AccountState::Active, AccountState::Frozen).await;
    assert_eq!(house.refresh(text(&tokens, "refresh_token")).await.error(), "invalid_grant");
    assert_eq!(house.redeem(&code).await.error(), "invalid_grant");
    let userinfo = house.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(userinfo.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.authorize(&house, &[]).await.query()["error"], "access_denied");
}

async fn attack_48_the_database_holds_no_token(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let code = browser.code(&house, &[("nonce", "n")]).await;
    let tokens = house.redeem(&code).await.json();
    let next = house.refresh(text(&tokens, "refresh_token")).await.json();
    let mut secrets = vec![SECRET.to_owned(), code[26..].to_owned()];
    for tokens in [&tokens, &next] {
        secrets.push(text(tokens, "refresh_token")[26..].to_owned());
        secrets.push(text(tokens, "access_token").to_owned());
        secrets.push(text(tokens, "id_token").to_owned());
    }
    secrets.extend(browser.0.values().map(|cookie| cookie[26..].to_owned()));
    let bytes = house.bytes().await;
    assert!(holds(&bytes, "a.example"), "what is no secret is found");
    for secret in &secrets {
        assert!(!holds(&bytes, secret));
    }
}

super::house::on_both! {
    core_12_2_a_refresh_keeps_who_and_when;
    attack_09_a_retry_gets_the_same_answer_and_a_reuse_ends_the_family;
    attack_09_a_token_two_rotations_old_ends_the_family_at_once;
    attack_09_parallel_retries_get_one_successor;
    attack_09_a_rotation_whose_connection_broke_is_no_reuse;
    attack_10_absolute_expiry_scope_and_client_hold;
    attack_10_what_the_registration_loses_is_refreshed_no_more;
    attack_09_a_reuse_is_told_to_the_person;
    attack_26_a_frozen_account_gets_nothing_by_any_grant;
    attack_48_the_database_holds_no_token;
}
