//! Signing in: what is refused and how it is told.

use crate::dump::holds_nothing_of;
use tests_kit::{Browser, Deployment};

const SUBMIT: &str = "form:has(input[name=identifier]) button[type=submit]";

async fn a_failed_try_keeps_the_name_and_tells_nothing_about_it(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let nobody = &on.person(5).phone;
    let mut said = Vec::new();
    for name in [&citizen.person.phone, nobody] {
        let mut browser = Browser::speaking("en");
        browser.open(&on.at("/signin")).await.fine();
        let tried = [("identifier", name.as_str()), ("password", "not the password")];
        let page = browser.press(SUBMIT, &tried).await;
        assert!((400..500).contains(&page.status) || page.status == 200, "{}", page.told());
        assert!(page.text.contains("<html lang=\"en\""), "{}", page.text);
        said.push(page.alert().expect("an alert"));
        let form = browser.form(SUBMIT);
        assert_eq!(form.value("identifier"), Some(name.as_str()), "what was typed is lost");
        assert_eq!(form.value("password").unwrap_or_default(), "", "but not the password");
    }
    assert_eq!(said[0], said[1], "attack: who has an account is not told");
    let trail = on.trail(&citizen.id).await;
    assert!(trail.contains(&"sign_in_failed".to_owned()), "{trail:?}");
}

async fn an_officer_needs_the_second_factor_and_a_code_serves_once(on: Deployment) {
    let officer = on.officer("chen", "officer").await;
    let mut browser = Browser::default();
    browser.open(&on.at("/signin")).await.fine();
    let fields = [("identifier", officer.user_name.as_str()), ("password", officer.password)];
    browser.press(SUBMIT, &fields).await;
    let page = browser.open(&on.at("/account")).await;
    assert!(page.has("input[name=identifier]"), "half signed in is not in: {}", page.told());

    let mut browser = Browser::default();
    browser.open(&on.at("/signin")).await.fine();
    browser.sign_in_as_staff(&officer, on.now()).await.fine();
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-signed-in]"), "{}", page.told());

    // RFC 6238 §5.2: the same code does not serve again.
    let mut thief = Browser::default();
    thief.open(&on.at("/signin")).await.fine();
    let page = thief.sign_in_as_staff(&officer, on.now()).await;
    assert!(page.alert().is_some(), "{}", page.told());
    on.clock.turn(30_000);
    let code = officer.code(on.now());
    let form = "form:has(input[name=code]) button[type=submit]";
    thief.press(form, &[("code", &code)]).await.fine();
}

async fn a_session_ends_by_itself(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    browser.open(&on.at("/signin")).await.fine();
    browser.sign_in(&citizen).await.fine();
    assert!(browser.open(&on.at("/account")).await.fine().has("[data-signed-in]"));
    on.clock.turn(366 * 86_400_000);
    let page = browser.open(&on.at("/account")).await;
    assert!(page.has("input[name=identifier]"), "{}", page.told());
}

async fn the_database_of_a_signed_in_citizen_holds_nothing_plain(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    let party = on.relying_party(serde_json::json!({})).await;
    let arrived = on.arrive(&mut browser, &party, "openid profile phone offline_access", &citizen);
    let arrived = arrived.await;
    let answer = party.redeem(&arrived.code, &arrived.asked.verifier).await;
    let tokens = ["access_token", "refresh_token"].map(|name| answer.text(name).to_owned());
    on.register(&mut Browser::default(), on.person(6), "a lotus in the rain 7").await;
    let session = browser.cookie(&on.issuer, "tongban_idp").expect("a session");
    let mut secrets = vec![arrived.code, session, tokens[0].clone(), tokens[1].clone()];
    for person in [citizen.person, on.person(6)] {
        secrets.extend([person.number.clone(), person.phone.clone(), person.name.clone()]);
    }
    let secrets: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
    holds_nothing_of(&on, &secrets);
}

tests_kit::on_both! {
    a_failed_try_keeps_the_name_and_tells_nothing_about_it;
    an_officer_needs_the_second_factor_and_a_code_serves_once;
    a_session_ends_by_itself;
    the_database_of_a_signed_in_citizen_holds_nothing_plain;
}
