//! Stories over the running demo, on both databases.

use serde_json::Value;

use crate::browser::Browser;
use crate::deployment::Deployment;

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
fn server() -> Option<String> {
    std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

async fn sign_in_once(demo: &Deployment) {
    let (mut browser, person) = (Browser::new(), demo.person(true));
    let (phone, password) = (text(&person, "phone"), text(&person, "password"));
    browser.open(&format!("{}/signin", demo.text("/partners/0/address"))).await;
    browser.submit(&[("identifier", phone), ("password", "not-the-password-7")]).await;
    assert!(browser.has("[role=alert]"), "a failed try shows the same page");
    browser.submit(&[("identifier", phone), ("password", password)]).await;
    browser.submit(&[("consent", "allow")]).await;
    assert!(browser.has("[data-signed-in]"), "{}", browser.page);
    let first = browser.text("[data-claim=sub]");
    assert_eq!(browser.text("[data-claim=name]"), text(&person, "name"));

    browser.open(&format!("{}/signin", demo.text("/partners/1/address"))).await;
    assert!(browser.has("[data-signed-in]"), "the second partner asks nothing: {}", browser.page);
    assert_ne!(browser.text("[data-claim=sub]"), first, "partners cannot join their lists");

    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.has("[data-signed-in]"));
    browser.open(&format!("{}/signout", demo.text("/partners/0/address"))).await;
    browser.submit(&[("logout", "yes")]).await;
    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.url.path().starts_with("/signin"), "{}", browser.url);
}

/// The newest code that the gateway delivered to a phone. The outbox carries it within moments.
async fn code(demo: &Deployment, phone: &str) -> String {
    let address = format!("{}/messages?to={phone}", demo.simulator("sms"));
    for _ in 0..400 {
        let answer = reqwest::get(&address).await.unwrap().text().await.unwrap();
        let messages: Value = serde_json::from_str(&answer).unwrap();
        let body =
            messages.as_array().and_then(|all| all.last()).map(|last| last["text"].to_string());
        let digits: Option<String> = body.and_then(|body| {
            body.split(|c: char| !c.is_ascii_digit())
                .find(|word| word.len() == 6)
                .map(str::to_owned)
        });
        if let Some(digits) = digits {
            return digits;
        }
        tokio::task::yield_now().await;
    }
    panic!("no code arrived at {phone}");
}

async fn register(demo: &Deployment) {
    let (mut browser, person) = (Browser::new(), demo.person(false));
    browser.open(&format!("{}/register", demo.text("/issuer"))).await;
    browser.submit(&[("phone", "12345")]).await;
    assert!(browser.has("[aria-invalid=true]"), "a wrong number is told at its field");
    browser.submit(&[("phone", text(&person, "phone"))]).await;
    let code = code(demo, text(&person, "phone")).await;
    browser.submit(&[("code", &code)]).await;
    browser.submit(&[("new_password", "purple-Teapot-rain")]).await;
    let card = person["evidence"]["social_security_card"].as_str().unwrap();
    let mut fields = vec![
        ("name", text(&person, "name")),
        ("number", "359901199001010010"),
        ("evidence_kind", "social_security_card"),
        ("evidence", card),
    ];
    browser.submit(&fields).await;
    assert!(browser.has("[aria-invalid=true]"), "a wrong checksum is told at its field");
    fields[1].1 = text(&person, "number");
    browser.submit(&fields).await;
    browser.open(&format!("{}/account", demo.text("/issuer"))).await;
    assert!(browser.has("[data-signed-in]"), "{}: {}", browser.url, browser.page);
}

async fn the_books_are_whole(demo: &Deployment) {
    let verified = demo.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // Sealed, and compared with the seal from then on.
    let sealed = demo.command(&["audit", "checkpoint", "--json"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    let sealed: serde_json::Value = serde_json::from_slice(&sealed.stdout).unwrap();
    let verified = demo.command(&["audit", "verify"]);
    assert_eq!(String::from_utf8_lossy(&verified.stdout).lines().count(), 2);
    let exported = demo.command(&["audit", "export"]);
    let lines = String::from_utf8_lossy(&exported.stdout).lines().count();
    assert_eq!(u64::try_from(lines).ok(), sealed["lines"].as_u64());
    let person = demo.person(true);
    let number = person["number"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&exported.stdout).contains(number));
    let refused = demo.command(&["serve"]);
    assert!(!refused.status.success(), "attack 50: production refuses the demo's secrets");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hint:"));
}

async fn all(database: Option<String>) {
    let demo = Deployment::start(database);
    sign_in_once(&demo).await;
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
