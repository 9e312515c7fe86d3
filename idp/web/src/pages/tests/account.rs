//! `/account`.

use super::site::{PASSWORD, PHONE, Site};
use crate::testing::on_both;

async fn a_person_sees_who_they_are_masked_and_ends_sessions(site: Site) {
    site.citizen().await;
    let (mut here, mut there) = (site.browser(), site.browser());
    here.sign_in("lin", PASSWORD).await.is(303);
    site.pass(1000);
    there.sign_in("lin", PASSWORD).await.is(303);
    let page = here.get("/account").await;
    page.is(200).has("data-signed-in").has("林**").has("139****3456").has("359*************2");
    page.lacks(PHONE).lacks(&Site::number(2));
    assert_eq!(page.body.matches("data-session>").count(), 2);
    let ids: Vec<&str> = page
        .body
        .split("name=\"session\" value=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    let other = ids.iter().find(|id| !here.cookies.values().any(|value| value.contains(**id)));
    let answer = here.post("/account/sessions/end", &[("session", other.unwrap())]).await;
    here.follow(&answer).await.is(200).has("alert-success");
    there.get("/account").await.is(303);
    here.get("/account").await.is(200);
    // Somebody else's session is not theirs to end.
    site.officer().await;
    here.post("/account/sessions/end", &[("session", "none")]).await.is(303);
    // Ending one's own is signing out.
    let own = ids.iter().find(|id| *id != other.unwrap()).unwrap();
    let answer = here.post("/account/sessions/end", &[("session", own)]).await;
    assert!(answer.location().starts_with("/signin"));
    here.get("/account").await.is(303);
}

async fn the_trail_is_shown_page_by_page_and_taken_away(site: Site) {
    let person = site.citizen().await;
    let mut browser = site.browser();
    for _ in 0..55 {
        browser.sign_in("lin", PASSWORD).await.is(303);
    }
    let first = browser.get("/account/audit").await;
    first.is(200).has("data-event=\"sign_in\"").has("<time datetime=").lacks("registered");
    let (_, rest) = first.body.split_once("/account/audit?before=").expect("an older page");
    let before = rest.split_once('"').unwrap().0;
    let second = browser.get(&format!("/account/audit?before={before}")).await;
    second.is(200).has("data-event=\"registered\"").lacks("?before=");
    let export = browser.get("/account/audit.json").await;
    let export: serde_json::Value = serde_json::from_str(&export.is(200).body).unwrap();
    let lines = export["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 56);
    assert!(lines.iter().all(|line| line["hash"].as_str().is_some_and(|hash| hash.len() == 64)));
    // Nobody else's.
    site.browser().get("/account/audit.json").await.is(303);
    assert!(!person.is_empty());
}

async fn a_failed_sign_in_stands_in_the_persons_trail(site: Site) {
    site.citizen().await;
    site.browser().sign_in("lin", "wrong password").await.is(422);
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    // It is written aside; the writer takes units in order, so one more write comes after it.
    for _ in 0..200 {
        browser.post("/account/language", &[("language", "zh-CN")]).await.is(303);
        if browser.get("/account/audit").await.body.contains("data-event=\"sign_in_failed\"") {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the line is missing");
}

async fn a_new_password_signs_other_devices_out(site: Site) {
    site.citizen().await;
    let (mut here, mut there) = (site.browser(), site.browser());
    here.sign_in("lin", PASSWORD).await.is(303);
    there.sign_in("lin", PASSWORD).await.is(303);
    let change = |old: &'static str, new: &'static str| [("password", old), ("new_password", new)];
    let page = here.post("/account/password", &change("wrong", "another horse battery")).await;
    page.is(422).has("password-error").lacks("another horse");
    here.post("/account/password", &change(PASSWORD, "12345678"))
        .await
        .is(422)
        .has("new_password-error");
    here.post("/account/password", &change(PASSWORD, PHONE)).await.is(422);
    let answer = here.post("/account/password", &change(PASSWORD, "another horse battery")).await;
    here.follow(&answer).await.is(200).has("data-signed-in").has("alert-success");
    there.get("/account").await.is(303);
    site.browser().sign_in("lin", PASSWORD).await.is(422);
    site.browser().sign_in("lin", "another horse battery").await.is(303);
}

async fn a_borrowed_session_cannot_try_out_the_password(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let wrong = [("password", "wrong"), ("new_password", "another horse battery")];
    for _ in 0..10 {
        browser.post("/account/password", &wrong).await.is(422);
    }
    let right = [("password", PASSWORD), ("new_password", "another horse battery")];
    browser.post("/account/password", &right).await.is(422);
    site.browser().sign_in("lin", PASSWORD).await.is(303);
}

async fn the_language_follows_the_person(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    browser.get("/account").await.has("lang=\"zh-CN\"").has("我的账户");
    let answer = browser.post("/account/language", &[("language", "en")]).await;
    browser.follow(&answer).await.has("<html lang=\"en\"").has("My account");
    browser.get("/account?lang=zh-CN").await.has("我的账户");
    browser.get("/account").await.has("我的账户");
    browser.post("/account/language", &[("language", "xx")]).await.is(400);
}

on_both! { Site:
    a_person_sees_who_they_are_masked_and_ends_sessions;
    the_trail_is_shown_page_by_page_and_taken_away;
    a_failed_sign_in_stands_in_the_persons_trail;
    a_new_password_signs_other_devices_out;
    a_borrowed_session_cannot_try_out_the_password;
    the_language_follows_the_person;
}
