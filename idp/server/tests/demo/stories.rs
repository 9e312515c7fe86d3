//! Stories over the running demo, on both databases.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests_kit::{Browser, Demo, picture, totp};

const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
const PASSPORT: &str = "exit-entry.passport-renewal";
const MAIN: &str = "main form button[type=submit]";
const SIGN_IN: &str = "form:has(input[name=identifier]) button[type=submit]";
const SUBMIT: &str = "[data-form=apply] button[name=action][value=submit]";

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
fn server() -> Option<String> {
    std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

/// Looks again until an element is there: processes beside us work, and the carrier takes seconds.
async fn until(browser: &mut Browser, css: &str) {
    let address = browser.page().url.to_string();
    for _ in 0..1_200 {
        if browser.page().has(css) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        browser.open(&address).await;
    }
    panic!("{css} does not come: {}", browser.page().told());
}

async fn sign_in_once(demo: &Demo, person: &Value) -> Browser {
    let mut browser = Browser::default();
    let (phone, password) = (text(person, "phone"), text(person, "password"));
    browser.open(&demo.text("/partners/0/address")).await.fine();
    browser.follow("a[data-action=signin]").await.fine();
    let tried = [("identifier", phone), ("password", "not-the-password-7")];
    let page = browser.press(SIGN_IN, &tried).await;
    assert!(page.alert().is_some(), "a failed try shows the same page");
    browser.press(SIGN_IN, &[("identifier", phone), ("password", password)]).await;
    let page = browser.press("button[name=consent][value=allow]", &[]).await.fine();
    assert!(page.has("[data-signed-in]"), "{}", page.told());
    let first = page.one("[data-claim=sub]").text;

    browser.open(&demo.text("/partners/1/address")).await.fine();
    let page = browser.follow("a[data-action=signin]").await.fine();
    assert!(page.has("[data-signed-in]"), "the second partner asks nothing: {}", page.told());
    assert_ne!(page.one("[data-claim=sub]").text, first, "partners cannot join their lists");
    let page = browser.open(&format!("{}/account", demo.text("/issuer"))).await.fine();
    assert!(page.has("[data-signed-in]"));
    browser
}

async fn sign_out(demo: &Demo, browser: &mut Browser) {
    browser.open(&demo.text("/partners/0/address")).await.fine();
    browser.press("[data-action=signout]", &[]).await;
    browser.press("button[name=logout][value=yes]", &[]).await;
    let page = browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(page.url.path().starts_with("/signin"), "{}", page.told());
}

/// The newest code that the gateway delivered to a phone. The outbox carries it within moments.
async fn code(demo: &Demo, phone: &str) -> String {
    let mut inbox = Browser::default();
    let address = format!("{}/messages?to={phone}", demo.simulator("sms"));
    for _ in 0..400 {
        let page = inbox.open(&address).await.fine();
        let mut words = page.text.split(|c: char| !c.is_ascii_digit());
        if let Some(code) = words.rfind(|word| word.len() == 6) {
            return code.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no code arrived at {phone}");
}

async fn register(demo: &Demo) {
    let (mut browser, person) = (Browser::default(), demo.people(0).remove(0));
    browser.open(&format!("{}/register", demo.text("/issuer"))).await.fine();
    let page = browser.press(MAIN, &[("phone", "12345")]).await;
    assert!(page.has("[aria-invalid=true]"), "a wrong number is told at its field");
    browser.press(MAIN, &[("phone", text(&person, "phone"))]).await.fine();
    let code = code(demo, text(&person, "phone")).await;
    browser.press(MAIN, &[("code", &code)]).await.fine();
    browser.press(MAIN, &[("new_password", "purple-Teapot-rain")]).await.fine();
    let card = person["evidence"]["social_security_card"].as_str().unwrap();
    let mut fields = vec![
        ("name", text(&person, "name")),
        ("number", "359901199001010010"),
        ("evidence_kind", "social_security_card"),
        ("evidence", card),
    ];
    let page = browser.press(MAIN, &fields).await;
    assert!(page.has("[aria-invalid=true]"), "a wrong checksum is told at its field");
    fields[1].1 = text(&person, "number");
    browser.press(MAIN, &fields).await.fine();
    let page = browser.open(&format!("{}/account", demo.text("/issuer"))).await.fine();
    assert!(page.has("[data-signed-in]"), "{}", page.told());
}

/// From the guide to a case that is paid; gives its number.
async fn apply_and_pay(demo: &Demo, browser: &mut Browser, item: &str) -> String {
    let examples = tests_kit::examples(&demo.text("/issuer"), item).await;
    browser.open(&format!("{}/items/{item}", demo.text("/issuer"))).await.fine();
    browser.follow("a[data-action=apply]").await;
    if browser.page().has("button[name=step][value=go]") {
        browser.press("button[name=step][value=go]", &[]).await.fine();
        browser.press("button[name=face][value=match]", &[]).await.fine();
    }
    let page = browser.page().fine().clone();
    let mut form = browser.form(SUBMIT);
    form.fill(&page, &examples);
    if page.has("input[type=file]") {
        form.choose("materials.photo", "me.png", "image/png", b"no picture".to_vec());
        let page = browser.send(form).await.clone();
        assert!(page.has("input[type=file][aria-invalid=true]"), "{}", page.told());
        form = browser.form(SUBMIT);
        form.fill(&page, &examples);
        form.choose("materials.photo", "me.png", "image/png", picture(300, 400));
    }
    let page = browser.send(form).await.fine();
    let number = page.one("[data-case-number]").attribute("data-case-number").to_owned();
    until(browser, "[data-action=pay]").await;
    let case = browser.page().url.to_string();
    browser.press("[data-action=pay]", &[]).await.fine();
    browser.press("button[name=pay][value=succeed]", &[]).await.fine();
    browser.open(&case).await.fine();
    until(browser, "[data-event='payment.settled']").await;
    number
}

async fn approve(demo: &Demo, number: &str) {
    let staff = demo.json["staff"].as_array().unwrap();
    let officer = staff.iter().find(|one| one["role"] == "officer").unwrap();
    let (mut desk, issuer) = (Browser::default(), demo.text("/issuer"));
    desk.open(&format!("{issuer}/desk")).await;
    if desk.page().has("main a[data-action=signin]") {
        desk.follow("main a[data-action=signin]").await;
    }
    let fields = [("identifier", text(officer, "name")), ("password", text(officer, "password"))];
    desk.press(SIGN_IN, &fields).await;
    let code = totp(text(officer, "totp_secret"));
    desk.press("form:has(input[name=code]) button[type=submit]", &[("code", &code)]).await.fine();
    desk.open(&format!("{issuer}/desk")).await.fine();
    desk.follow(&format!("a[data-case='{number}']")).await.fine();
    let reasons = [("reasons", "材料齐全，符合条件。")];
    desk.press("button[name=decision][value=approve]", &reasons).await.fine();
}

async fn the_hall(demo: &Demo, browser: &mut Browser, person: &Value) {
    let endorsement = apply_and_pay(demo, browser, ENDORSEMENT).await;
    until(browser, "[data-event='decision.approved']").await;
    let passport = apply_and_pay(demo, browser, PASSPORT).await;
    until(browser, "[data-case-state=review]").await;
    approve(demo, &passport).await;
    for number in [endorsement, passport] {
        browser.open(&format!("{}/cases/{number}", demo.text("/issuer"))).await.fine();
        until(browser, "[data-action=rate]").await;
        browser.press("[data-action=rate]", &[("rating", "5")]).await.fine();
        assert!(browser.page().has("[data-case-state=rated]"), "{}", browser.page().told());
    }
    let operations = |journal: Vec<Value>, name: &str| {
        journal.iter().filter(|line| line["operation"] == name).count()
    };
    assert_eq!(operations(demo.journal("bank").await, "pay"), 2, "one charge a case");
    assert_eq!(operations(demo.journal("express").await, "book"), 2, "one parcel a case");
    let mut inbox = Browser::default();
    let address = format!("{}/messages?to={}", demo.simulator("sms"), text(person, "phone"));
    let messages: Value = serde_json::from_str(&inbox.open(&address).await.fine().text).unwrap();
    assert!(messages.as_array().is_some_and(|all| all.len() >= 4), "{messages}");
}

async fn the_books_are_whole(demo: &Demo) {
    let verified = demo.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // Sealed, and compared with the seal from then on.
    let sealed = demo.command(&["audit", "checkpoint", "--json"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    let sealed: Value = serde_json::from_slice(&sealed.stdout).unwrap();
    let verified = demo.command(&["audit", "verify"]);
    assert_eq!(String::from_utf8_lossy(&verified.stdout).lines().count(), 2);
    let exported = demo.command(&["audit", "export"]);
    let lines = String::from_utf8_lossy(&exported.stdout).lines().count();
    assert_eq!(u64::try_from(lines).ok(), sealed["lines"].as_u64());
    let person = demo.people(3).remove(0);
    let number = person["number"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&exported.stdout).contains(number));
    let refused = demo.command(&["serve"]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("`server.demo` is true"), "attack 50: {why}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hint:"));
}

async fn all(database: Option<String>) {
    let demo = Demo::start(Path::new(env!("CARGO_BIN_EXE_tongban")), database);
    let person = demo.people(3).remove(0);
    let mut browser = sign_in_once(&demo, &person).await;
    the_hall(&demo, &mut browser, &person).await;
    sign_out(&demo, &mut browser).await;
    register(&demo).await;
    the_books_are_whole(&demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_50_and_the_stories_of_the_demo_on_sqlite() {
    all(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_of_the_demo_on_postgres() {
    if let Some(server) = server() {
        all(Some(idp_store::testing::fresh_postgres_url(&server).await.unwrap())).await;
    }
}
