//! A partner's developer in the sandbox console: registers a client, tries it as somebody whom the
//! console names, and sees the requests and the token decoded. The browser runs no script.

use tests_kit::Demo;

use crate::chromium::Chromium;

/// Opens what is folded, if it is.
async fn unfold(browser: &mut Chromium, css: &str) {
    if browser.one(css).await.attr("open").await.unwrap().is_none() {
        browser.tick(&format!("{css} > summary")).await;
    }
    assert!(browser.one(css).await.attr("open").await.unwrap().is_some(), "{css} stays folded");
}

/// Registers a client and stays at its page.
async fn register(browser: &mut Chromium, redirect_uri: &str) {
    browser.type_into("[name=name]", "试验网站").await;
    browser.type_into("[name=redirect_uris]", redirect_uri).await;
    browser.click("[data-form=sandbox-register] button[type=submit]").await;
}

async fn sees_the_flow_decoded(browser: &mut Chromium, client: &str, name: &str) {
    for event in ["authorize", "step", "answer", "token", "checked", "userinfo"] {
        assert!(browser.has(&format!("[data-event={event}]")).await, "{event}");
    }
    assert!(!browser.has("[data-cause]").await, "{}", browser.text("[data-cause]").await);
    let token = "[data-event=token] [data-token=id_token]";
    assert!(!browser.text(token).await.contains(client), "folded at first");
    unfold(browser, token).await;
    let claims = browser.text(token).await;
    for part in [format!("\"aud\": \"{client}\""), "\"nonce\": ".to_owned(), "\"alg\": ".to_owned()]
    {
        assert!(claims.contains(&part), "{part}: {claims}");
    }
    assert_eq!(browser.text(&format!("{token} .badge-green")).await, "签名有效");
    unfold(browser, "[data-event=userinfo] details:nth-of-type(2)").await;
    assert!(browser.text("[data-event=userinfo]").await.contains(name));
    browser.look("sandbox-timeline").await;
}

/// The programs stand there, filled in for this client, without its secret.
async fn copies_a_program(browser: &mut Chromium, client: &str, issuer: &str, secret: &str) {
    for program in ["node", "python", "java", "go", "rust"] {
        let css = format!("[data-program={program}]");
        unfold(browser, &css).await;
        let text = browser.text(&css).await;
        for part in [client, issuer, "8123", "/back"] {
            assert!(text.contains(part), "{program} lacks {part}: {text}");
        }
        for part in ["localhost:3000", "/callback", secret] {
            assert!(!text.contains(part), "{program} has {part}: {text}");
        }
    }
    browser.look("sandbox-programs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_tries_a_client_in_the_console() {
    let Some(mut browser) = Chromium::start().await else {
        eprintln!("no chromedriver: not told");
        return;
    };
    let demo = Demo::start(&Demo::binary(), None);
    let issuer = demo.text("/issuer");
    browser.open(&format!("{issuer}/sandbox")).await;
    browser.look("sandbox").await;
    let person = browser.text("[data-person] strong").await;
    let number = browser.text("[data-person] .number").await;
    let phone = number.split(' ').next().unwrap().to_owned();
    let password = browser.text("[data-person] code").await;

    register(&mut browser, "http://partner.example/back").await;
    assert!(browser.has("[role=alert]").await, "http elsewhere is refused");
    browser.look("sandbox-refused").await;
    register(&mut browser, "http://localhost:8123/back").await;
    browser.look("sandbox-registered").await;
    let secret = browser.text("[data-secret]").await;
    assert_eq!(secret.len(), 43);
    let home = browser.address().await;
    let client = home.rsplit('/').next().unwrap().to_owned();

    browser.click("[data-action=try]").await;
    browser.type_into("[name=identifier]", &phone).await;
    browser.type_into("[name=password]", &password).await;
    browser.click("form:has([name=identifier]) button[type=submit]").await;
    assert!(browser.text("main").await.contains("试验网站"));
    browser.click("button[name=consent][value=allow]").await;
    assert_eq!(browser.address().await, format!("{home}#timeline"));
    sees_the_flow_decoded(&mut browser, &client, &person).await;
    copies_a_program(&mut browser, &client, &issuer, &secret).await;
    assert!(!browser.has("[data-secret]").await, "it was shown once");

    browser.open(&format!("{home}?lang=en")).await;
    assert!(browser.text("[data-event=checked]").await.contains("compares the ID token"));
    browser.look("sandbox-client-en").await;
    browser.click("[data-action=delete-client]").await;
    assert!(!browser.has("[data-client]").await);
    browser.faults.sort();
    browser.faults.dedup();
    assert!(browser.faults.is_empty(), "{}", browser.faults.join("\n"));
}
