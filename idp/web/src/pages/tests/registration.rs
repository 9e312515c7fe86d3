//! `/register` from the phone to the account.

use idp_domain::citizen::port::{Match, Unavailable};
use std::sync::atomic::Ordering;

use super::site::{Browser, CARD, PASSWORD, PHONE, Shown, Site};
use crate::testing::{holds, on_both};

async fn to_identity(site: &Site, browser: &mut Browser, phone: &str) {
    let answer = browser.post("/register", &[("phone", phone)]).await;
    browser.follow(&answer).await.is(200).has("name=\"code\"").has("139****");
    let code = site.code().await;
    let answer = browser.post("/register/code", &[("code", &code)]).await;
    browser.follow(&answer).await.is(200).has("name=\"new_password\"");
    let answer = browser.post("/register/password", &[("new_password", PASSWORD)]).await;
    browser.follow(&answer).await.is(200).has("name=\"evidence_kind\"");
}

async fn identity(browser: &mut Browser, number: &str, card: &str) -> Shown {
    let fields = [
        ("name", "林小满"),
        ("number", number),
        ("evidence_kind", "social_security_card"),
        ("evidence", card),
    ];
    browser.post("/register/identity", &fields).await
}

async fn a_citizen_registers_and_stands_at_level_3(site: Site) {
    let mut browser = site.browser();
    browser.get("/register").await.is(200).has("name=\"phone\"");
    to_identity(&site, &mut browser, PHONE).await;
    let answer = identity(&mut browser, &Site::number(2), CARD).await;
    assert_eq!(answer.location(), "/account");
    let page = browser.follow(&answer).await;
    page.is(200).has("data-signed-in").has("data-proofing=\"3\"").has("359*************2");
    page.lacks(&Site::number(2)).lacks(PHONE).has("data-event=\"registered\"");
    let mut other = site.browser();
    let answer = other.sign_in(&Site::number(2), PASSWORD).await;
    other.follow(&answer).await.is(200).has("data-signed-in");
}

async fn attack_23_no_page_skips_the_verified_phone(site: Site) {
    let mut browser = site.browser();
    for path in ["/register/password", "/register/identity", "/register/code", "/register/exists"] {
        assert_eq!(browser.get(path).await.is(303).location(), "/register", "{path}");
    }
    let answer = browser.post("/register/password", &[("new_password", PASSWORD)]).await;
    assert_eq!(answer.is(303).location(), "/register");
    // With a code under way, but not given back.
    browser.post("/register", &[("phone", PHONE)]).await.is(303);
    let answer = browser.post("/register/password", &[("new_password", PASSWORD)]).await;
    assert_eq!(answer.is(303).location(), "/register/code");
    let answer = identity(&mut browser, &Site::number(2), CARD).await;
    assert_eq!(answer.is(303).location(), "/register/code");
    assert_eq!(site.register.asked.load(Ordering::Relaxed), 0);
    // Nor does a journey of registration serve to recover.
    assert_eq!(browser.get("/recover/password").await.is(303).location(), "/recover");
}

async fn each_fault_has_its_own_sentence_and_typing_is_kept(site: Site) {
    let mut browser = site.browser();
    to_identity(&site, &mut browser, PHONE).await;
    let mut sentences = std::collections::BTreeSet::new();
    for number in [
        "",
        "35990119900101",
        "359901900101001",
        "35990119900101A011",
        "359901199002300017",
        "359901203001010018",
        "359901199001010012",
    ] {
        let page = identity(&mut browser, number, CARD).await;
        page.is(422).has("role=\"alert\"").has("aria-invalid=\"true\"").has("林小满").has(CARD);
        page.has("aria-describedby=\"number-error number-hint\"");
        let (_, rest) = page.body.split_once("id=\"number-error\">").expect("a sentence");
        sentences.insert(rest.split_once('<').unwrap().0.to_owned());
    }
    assert_eq!(sentences.len(), 7);
    identity(&mut browser, &Site::number(2), "x").await.is(422).has("evidence-error");
    assert_eq!(site.register.asked.load(Ordering::Relaxed), 0);
    browser.language = "en";
    identity(&mut browser, "359901199001010012", CARD).await.has("The last character does not fit");
}

async fn a_register_that_is_down_costs_nothing_that_was_typed(site: Site) {
    let mut browser = site.browser();
    to_identity(&site, &mut browser, PHONE).await;
    let down = Unavailable { reason: "down".to_owned() };
    *site.register.answer.lock().unwrap() = Some(Err(down));
    // Not counted against the person, however often they try.
    for _ in 0..70 {
        let page = identity(&mut browser, &Site::number(2), CARD).await;
        page.is(503).has("role=\"alert\"").has("林小满").has(&Site::number(2)).has(CARD);
    }
    *site.register.answer.lock().unwrap() = None;
    let answer = identity(&mut browser, &Site::number(2), CARD).await;
    assert_eq!(answer.is(303).location(), "/account");
}

async fn attack_29_and_30_nothing_is_learnt_without_all_evidence(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    to_identity(&site, &mut browser, "13950000009").await;
    let mut bodies = std::collections::BTreeSet::new();
    for answer in [Match::NoMatch, Match::NotFound, Match::Deceased] {
        *site.register.answer.lock().unwrap() = Some(Ok(answer));
        // Number 2 has an account, number 4 has none.
        for number in [Site::number(2), Site::number(4)] {
            let page = identity(&mut browser, &number, CARD).await;
            bodies.insert(page.is(422).body.replace(&number, ""));
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    *site.register.answer.lock().unwrap() = None;
    let answer = identity(&mut browser, &Site::number(2), CARD).await;
    assert_eq!(answer.is(303).location(), "/register/exists");
    let page = browser.follow(&answer).await;
    page.is(200).has("data-action=\"signin\"").has("data-action=\"recover\"");
    page.lacks("data-signed-in");
    // The machine has no edge onwards from here.
    assert_eq!(identity(&mut browser, &Site::number(4), CARD).await.location(), "/register/exists");
}

async fn attack_30_numbers_cannot_be_tried_out(site: Site) {
    let mut browser = site.browser();
    to_identity(&site, &mut browser, PHONE).await;
    for _ in 0..20 {
        identity(&mut browser, &Site::number(2), "B12345678").await.is(422);
    }
    identity(&mut browser, &Site::number(2), CARD).await.is(429).has("role=\"alert\"");
    // Another number is still free, until the network's own limit.
    for _ in 0..39 {
        let _ = identity(&mut browser, &Site::number(4), "B12345678").await;
    }
    identity(&mut browser, &Site::number(6), CARD).await.is(429);
}

async fn attack_28_codes_run_out_and_messages_are_limited(site: Site) {
    let mut browser = site.browser();
    browser.post("/register", &[("phone", PHONE)]).await.is(303);
    let code = site.code().await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    browser.post("/register/code", &[("code", "12")]).await.is(422).has("code-error");
    for _ in 0..5 {
        browser.post("/register/code", &[("code", wrong)]).await.is(422);
    }
    browser.post("/register/code", &[("code", &code)]).await.is(422).has("code-error");
    // Sending again: not at once, then with a new code.
    assert!(browser.post("/register/resend", &[]).await.location().contains("wait=1"));
    site.pass(31_000);
    assert!(browser.post("/register/resend", &[]).await.location().contains("sent=1"));
    let fresh = site.code().await;
    browser.post("/register/code", &[("code", &code)]).await.is(422);
    site.pass(300_001);
    browser.post("/register/code", &[("code", &fresh)]).await.is(422);
    for _ in 0..3 {
        browser.post("/register", &[("phone", PHONE)]).await.is(303);
    }
    browser.post("/register", &[("phone", PHONE)]).await.is(429).has("role=\"alert\"").has(PHONE);
    site.pass(3_600_000);
    browser.post("/register", &[("phone", PHONE)]).await.is(303);
}

async fn two_registrations_of_one_person_side_by_side_make_one_account(site: Site) {
    let (mut one, mut two) = (site.browser(), site.browser());
    to_identity(&site, &mut one, "13950000001").await;
    to_identity(&site, &mut two, "13950000002").await;
    let number = Site::number(2);
    let answers =
        tokio::join!(identity(&mut one, &number, CARD), identity(&mut two, &number, CARD));
    let mut places = [answers.0.location().to_owned(), answers.1.location().to_owned()];
    places.sort();
    assert_eq!(places, ["/account", "/register/exists"]);
}

async fn attack_48_the_database_holds_nothing_of_it_in_the_clear(site: Site) {
    let mut browser = site.browser();
    browser.post("/register", &[("phone", PHONE)]).await.is(303);
    let code = site.code().await;
    browser.post("/register/code", &[("code", &code)]).await.is(303);
    browser.post("/register/password", &[("new_password", PASSWORD)]).await.is(303);
    let number = Site::number(2);
    identity(&mut browser, &number, CARD).await.is(303);
    let bytes = site.bytes().await;
    assert!(holds(&bytes, "social_security_card"), "what is no secret is found");
    let mut secrets = vec![number, PHONE.to_owned(), CARD.to_owned(), PASSWORD.to_owned()];
    secrets.push("林小满".to_owned());
    // Cookies as they are, and the secrets in them.
    secrets.extend(browser.cookies.values().cloned());
    secrets.extend(browser.cookies.values().map(|value| value[value.len() - 43..].to_owned()));
    assert!(browser.cookies.len() >= 2, "session and device");
    for secret in secrets {
        assert!(!holds(&bytes, &secret), "{secret} stands in the database");
    }
}

on_both! { Site:
    a_citizen_registers_and_stands_at_level_3;
    attack_23_no_page_skips_the_verified_phone;
    each_fault_has_its_own_sentence_and_typing_is_kept;
    a_register_that_is_down_costs_nothing_that_was_typed;
    attack_29_and_30_nothing_is_learnt_without_all_evidence;
    attack_30_numbers_cannot_be_tried_out;
    attack_28_codes_run_out_and_messages_are_limited;
    two_registrations_of_one_person_side_by_side_make_one_account;
    attack_48_the_database_holds_nothing_of_it_in_the_clear;
}
