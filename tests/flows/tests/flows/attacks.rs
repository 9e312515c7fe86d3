//! Rows of docs/security.md that only the whole product can show.

use tests_kit::{Browser, Citizen, Deployment};

const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
const SUBMIT: &str = "[data-form=apply] button[name=action][value=submit]";

async fn with_a_case(on: &Deployment, browser: &mut Browser, citizen: &Citizen) {
    let examples = on.examples(ENDORSEMENT).await;
    let page = browser.apply(on, ENDORSEMENT, citizen).await.clone();
    let mut form = browser.form(SUBMIT);
    form.fill(&page, &examples);
    assert!(browser.send(form).await.fine().has("[data-case-number]"));
}

async fn attack_21_the_next_person_at_a_shared_device_inherits_nothing(on: Deployment) {
    let (first, second) = (on.citizen(0, 4).await, on.citizen(1, 4).await);
    let mut browser = Browser::default();
    with_a_case(&on, &mut browser, &first).await;
    let case = browser.page().url.to_string();
    let stolen = browser.cookie(&on.issuer, "tongban_idp").expect("a session");
    let name = browser.cookie_name(&on.issuer, "tongban_idp").expect("a session");

    browser.open(&on.at("/account")).await.fine();
    browser.press("[data-action=signout]", &[]).await;
    if browser.page().has("button[name=logout]") {
        browser.press("button[name=logout][value=yes]", &[]).await;
    }
    for path in ["/account", "/cases"] {
        let page = browser.open(&on.at(path)).await;
        assert!(!page.has("a[data-case]") && !page.has("[data-proofing]"), "{}", page.told());
    }
    // The cookie of before, kept by whoever had the device, opens nothing.
    let mut thief = Browser::default();
    thief.plant(&on.issuer, &format!("{name}={stolen}; Path=/"));
    let page = thief.open(&on.at("/account")).await;
    assert!(page.has("input[name=identifier]"), "{}", page.told());

    browser.open(&on.at("/signin")).await.fine();
    browser.sign_in(&second).await.fine();
    assert_ne!(browser.cookie(&on.issuer, "tongban_idp"), Some(stolen), "a session of her own");
    browser.apply(&on, ENDORSEMENT, &second).await;
    let form = browser.form(SUBMIT);
    assert_eq!(form.value("name"), Some(second.person.name.as_str()), "the form is hers");
    browser.open(&on.at("/cases")).await.fine();
    assert!(!browser.page().has("a[data-case]"), "{}", browser.page().told());
    assert_eq!(browser.open(&case).await.status, 404);
}

async fn attack_24_addresses_come_from_the_configuration_never_from_the_request(on: Deployment) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let paths = ["/.well-known/openid-configuration", "/signin", "/items", "/register", "/nowhere"];
    for path in paths {
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "host=evil.example;proto=https"),
        ] {
            let answer = http.get(on.at(path)).header(name, value).send().await.unwrap();
            let headers = format!("{:?}", answer.headers());
            let text = answer.text().await.unwrap();
            let told = text.contains("evil.example") || headers.contains("evil.example");
            assert!(!told, "{path} believes {name}");
        }
    }
    let (mut browser, person) = (Browser::default(), on.person(9));
    browser.open(&on.at("/register")).await.fine();
    let phone = [("phone", person.phone.as_str())];
    browser.press("main form button[type=submit]", &phone).await.fine();
    on.code_for(&person.phone, 0).await;
    let texts = on.outside.texts(&person.phone).await;
    assert!(texts.iter().all(|text| !text.contains("http")), "a text holds no link: {texts:?}");
}

async fn attack_36_nothing_secret_travels_in_an_address_or_a_referrer(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    browser.open(&on.partners[0]).await.fine();
    browser.follow("a[data-action=signin]").await;
    let mut seen = browser.hops.clone();
    let page = browser.page();
    let policies = ["no-referrer", "same-origin"]; // Either tells another site nothing.
    assert!(policies.contains(&page.header("referrer-policy")), "{}", page.told());
    assert_eq!(page.header("cache-control"), "no-store", "{}", page.told());
    browser.sign_in(&citizen).await.fine();
    seen.extend(browser.hops.clone());
    assert!(policies.contains(&browser.page().header("referrer-policy")));
    browser.allow().await.fine();
    seen.extend(browser.hops.clone());
    let session = browser.cookie(&on.issuer, "tongban_idp").expect("a session");
    let secrets = [
        session.as_str(),
        citizen.password,
        &citizen.person.phone,
        &citizen.person.number,
        "access_token",
        "id_token=",
        "tbr_",
        "tbs_",
    ];
    for address in &seen {
        for secret in secrets {
            assert!(!address.as_str().contains(secret), "an address holds a secret: {address}");
        }
    }
    // RFC 9700 §4.12: what was typed is not posted on to the next site.
    let signed_in = seen.iter().position(|url| url.path() == "/consent").expect("asked");
    assert!(signed_in > 0);
    assert!(browser.page().url.as_str().starts_with(&on.partners[0]));
    let left = browser.page().url.query().unwrap_or_default();
    assert!(!left.contains("code="), "the partner leaves the code's address: {left}");
}

async fn attack_42_a_nul_is_its_senders_fault_and_not_ours(on: Deployment) {
    let citizen = on.citizen(0, 4).await;
    let mut browser = Browser::default();
    with_a_case(&on, &mut browser, &citizen).await;
    for path in [
        "/items/%00",
        "/items/a%00/apply",
        "/cases/%00",
        "/cases/%00/materials/a",
        "/cases/a/materials/%00",
        "/api/items/%00",
        "/api/cases/%00",
        "/payment/return?case=%00",
    ] {
        let page = browser.open(&on.at(path)).await;
        assert_eq!(page.status, 404, "{path}: {}", page.told());
    }
    browser.apply(&on, ENDORSEMENT, &citizen).await;
    let mut form = browser.form(SUBMIT);
    form.set("transaction", "a\0");
    let page = browser.send(form).await;
    assert_eq!(page.status, 400, "{}", page.told());
    assert!(page.alert().is_some() || page.has("main h1"), "{}", page.told());
}

tests_kit::on_both! {
    attack_42_a_nul_is_its_senders_fault_and_not_ours;
    attack_21_the_next_person_at_a_shared_device_inherits_nothing;
    attack_24_addresses_come_from_the_configuration_never_from_the_request;
    attack_36_nothing_secret_travels_in_an_address_or_a_referrer;
}
