//! A citizen's way from the first sign-in to the rating, and an officer's on the other side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tests_kit::{Demo, totp};

use crate::chromium::Chromium;

const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
const PASSPORT: &str = "exit-entry.passport-renewal";
/// For what the product does by itself at once.
const SOON: Duration = Duration::from_secs(60);
/// For a parcel: the demo's carrier takes seconds for each step.
const PARCEL: Duration = Duration::from_secs(120);

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

/// Types, chooses or ticks whatever the form asks, as the item's public schema shows it.
async fn fill(browser: &mut Chromium, demo: &Demo, item: &str) {
    for (name, example) in tests_kit::examples(&demo.text("/issuer"), item).await {
        let css = format!("[data-form=apply] [name='{name}']:not([readonly])");
        if !browser.has(&css).await {
            continue;
        }
        let element = browser.one(&css).await;
        let kind = element.attr("type").await.unwrap().unwrap_or_default();
        match (element.tag_name().await.unwrap().as_str(), kind.as_str()) {
            ("select", _) => browser.choose(&css, &example).await,
            (_, "checkbox") => drop(browser.tick(&css).await),
            _ => browser.type_into(&css, &example).await,
        }
    }
}

/// A photograph as a telephone makes one, smaller.
fn photograph(directory: &tempfile::TempDir) -> PathBuf {
    let file = directory.path().join("photo.png");
    std::fs::write(&file, tests_kit::picture(300, 400)).unwrap();
    file
}

async fn one_sign_on(browser: &mut Chromium, demo: &Demo, person: &Value) {
    browser.open(&demo.text("/partners/0/address")).await;
    browser.look_at("partner", false).await;
    browser.click("a[data-action=signin]").await;
    browser.look("signin").await;
    browser.type_into("[name=identifier]", text(person, "phone")).await;
    browser.type_into("[name=password]", "not the password").await;
    browser.click("form:has([name=identifier]) button[type=submit]").await;
    assert!(browser.has("[role=alert]").await);
    browser.look("signin-refused").await;
    browser.type_into("[name=password]", text(person, "password")).await;
    browser.click("form:has([name=identifier]) button[type=submit]").await;
    browser.look("consent").await;
    browser.click("button[name=consent][value=allow]").await;
    assert!(browser.has("[data-signed-in]").await, "{}", browser.text("body").await);
    let first = browser.text("[data-claim=sub]").await;

    browser.open(&demo.text("/partners/1/address")).await;
    browser.click("a[data-action=signin]").await;
    assert!(browser.has("[data-signed-in]").await, "asked: {}", browser.text("body").await);
    assert_ne!(browser.text("[data-claim=sub]").await, first);

    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.has("[data-signed-in]").await);
    browser.look("account").await;
    browser.open(&format!("{}/account/audit", demo.text("/issuer"))).await;
    browser.look("audit").await;
}

/// From the guide to the case's page.
async fn apply(browser: &mut Chromium, demo: &Demo, item: &str, photo: &Path) {
    let name = item.rsplit('.').next().unwrap();
    browser.open(&format!("{}/items", demo.text("/issuer"))).await;
    browser.look("items").await;
    browser.click(&format!("a[data-item='{item}']")).await;
    browser.look(&format!("guide-{name}")).await;
    browser.click("a[data-action=apply]").await;
    if browser.has("button[name=step][value=go]").await {
        browser.look("stepup").await;
        browser.click("button[name=step][value=go]").await;
        browser.look_at("face", false).await;
        browser.click("button[name=face][value=match]").await;
    }
    assert!(browser.has("[data-verified][readonly]").await, "{}", browser.text("body").await);
    browser.look(&format!("form-{name}")).await;
    browser.click("button[name=action][value=submit]").await;
    assert!(browser.has("[role=alert]").await && browser.has("[aria-invalid=true]").await);
    browser.look(&format!("form-{name}-refused")).await;
    fill(browser, demo, item).await;
    if browser.has("input[type=file]").await {
        browser.upload("input[type=file]", photo).await;
    }
    browser.click("button[name=action][value=submit]").await;
    assert!(browser.has("[data-case-number]").await, "{}", browser.text("body").await);
}

async fn pay(browser: &mut Chromium) {
    browser.until("[data-action=pay]", SOON).await;
    browser.look("case-pay").await;
    browser.click("[data-action=pay]").await;
    assert!(browser.has("[data-amount]").await, "{}", browser.text("body").await);
    browser.look_at("bank", false).await;
    browser.click("button[name=pay][value=succeed]").await;
    browser.until("[data-event='payment.settled']", SOON).await;
}

/// The officer approves; in a browser of their own, as they sit at another desk.
async fn decide(demo: &Demo, number: &str) -> Vec<String> {
    let mut desk = Chromium::start().await.unwrap();
    let staff = demo.json["staff"].as_array().unwrap();
    let officer = staff.iter().find(|one| one["role"] == "officer").unwrap();
    desk.open(&format!("{}/desk", demo.text("/issuer"))).await;
    if desk.has("main a[data-action=signin]").await {
        desk.click("main a[data-action=signin]").await;
    }
    desk.type_into("[name=identifier]", text(officer, "name")).await;
    desk.type_into("[name=password]", text(officer, "password")).await;
    desk.click("form:has([name=identifier]) button[type=submit]").await;
    desk.look("second-factor").await;
    desk.type_into("[name=code]", &totp(text(officer, "totp_secret"))).await;
    desk.click("form:has([name=code]) button[type=submit]").await;
    desk.open(&format!("{}/desk", demo.text("/issuer"))).await;
    desk.look("desk").await;
    desk.click(&format!("a[data-case='{number}']")).await;
    desk.look("desk-case").await;
    for _ in 0..5 {
        desk.type_into("[name=reasons]", "材料齐全，符合条件。").await;
        desk.click("button[name=decision][value=approve]").await;
        desk.open(&format!("{}/desk/{number}", demo.text("/issuer"))).await;
        if desk.has("[data-event='decision.approved']").await {
            break;
        }
    }
    assert!(desk.has("[data-event='decision.approved']").await);
    std::mem::take(&mut desk.faults)
}

async fn sign_out(browser: &mut Chromium, demo: &Demo) {
    browser.open(&demo.text("/partners/0/address")).await;
    if browser.has("a[data-action=signin]").await {
        browser.click("a[data-action=signin]").await;
    }
    browser.click("[data-action=signout]").await;
    browser.look("signout").await;
    browser.click("button[name=logout][value=yes]").await;
    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.has("[name=identifier]").await, "the session has ended");
}

async fn register(browser: &mut Chromium, demo: &Demo, person: &Value) {
    let submit = "main form button[type=submit]";
    browser.open(&format!("{}/register?lang=en", demo.text("/issuer"))).await;
    browser.look("register-phone").await;
    browser.type_into("[name=phone]", text(person, "phone")).await;
    browser.click(submit).await;
    browser.look("register-code").await;
    let here = browser.address().await;
    let inbox = format!("{}/?to={}", demo.simulator("sms"), text(person, "phone"));
    browser.open(&inbox).await;
    browser.until("[data-message]", SOON).await;
    browser.look_at("inbox", false).await;
    let message = browser.text("[data-message]").await;
    let code = message.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).unwrap();
    let code = code.to_owned();
    browser.open(&here).await;
    browser.type_into("[name=code]", &code).await;
    browser.click(submit).await;
    browser.look("register-password").await;
    browser.type_into("[name=new_password]", "purple-Teapot-rain").await;
    browser.click(submit).await;
    let card = text(&person["evidence"], "social_security_card");
    browser.type_into("[name=name]", text(person, "name")).await;
    browser.type_into("[name=number]", "359901199001010010").await;
    browser.choose("[name=evidence_kind]", "social_security_card").await;
    browser.type_into("[name=evidence]", card).await;
    browser.click(submit).await;
    assert!(browser.has("[name=number][aria-invalid=true]").await);
    browser.look("register-identity-refused").await;
    browser.type_into("[name=number]", text(person, "number")).await;
    browser.click(submit).await;
    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.has("[data-signed-in]").await, "{}", browser.text("body").await);
    browser.look("account-en").await;
    browser.open(&format!("{}/items/{PASSPORT}", demo.text("/issuer"))).await;
    browser.look("guide-en").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_in_a_real_browser() {
    let Some(mut browser) = Chromium::start().await else {
        eprintln!("no chromedriver: not told");
        return;
    };
    let demo = Demo::start(&Demo::binary(), None);
    let files = tempfile::tempdir().unwrap();
    let photo = photograph(&files);
    let person = demo.people(3).remove(0);
    browser.open(&demo.text("/issuer")).await;
    browser.look("home").await;
    one_sign_on(&mut browser, &demo, &person).await;

    apply(&mut browser, &demo, ENDORSEMENT, &photo).await;
    let endorsement = browser.address().await;
    pay(&mut browser).await;
    browser.until("[data-event='decision.approved']", SOON).await;
    apply(&mut browser, &demo, PASSPORT, &photo).await;
    let passport = browser.address().await;
    let number = browser.one("[data-case-number]").await.attr("data-case-number").await.unwrap();
    pay(&mut browser).await;
    browser.until("[data-case-state=review]", SOON).await;
    browser.look("case-review").await;
    let faults = decide(&demo, &number.unwrap()).await;
    browser.faults.extend(faults);
    browser.open(&endorsement).await;
    browser.until("[data-action=rate]", PARCEL).await;
    browser.look("case-delivered").await;
    browser.tick("input[name=rating][value='5']").await;
    browser.click("[data-action=rate]").await;
    assert!(browser.has("[data-case-state=rated]").await, "{}", browser.text("main").await);
    browser.open(&passport).await;
    browser.until("[data-event='express.delivered']", PARCEL).await;
    browser.open(&format!("{}/cases", demo.text("/issuer"))).await;
    browser.look("cases").await;

    sign_out(&mut browser, &demo).await;
    let newcomer = demo.people(0).remove(0);
    register(&mut browser, &demo, &newcomer).await;
    browser.open(&format!("{}/nowhere", demo.text("/issuer"))).await;
    browser.look("not-found").await;

    let journal = demo.journal("bank").await;
    assert_eq!(journal.iter().filter(|line| line["operation"] == "pay").count(), 2);
    let journal = demo.journal("express").await;
    assert_eq!(journal.iter().filter(|line| line["operation"] == "book").count(), 2);
    browser.faults.sort();
    browser.faults.dedup();
    assert!(browser.faults.is_empty(), "{}", browser.faults.join("\n"));
}
