//! Attacks on the authorization endpoint itself (attacks rows 4, 7, 18, 35, 36, 42).

use http::{Method, StatusCode};

use super::house::{BACK, Browser, House, ISSUER, SECRET, basic, form};

async fn attack_04_and_18_nothing_is_sent_to_an_address_that_is_not_registered(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    for uri in [
        "https://evil.example/",
        "https://a.example/cb/",
        "https://a.example/cb?x=2",
        "https://a.example/cb?x=1&y=2",
        "https://a.example/cb#f",
        "https://A.example/cb",
        "https://a.example:443/cb",
        "https://a.example/CB",
        "https://a.example/cb/../evil",
        "https://a.example@evil.example/cb",
        "http://localhost/cb",
        "javascript:alert(1)",
        "",
    ] {
        let answer = browser.authorize(&house, &[("redirect_uri", uri)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(!answer.headers.contains_key("location"), "{uri}");
        assert!(answer.body.contains("invalid_request"), "{uri}");
    }
    for client in ["nobody", ""] {
        let answer = browser.authorize(&house, &[("client_id", client)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.headers.contains_key("location"));
    }
}

async fn a_registered_query_is_kept(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let uri = "https://a.example/cb?x=1";
    let answer = browser.authorize(&house, &[("redirect_uri", uri)]).await;
    assert!(answer.location().starts_with("https://a.example/cb?x=1&code="), "{answer:?}");
}

async fn attack_07_every_answer_names_its_issuer(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    for (extra, error) in [
        (vec![], None),
        (vec![("response_type", "")], Some("invalid_request")),
        (vec![("response_type", "token")], Some("unsupported_response_type")),
        (vec![("scope", "unknown")], Some("invalid_scope")),
        (vec![("request", "x")], Some("invalid_request_object")),
        (vec![("request_uri", "https://a.example/r")], Some("invalid_request_uri")),
        (vec![("prompt", "none login")], Some("invalid_request")),
        (vec![("claims", "{")], Some("invalid_request")),
    ] {
        let answer = browser.authorize(&house, &extra).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{extra:?}");
        assert!(answer.location().starts_with(BACK), "{extra:?}");
        let query = answer.query();
        assert_eq!(query["iss"], ISSUER, "{extra:?}");
        assert_eq!(query["state"], "s t&ä");
        assert_eq!(query.get("error").map(String::as_str), error, "{extra:?}");
        assert_eq!(query.contains_key("code"), error.is_none());
        let description = query.get("error_description").map_or("", String::as_str);
        assert!(description.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}

async fn attack_35_and_36_answers_are_not_framed_kept_or_told_on(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let redirect = browser.authorize(&house, &[]).await;
    let page = browser.authorize(&house, &[("client_id", "nobody")]).await;
    for answer in [redirect, page] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        // Nothing leaves for another site.
        let referrer = answer.headers["referrer-policy"].to_str().unwrap();
        assert!(matches!(referrer, "no-referrer" | "same-origin"), "{referrer}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

async fn attack_42_a_request_is_bounded(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let scopes: String = (0..60).map(|n| format!("s{n} ")).collect();
    let answer = browser.authorize(&house, &[("scope", &scopes)]).await;
    assert_eq!(answer.query()["error"], "invalid_scope");
    let long = "x".repeat(9_000);
    let answer = browser.authorize(&house, &[("nonce", &long)]).await;
    assert_eq!(answer.query()["error"], "invalid_request");
    let many: Vec<(String, &str)> = (0..70).map(|n| (format!("p{n}"), "1")).collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let path = format!("/oauth2/authorize?{}", form(&many));
    assert_eq!(house.send(Method::GET, &path, &[], "").await.status, StatusCode::BAD_REQUEST);
    // A long state is legal and comes back whole.
    let state = "z".repeat(2_000);
    assert_eq!(browser.authorize(&house, &[("state", &state)]).await.query()["state"], state);
}

async fn attack_36_nothing_secret_is_taken_from_an_address(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    let token = tokens["access_token"].as_str().unwrap();
    // RFC 6750 §2.3, which RFC 9700 §4.3.2 forbids: addresses stand in logs and histories.
    let path = format!("/oauth2/userinfo?access_token={token}");
    let answer = house.send(Method::GET, &path, &[], "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let code = browser.code(&house, &[]).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
    let path = format!("/oauth2/token?{}", form(&fields));
    let answer = house.post(&path, &[basic("a", SECRET)], &[]).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    assert_eq!(house.redeem(&code).await.status, StatusCode::OK);
}

async fn a_browser_with_many_tabs_forgets_the_oldest(house: House) {
    let mut browser = Browser::default();
    for _ in 0..14 {
        browser.authorize(&house, &[]).await;
        house.wait(1);
    }
    assert_eq!(browser.0.len(), 10);
}

async fn rfc_6749_4_1_2_1_a_request_that_cannot_be_read_is_answered_where_it_belongs(house: House) {
    let right = form(&[("client_id", "a"), ("redirect_uri", BACK), ("response_type", "code")]);
    let mut browser = Browser::default();
    let long = format!("x={}", "x".repeat(9000));
    let many: String = (0..70).map(|n| format!("&p{n}=1")).collect();
    for more in ["nonce=a&nonce=b", "scope=openid&scope=openid", "x=%ff", "x=%00", &long, &many] {
        let query = format!("{right}&state=s%20t&{more}");
        let answer = browser.get(&house, &format!("/oauth2/authorize?{query}")).await;
        let sent = [("content-type", "application/x-www-form-urlencoded".to_owned())];
        let posted = house.send(Method::POST, "/oauth2/authorize", &sent, &query).await;
        for answer in [answer, posted] {
            assert!(answer.location().starts_with(&format!("{BACK}?")), "{answer:?}");
            let told = answer.query();
            assert_eq!(
                (told["error"].as_str(), told["state"].as_str()),
                ("invalid_request", "s t")
            );
            assert_eq!(told["iss"], ISSUER);
        }
    }
    let state = browser.get(&house, &format!("/oauth2/authorize?{right}&state=s&state=t")).await;
    assert!(!state.query().contains_key("state"), "which of two, nobody knows");
    let fragment = right.replace("=code", "=code&response_mode=fragment&nonce=a&nonce=b");
    let answer = browser.get(&house, &format!("/oauth2/authorize?{fragment}")).await;
    assert!(answer.location().starts_with(&format!("{BACK}#")), "{answer:?}");
    // Attacks row 18: to nobody else.
    for wrong in [
        format!("{right}&redirect_uri=https://evil.example/"),
        format!("{right}&client_id=b"),
        right.replace("client_id=a", "client_id=nobody&x=1&x=2"),
        form(&[("client_id", "a"), ("redirect_uri", "https://evil.example/")]) + "&x=1&x=2",
        "client_id=a&response_type=code&x=1&x=2".to_owned(),
    ] {
        let answer = browser.get(&house, &format!("/oauth2/authorize?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(!answer.headers.contains_key("location"));
    }
}

super::house::on_both! {
    attack_04_and_18_nothing_is_sent_to_an_address_that_is_not_registered;
    a_registered_query_is_kept;
    attack_07_every_answer_names_its_issuer;
    attack_35_and_36_answers_are_not_framed_kept_or_told_on;
    attack_36_nothing_secret_is_taken_from_an_address;
    attack_42_a_request_is_bounded;
    a_browser_with_many_tabs_forgets_the_oldest;
    rfc_6749_4_1_2_1_a_request_that_cannot_be_read_is_answered_where_it_belongs;
}
