//! Sessions, registrations and pruning: what stands behind the endpoints.

use idp_protocol::acr::Reached;
use serde_json::{Value, json};

use super::house::{BACK, Browser, House, claims};
use crate::clients::{self, Refused};
use crate::flow;
use crate::oidc::authorize::resume::issue;
use crate::session::{self, Arrival, NewSession, Who};

async fn stands(house: &House, browser: &Browser) -> bool {
    session::current(&house.state, &browser.headers()).await.unwrap().is_some()
}

async fn a_session_ends_by_idleness_and_by_age(house: House) {
    let browser = Browser::signed_in(&house).await;
    house.wait(60 * 60_000 - 1);
    assert!(stands(&house, &browser).await);
    // Used, so idleness begins anew; not used, so it ends.
    house.wait(59 * 60_000);
    assert!(stands(&house, &browser).await);
    house.wait(60 * 60_000);
    assert!(!stands(&house, &browser).await);
    let browser = Browser::signed_in(&house).await;
    for _ in 0..13 {
        house.wait(55 * 60_000);
        assert!(stands(&house, &browser).await);
    }
    house.wait(6 * 60_000);
    assert!(!stands(&house, &browser).await, "twelve hours in all");
}

/// OpenID Connect Core §2: `auth_time`, `amr` and the level tell of one and the same proof. A
/// partner that asked for a fresh sign-in must not be told yesterday's second factor.
async fn core_2_a_renewed_session_says_what_was_proven_now(house: House) {
    let mut browser = Browser::default();
    let who = || Who::Citizen("p1".into());
    let strong = NewSession { who: who(), auth_level: 2, amr: vec!["pwd".into(), "sms".into()] };
    browser.sign_in_with(&house, strong).await;
    let told = async |browser: &mut Browser| {
        let tokens = browser.tokens(&house, &[("acr_values", "urn:tongban:auth:1")]).await;
        claims(tokens["id_token"].as_str().unwrap())
    };
    let first = told(&mut browser).await;
    assert_eq!((&first["auth_level"], &first["amr"]), (&json!(2), &json!(["pwd", "sms"])));
    house.wait(600_000);
    browser.sign_in(&house, who()).await;
    let second = told(&mut browser).await;
    assert_eq!((&second["auth_level"], &second["amr"]), (&json!(1), &json!(["pwd"])));
    assert_eq!(second["acr"], "urn:tongban:auth:1");
    let later = |first: &Value| first["auth_time"].as_i64().unwrap() + 600;
    assert_eq!(second["auth_time"], later(&first));
    // What a new proof does not show, it does not satisfy either.
    let asked = browser.authorize(&house, &[("acr_values", "urn:tongban:auth:2")]).await;
    assert!(asked.location().starts_with("/stepup?flow="), "{asked:?}");
}

/// A sign-out between the decision to issue and the issuing holds: nothing hangs on an ended
/// session, where no later sign-out would find it.
async fn a_sign_out_beside_an_issuing_holds(house: House) {
    let mut browser = Browser::default();
    let begun = browser.authorize(&house, &[]).await;
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    let id = begun.location().split_once("flow=").unwrap().1;
    let waiting = flow::load(&house.state, &browser.headers(), id).await.unwrap().unwrap();
    let session = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    session::end(&house.state, &session.id, &session.who, "sign_out").await.unwrap();
    let reached = Reached { proofing: 3, auth: 1 };
    let answer = issue(&house.state, &browser.headers(), &waiting, &session, reached).await;
    assert_eq!(answer.unwrap().status(), http::StatusCode::BAD_REQUEST);
}

/// The withdrawal comes between the look at the consent and the issuing.
async fn attack_34_a_withdrawal_beside_an_issuing_holds(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let b = [("client_id", "b"), ("redirect_uri", "https://b.example/cb")];
    let asked = browser.authorize(&house, &[b[0], b[1], ("scope", "openid phone")]).await;
    let id = asked.location().split_once("flow=").unwrap().1;
    let waiting = flow::load(&house.state, &browser.headers(), id).await.unwrap().unwrap();
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    let session = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    house
        .write(|tx| {
            Box::pin(async move { idp_store::consent::withdraw(tx, "p1", "b", 1).await.map(drop) })
        })
        .await;
    let reached = Reached { proofing: 3, auth: 1 };
    let answer = issue(&house.state, &browser.headers(), &waiting, &session, reached).await;
    assert_eq!(answer.unwrap().status(), http::StatusCode::BAD_REQUEST);
    // The very same with a consent that stands.
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    let answer = issue(&house.state, &browser.headers(), &waiting, &session, reached).await;
    assert_eq!(answer.unwrap().status(), http::StatusCode::SEE_OTHER);
}

async fn a_sign_in_beside_a_sign_out_begins_another_session(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let before = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    // Again as the same person: the same session, an honest level.
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    let again = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert_eq!((&again.id, again.auth_level), (&before.id, 1));
    session::end(&house.state, &before.id, &before.who, "sign_out").await.unwrap();
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    let after = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert_ne!(after.id, before.id);
}

/// The sign-out comes between the look at the browser's session and the writing of the new one.
async fn attack_21_a_sign_in_that_a_sign_out_overtakes_is_another_session(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let before = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    let new = NewSession { who: before.who.clone(), auth_level: 1, amr: vec!["pwd".into()] };
    let arrival = Arrival::new(&house.state, &browser.headers(), Some(before.clone()), new.clone());
    session::end(&house.state, &before.id, &before.who, "sign_out").await.unwrap();
    let old = browser.clone();
    browser.take_all(arrival.keep(&house.state).await.unwrap());
    let after = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert_ne!(after.id, before.id);
    // What was signed out stays so.
    assert!(!stands(&house, &old).await);
    // Without a sign-out in between it is the same session, with another secret.
    let arrival = Arrival::new(&house.state, &browser.headers(), Some(after.clone()), new);
    let old = browser.clone();
    browser.take_all(arrival.keep(&house.state).await.unwrap());
    let renewed = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert_eq!(renewed.id, after.id);
    assert!(!stands(&house, &old).await, "attack_20");
}

async fn a_person_sees_and_ends_their_own_sessions_only(house: House) {
    house.person("p2", 2).await;
    let (one, two) = (Browser::signed_in(&house).await, Browser::signed_in(&house).await);
    let mut other = Browser::default();
    other.sign_in(&house, Who::Citizen("p2".into())).await;
    let own = session::of_person(&house.state, "p1").await.unwrap();
    assert_eq!(own.len(), 2);
    let foreign = session::of_person(&house.state, "p2").await.unwrap().remove(0);
    let who = Who::Citizen("p1".into());
    let ended = session::end(&house.state, &foreign.id, &who, "session_ended").await.unwrap();
    assert!(!ended && stands(&house, &other).await);
    let first = session::current(&house.state, &one.headers()).await.unwrap().unwrap();
    assert!(session::end(&house.state, &first.id, &who, "session_ended").await.unwrap());
    assert!(!stands(&house, &one).await && stands(&house, &two).await);
    session::end_all(&house.state, "p1").await.unwrap();
    assert!(!stands(&house, &two).await && stands(&house, &other).await);
}

async fn this_was_not_me_ends_every_token_at_once(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[("scope", "openid offline_access")]).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert!(house.active(access).await);
    session::end_all(&house.state, "p1").await.unwrap();
    assert!(!house.active(access).await);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(house.refresh(refresh).await.error(), "invalid_grant");
}

async fn the_trail_tells_what_happened_and_verifies(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    browser.tokens(&house, &[]).await;
    let now = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    session::end(&house.state, &now.id, &now.who, "sign_out").await.unwrap();
    let (lines, broken) = house
        .state
        .db
        .read("test", |tx: &mut idp_store::Tx| {
            Box::pin(async move {
                let lines = idp_store::audit::list(tx, "p1", i64::MAX, 10).await?;
                let (_, broken) = idp_store::audit::verify(tx, "").await?;
                Ok::<_, idp_store::StoreError>((lines, broken))
            })
        })
        .await
        .unwrap();
    let told: Vec<(&str, &str)> =
        lines.iter().map(|line| (line.kind.as_str(), line.actor.as_str())).collect();
    assert_eq!(told, [("sign_out", "self"), ("claims_released", "a"), ("sign_in", "self")]);
    assert_eq!(lines[1].details["groups"], json!(["profile", "phone", "identity"]));
    assert_eq!(broken, None);
}

async fn registrations_are_checked_whole_and_secrets_shown_once(house: House) {
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    let made = json!({"redirect_uris": [BACK], "scope": "openid"});
    let printed = clients::create(db, ambient, made.clone()).await.unwrap();
    let (id, secret) =
        (printed["client_id"].as_str().unwrap(), printed["client_secret"].as_str().unwrap());
    assert!(secret.len() >= 43 && printed["client_secret_expires_at"] == 0);
    let shown = clients::show(db, id).await.unwrap().unwrap();
    assert!(!serde_json::to_string(&shown).unwrap().contains(secret));
    let mut same = made.clone();
    same["client_id"] = json!(id);
    assert!(matches!(clients::create(db, ambient, same.clone()).await, Err(Refused::Taken)));
    // An update is checked like a creation, and keeps the secret.
    let mut bad = same.clone();
    bad["redirect_uris"] = json!(["http://evil.example/"]);
    assert!(matches!(clients::update(db, ambient, bad).await, Err(Refused::Faults(_))));
    let updated = clients::update(db, ambient, same.clone()).await.unwrap();
    assert!(updated.get("client_secret").is_none());
    let short = json!({"redirect_uris": [BACK], "client_secret": "short"});
    assert!(matches!(clients::create(db, ambient, short).await, Err(Refused::Faults(_))));
    // Whoever brings a secret may bring one of a test suite's length; never a word.
    for (length, accepted) in [(15, false), (16, true)] {
        let given = json!({"redirect_uris": [BACK], "client_secret": "s".repeat(length)});
        assert_eq!(clients::create(db, ambient, given).await.is_ok(), accepted, "{length}");
    }
    assert!(clients::delete(db, ambient, id).await.unwrap());
    assert!(!clients::delete(db, ambient, id).await.unwrap());
    assert!(matches!(clients::update(db, ambient, same).await, Err(Refused::Unknown)));
}

async fn a_deleted_client_is_refused_within_seconds(house: House) {
    let tokens = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(clients::delete(db, ambient, "a").await.unwrap());
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.status, http::StatusCode::UNAUTHORIZED);
    house.wait(2_000);
    let answer = house.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(answer.error(), "invalid_client");
}

async fn what_has_expired_is_removed_in_steps(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    browser.tokens(&house, &[]).await;
    let now = house.state.now();
    let step = async |at: i64| -> u64 {
        house
            .state
            .db
            .write("test", move |tx: &mut idp_store::Tx| {
                Box::pin(async move { idp_store::prune::round(tx, at).await })
            })
            .await
            .unwrap()
    };
    assert_eq!(step(now).await, 0, "nothing that lives is touched");
    let year = now + 365 * 86_400_000;
    // A flow, a code, a session, a family, a grant, and what the network was counted by.
    assert_eq!(step(year).await, 6);
    assert_eq!(step(year).await, 0);
}

super::house::on_both! {
    a_session_ends_by_idleness_and_by_age;
    core_2_a_renewed_session_says_what_was_proven_now;
    a_sign_out_beside_an_issuing_holds;
    attack_34_a_withdrawal_beside_an_issuing_holds;
    a_sign_in_beside_a_sign_out_begins_another_session;
    attack_21_a_sign_in_that_a_sign_out_overtakes_is_another_session;
    a_person_sees_and_ends_their_own_sessions_only;
    this_was_not_me_ends_every_token_at_once;
    the_trail_tells_what_happened_and_verifies;
    registrations_are_checked_whole_and_secrets_shown_once;
    a_deleted_client_is_refused_within_seconds;
    what_has_expired_is_removed_in_steps;
}
