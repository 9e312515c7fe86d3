//! The partners' sandbox: what a developer sees of the own clients, and nobody else.

use http::StatusCode;
use serde_json::json;

use super::house::{Answer, Browser, House, ISSUER, VERIFIER, basic, form, on_both};
use crate::state::Settings;

const LOCAL: &str = "http://localhost:3000/callback";

fn settings() -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.sandbox = true;
    settings
}

async fn post(browser: &mut Browser, house: &House, path: &str, fields: &[(&str, &str)]) -> Answer {
    browser.post(house, path, &[], fields).await
}

/// The page of a client that was registered now.
async fn registered(browser: &mut Browser, house: &House, method: &str) -> String {
    let fields = [
        ("name", "试验"),
        ("redirect_uris", LOCAL),
        ("policy", "openid"),
        ("method", method),
        ("jwk", ""),
    ];
    let answer = post(browser, house, "/sandbox", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    answer.location().to_owned()
}

fn secret(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("data-secret>")?;
    Some(rest.split('<').next().unwrap().to_owned())
}

/// Follows our own redirects, and allows.
async fn follow(browser: &mut Browser, house: &House, mut at: String) -> Answer {
    loop {
        let answer = browser.get(house, &at).await;
        let Some(location) = answer.headers.get("location") else { return answer };
        let location = location.to_str().unwrap().to_owned();
        let path = location.strip_prefix(ISSUER).unwrap_or(&location).to_owned();
        if !path.starts_with('/') {
            return answer;
        }
        at = if path.starts_with("/consent") {
            let allowed = post(browser, house, &path, &[("consent", "allow")]).await;
            allowed.location().to_owned()
        } else {
            path
        };
    }
}

async fn a_developer_sees_the_own_flow_decoded(house: House) {
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let mut browser = Browser::signed_in(&house).await;
        let home = registered(&mut browser, &house, method).await;
        let page = browser.get(&house, &home).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        // The secret is shown once.
        let secret = secret(&page.body);
        assert_eq!(secret.is_some(), method != "none");
        let again = browser.get(&house, &home).await.body;
        assert!(!again.contains("data-secret"));
        let id = home.rsplit('/').next().unwrap();
        assert!(again.contains(&format!("export CLIENT_ID=&#39;{id}&#39;")), "{again}");

        let fields = [("scope", "openid profile phone")];
        let begun = post(&mut browser, &house, &format!("{home}/try"), &fields).await;
        let page = follow(&mut browser, &house, begun.location().to_owned()).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        let body = &page.body;
        for kind in ["authorize", "step", "answer", "token", "checked", "userinfo"] {
            assert!(body.contains(&format!("data-event=\"{kind}\"")), "{method} {kind}: {body}");
        }
        for token in ["id_token", "access_token"] {
            assert!(body.contains(&format!("data-token=\"{token}\"")), "{token}");
        }
        // The claims stand there, and the signatures were checked.
        assert!(body.contains("&#34;proofing_level&#34;: 3"), "{body}");
        assert!(body.contains("签名有效") && !body.contains("签名未确认"));
        assert!(body.contains("✓ ") && !body.contains("✗ "));
        assert!(body.contains("林小满"), "the claims of userinfo");
        // Attacks row 48: nothing that could be used. A whole JWT has two dots and a signature.
        if let Some(secret) = secret {
            assert!(!body.contains(&secret));
        }
        for prefix in ["tbc_", "tbr_", "eyJ"] {
            let longest = body.split(prefix).skip(1).map(|rest| {
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).count()
            });
            assert!(longest.max().unwrap_or(0) < 20, "{prefix}");
        }

        // Another browser sees nothing, as if there were no such client.
        let mut other = Browser::signed_in(&house).await;
        for browser in [&mut Browser::default(), &mut other] {
            assert_eq!(browser.get(&house, &home).await.status, StatusCode::NOT_FOUND);
            for action in ["try", "clear", "delete"] {
                let answer = post(browser, &house, &format!("{home}/{action}"), &[]).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{action}");
            }
        }
        registered(&mut other, &house, method).await;
        assert_eq!(other.get(&house, &home).await.status, StatusCode::NOT_FOUND);
        assert!(browser.get(&house, &home).await.body.contains("data-event"));

        post(&mut browser, &house, &format!("{home}/clear"), &[]).await;
        assert!(!browser.get(&house, &home).await.body.contains("data-event"));
        let answer = post(&mut browser, &house, &format!("{home}/delete"), &[]).await;
        assert_eq!(answer.location(), "/sandbox");
        assert_eq!(browser.get(&house, &home).await.status, StatusCode::NOT_FOUND);
    }
}

/// The newest cause on a client's page.
async fn cause(browser: &mut Browser, house: &House, home: &str) -> String {
    browser.0.insert("tongban_lang".into(), "en".into());
    let page = browser.get(house, home).await;
    let (_, rest) = page.body.split_once("data-cause>").unwrap_or_else(|| panic!("{page:?}"));
    let text = rest.split("</div>").next().unwrap();
    post(browser, house, &format!("{home}/clear"), &[]).await;
    text.replace("<p>", "").replace("</p>", "")
}

async fn redeem(house: &House, id: &str, secret: &str, code: &str) -> StatusCode {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", LOCAL),
        ("code_verifier", VERIFIER),
    ];
    house.post("/oauth2/token", &[basic(id, secret)], &fields).await.status
}

async fn the_private_cause_of_an_error_is_told(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let home = registered(&mut browser, &house, "client_secret_basic").await;
    let id = home.rsplit('/').next().unwrap().to_owned();
    let secret = secret(&browser.get(&house, &home).await.body).unwrap();
    let challenge = super::house::CHALLENGE;
    let ask = |back: &str| {
        let fields = form(&[
            ("response_type", "code"),
            ("client_id", &id),
            ("redirect_uri", back),
            ("scope", "openid"),
            ("state", "s"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        format!("/oauth2/authorize?{fields}")
    };
    let refused = browser.get(&house, &ask("http://localhost:3000/callbacks")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(!refused.body.contains("character 31"), "the public page says no more than elsewhere");
    let told = cause(&mut browser, &house, &home).await;
    assert!(told.contains("differs at character 31") && told.contains("“s”"), "{told}");

    let answer = follow(&mut browser, &house, ask(LOCAL)).await;
    let code = answer.query().remove("code").unwrap();
    assert_eq!(redeem(&house, &id, "wrong", &code).await, StatusCode::UNAUTHORIZED);
    let told = cause(&mut browser, &house, &home).await;
    assert!(told.contains("has 5 characters"), "{told}");
    let posted = [("client_id", id.as_str()), ("client_secret", &secret)];
    let fields = [&[("grant_type", "authorization_code"), ("code", &code)][..], &posted].concat();
    house.post("/oauth2/token", &[], &fields).await;
    let told = cause(&mut browser, &house, &home).await;
    assert!(told.contains("client_secret_post, but client_secret_basic"), "{told}");
    assert_eq!(redeem(&house, &id, &secret, &code).await, StatusCode::OK);
    assert_eq!(redeem(&house, &id, &secret, &code).await, StatusCode::BAD_REQUEST);
    let told = cause(&mut browser, &house, &home).await;
    assert!(told.contains("was redeemed"), "{told}");
    // What was never given out.
    let fields = [("grant_type", "authorization_code"), ("code", "tbc_x"), ("redirect_uri", LOCAL)];
    house.post("/oauth2/token", &[basic(&id, &secret)], &fields).await;
    let told = cause(&mut browser, &house, &home).await;
    assert!(told.contains("was not given to this client"), "{told}");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "tbr_x")];
    house.post("/oauth2/token", &[basic(&id, &secret)], &fields).await;
    assert!(cause(&mut browser, &house, &home).await.contains("refresh token"));

    let answer = follow(&mut browser, &house, ask(LOCAL)).await;
    let code = answer.query().remove("code").unwrap();
    let other = "a-verifier-of-another-sign-in-with-43-characters";
    for (verifier, expected) in
        [(other, "code_verifier does not fit"), ("", "has no code_verifier")]
    {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", LOCAL),
        ];
        fields.extend((!verifier.is_empty()).then_some(("code_verifier", verifier)));
        house.post("/oauth2/token", &[basic(&id, &secret)], &fields).await;
        let told = cause(&mut browser, &house, &home).await;
        assert!(told.contains(expected), "{told}");
    }
}

async fn attack_38_nothing_can_be_registered_that_registration_refuses(house: House) {
    let mut browser = Browser::default();
    let fields =
        |policy: &'static str, method: &'static str, uri: &'static str, jwk: &'static str| {
            let own =
                [("redirect_uris", uri), ("policy", policy), ("method", method), ("jwk", jwk)];
            [&[("name", "x")][..], &own].concat()
        };
    let private = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    for wrong in [
        fields("openid", "none", "http://elsewhere.example/cb", ""),
        fields("openid", "none", "", ""),
        fields("fapi2", "client_secret_basic", "https://a.example/cb", ""),
        fields("nothing", "none", LOCAL, ""),
        fields("openid", "private_key_jwt", LOCAL, ""),
        fields("openid", "private_key_jwt", LOCAL, private),
        fields("openid", "tls_client_auth", LOCAL, ""),
    ] {
        let answer = post(&mut browser, &house, "/sandbox", &wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong:?} {answer:?}");
        assert!(answer.body.contains("role=\"alert\""));
    }
    // A form of another site registers nothing (attacks row 19).
    let foreign = [("sec-fetch-site", "cross-site".to_owned())];
    let right = fields("openid", "none", LOCAL, "");
    let answer = browser.post(&house, "/sandbox", &foreign, &right).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // There is an end to what one developer can have.
    for n in 0..=idp_store::sandbox::MOST_OF_ONE {
        let answer = post(&mut browser, &house, "/sandbox", &right).await;
        let room = n < idp_store::sandbox::MOST_OF_ONE;
        let expected = if room { StatusCode::SEE_OTHER } else { StatusCode::CONFLICT };
        assert_eq!(answer.status, expected, "{n}");
    }
}

async fn a_wrong_form_is_answered_in_the_language_of_its_page(house: House) {
    let rsa = r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
    let twice = r#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"EC","kid":"a"}]}"#;
    let long = format!("https://a.example/{}", "x".repeat(2048));
    for (uri, policy, method, jwk, zh, en) in [
        ("", "openid", "none", "", "至少填写一个", "at least one"),
        ("callback", "openid", "none", "", "callback 不是完整的地址", "not a whole address"),
        ("https://a.example/#x", "openid", "none", "", "片段", "fragment"),
        (
            &format!("{LOCAL} http://a.example/"),
            "openid",
            "none",
            "",
            "须以 https://",
            "begin with",
        ),
        ("https://u@a.example/", "openid", "none", "", "用户名", "user name"),
        ("https://A.example/", "openid", "none", "", "写法不同", "a browser writes"),
        ("https://a.example/?code=1", "openid", "none", "", "属于应答", "belongs to the answer"),
        (&long, "openid", "none", "", "2048", "2048"),
        (LOCAL, "fapi2", "none", "", "自有密钥", "a key of your own"),
        (LOCAL, "openid", "private_key_jwt", "{", "不是 JSON", "not JSON"),
        (LOCAL, "openid", "private_key_jwt", r#"{"d":"x"}"#, "私钥", "private half"),
        (LOCAL, "openid", "private_key_jwt", r#"{"keys":[]}"#, "1 到 16", "1 to 16"),
        (LOCAL, "openid", "private_key_jwt", twice, "kid 相同", "the same kid"),
        (LOCAL, "openid", "private_key_jwt", rsa, "没有可用", "None of the keys"),
    ] {
        let fields =
            [("name", "x"), ("redirect_uris", uri), ("policy", policy), ("method", method)];
        let fields = [&fields[..], &[("jwk", jwk)]].concat();
        for (language, told) in [("zh-CN", zh), ("en", en)] {
            let accept = [("accept-language", language.to_owned())];
            let answer = Browser::default().post(&house, "/sandbox", &accept, &fields).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
            let (_, alert) = answer.body.split_once("role=\"alert\"").unwrap();
            let alert = alert.split_once("</div>").unwrap().0;
            // Marks around what was inserted are the Unicode isolates of Fluent.
            let alert = alert.replace(['\u{2068}', '\u{2069}'], "");
            assert!(alert.contains(told), "{language} {uri} {jwk}: {alert}");
        }
    }
}

async fn clients_of_the_sandbox_expire(house: House) {
    let mut browser = Browser::default();
    let home = registered(&mut browser, &house, "none").await;
    let id = home.rsplit('/').next().unwrap().to_owned();
    let there =
        async |house: &House| crate::clients::show(&house.state.db, &id).await.unwrap().is_some();
    let prune = async |house: &House| {
        let now = house.state.now();
        house
            .write(move |tx| {
                Box::pin(async move { idp_store::prune::round(tx, now).await.map(drop) })
            })
            .await;
    };
    house.wait(7 * 86_400_000 - 1);
    prune(&house).await;
    assert!(there(&house).await);
    house.wait(1);
    prune(&house).await;
    assert!(!there(&house).await);
    assert_eq!(browser.get(&house, &home).await.status, StatusCode::NOT_FOUND);
}

async fn where_there_is_no_sandbox_there_is_no_console(house: House) {
    let house = house.beside_with(House::usual()).await;
    assert!(house.state.sandbox.is_none());
    let mut browser = Browser::default();
    for path in ["/sandbox", "/sandbox/callback", "/sandbox/clients/x"] {
        assert_eq!(browser.get(&house, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = post(&mut browser, &house, "/sandbox", &[("name", "x")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

async fn attack_42_clients_of_others_leave_nothing_in_the_sandbox(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    browser.tokens(&house, &[]).await;
    let mut developer = Browser::default();
    let home = registered(&mut developer, &house, "none").await;
    assert!(!developer.get(&house, &home).await.body.contains("data-event"));
    let page = developer.get(&house, "/sandbox").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("data-client"));
    // Nor does the layer change what the endpoints say.
    let plain = house.beside_with(House::usual()).await;
    let fields = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", LOCAL)];
    let (one, other) = (house.token(&fields).await, plain.token(&fields).await);
    assert_eq!((one.status, one.json()), (other.status, other.json()));
    assert_eq!(one.json()["error"], json!("invalid_grant"));
}

on_both! { sandbox with settings:
    a_developer_sees_the_own_flow_decoded;
    the_private_cause_of_an_error_is_told;
    attack_38_nothing_can_be_registered_that_registration_refuses;
    a_wrong_form_is_answered_in_the_language_of_its_page;
    clients_of_the_sandbox_expire;
    where_there_is_no_sandbox_there_is_no_console;
    attack_42_clients_of_others_leave_nothing_in_the_sandbox;
}
