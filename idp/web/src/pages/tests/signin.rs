//! `/signin` and its ways.

use super::site::{PASSWORD, PHONE, Site};
use crate::testing::on_both;

async fn a_citizen_signs_in_by_whatever_they_remember(site: Site) {
    site.citizen().await;
    let (number, spaced) = (Site::number(2), "139 5012 3456");
    for identifier in [PHONE, spaced, &number, &number.to_lowercase(), "Lin"] {
        let mut browser = site.browser();
        let answer = browser.sign_in(identifier, PASSWORD).await;
        assert_eq!(answer.is(303).location(), "/account", "{identifier}");
        browser.follow(&answer).await.is(200).has("data-signed-in").has("data-action=\"signout\"");
    }
}

async fn attack_29_a_wrong_password_and_nobody_look_the_same(site: Site) {
    site.citizen().await;
    site.officer().await;
    let mut bodies = std::collections::BTreeSet::new();
    for identifier in [PHONE, "13950000000", "lin", "nobody", "chen", "a@b.cn", &Site::number(4)] {
        let page = site.browser().sign_in(identifier, "wrong password").await;
        page.is(422).has("role=\"alert\"").has("name=\"identifier\"").lacks("wrong password");
        bodies.insert(page.body.replace(&format!("value=\"{identifier}\""), ""));
    }
    assert_eq!(bodies.len(), 1);
    let refused = site.browser().sign_in("", "").await;
    refused.is(422).has("role=\"alert\"");
}

async fn attack_27_guessing_shuts_out_the_guesser_and_not_the_person(site: Site) {
    site.citizen().await;
    let mut own = site.browser();
    own.sign_in(PHONE, PASSWORD).await.is(303);
    own.post("/signout", &[]).await.is(303);
    let mut guesser = site.browser();
    for _ in 0..10 {
        guesser.sign_in(PHONE, "wrong password").await.is(422);
    }
    // Even the right password is not looked at any more …
    guesser.sign_in(PHONE, PASSWORD).await.is(429).has("role=\"alert\"").has("/signin/sms");
    // … while the person's own device, in the same network, gets in, and so does another network.
    own.sign_in(PHONE, PASSWORD).await.is(303);
    let mut elsewhere = site.browser();
    elsewhere.network = [198, 51, 100, 7];
    elsewhere.sign_in(PHONE, PASSWORD).await.is(303);
    // Another spelling is the same account.
    guesser.sign_in("+86 139 5012 3456", PASSWORD).await.is(429);
    site.pass(15 * 60_000 + 1);
    guesser.sign_in(PHONE, PASSWORD).await.is(303);
}

async fn attack_28_one_network_cannot_try_one_password_on_all(site: Site) {
    let mut browser = site.browser();
    for n in 0..200 {
        browser.sign_in(&format!("user{n}"), "wrong password").await.is(422);
    }
    browser.sign_in("user-next", "wrong password").await.is(429);
}

async fn right_passwords_never_count(site: Site) {
    site.citizen().await;
    for _ in 0..30 {
        site.browser().sign_in("lin", PASSWORD).await.is(303);
    }
}

async fn attack_20_and_21_a_session_never_survives_a_sign_in_or_sign_out(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let old = browser.cookies.clone();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let mut thief = site.browser();
    thief.cookies = old;
    assert!(thief.get("/account").await.is(303).location().starts_with("/signin"));
    let page = browser.get("/signout").await;
    page.is(200).has("name=\"logout\" value=\"yes\"").has("name=\"logout\" value=\"no\"");
    assert_eq!(browser.post("/signout", &[("logout", "no")]).await.location(), "/account");
    browser.get("/account").await.is(200);
    let before = browser.cookies.clone();
    browser.post("/signout", &[("logout", "yes")]).await.is(303);
    thief.cookies = before;
    thief.get("/account").await.is(303);
}

async fn a_code_by_sms_signs_in_and_tells_nothing_about_strangers(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.get("/signin").await.has("data-action=\"sms-signin\"").lacks("passkey").lacks("qr");
    let answer = browser.post("/signin/sms", &[("phone", PHONE)]).await;
    let known = browser.follow(&answer).await;
    let code = site.code().await;
    let answer = browser.post("/signin/sms/code", &[("code", &code)]).await;
    assert_eq!(answer.is(303).location(), "/account");
    browser.follow(&answer).await.is(200).has("data-signed-in");

    let mut stranger = site.browser();
    let answer = stranger.post("/signin/sms", &[("phone", "13950123457")]).await;
    let unknown = stranger.follow(&answer).await;
    assert_eq!(known.is(200).body.replace("3456", ""), unknown.is(200).body.replace("3457", ""));
    assert!(site.messages().await.is_empty(), "nobody's phone gets no message");
    for n in 0..6 {
        let page = stranger.post("/signin/sms/code", &[("code", "123456")]).await;
        // As with a real code: four wrong tries, then it is dead.
        page.is(422).has(if n < 4 { "验证码不正确" } else { "已失效" });
    }
}

async fn attack_46_staff_need_a_code_that_serves_once(site: Site) {
    site.officer().await;
    let totp = |now: i64| {
        let secret = totp_rs::Secret::new_stack(*b"12345678901234567890");
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(now / 1000).unwrap()).to_string()
    };
    let mut browser = site.browser();
    assert!(browser.get("/signin/code").await.is(303).location().starts_with("/signin"));
    let answer = browser.sign_in("chen", PASSWORD).await;
    assert_eq!(answer.is(303).location(), "/signin/code");
    browser.follow(&answer).await.is(200).has("name=\"code\"").lacks("data-signed-in");
    assert!(browser.get("/account").await.is(303).location().starts_with("/signin"));
    browser.post("/signin/code", &[("code", "000000")]).await.is(422).has("role=\"alert\"");
    let code = totp(site.state.now());
    let answer = browser.post("/signin/code", &[("code", &code)]).await;
    browser.follow(&answer).await.is(200).has("data-signed-in").has("陈警官");

    let mut second = site.browser();
    second.sign_in("chen", PASSWORD).await.is(303);
    second.post("/signin/code", &[("code", &code)]).await.is(422);
    site.pass(60_000);
    second.post("/signin/code", &[("code", &totp(site.state.now()))]).await.is(303);

    let mut third = site.browser();
    third.sign_in("chen", PASSWORD).await.is(303);
    for _ in 0..5 {
        third.post("/signin/code", &[("code", "000000")]).await.is(422);
    }
    site.pass(60_000);
    let answer = third.post("/signin/code", &[("code", &totp(site.state.now()))]).await;
    assert_eq!(answer.is(303).location(), "/signin", "the password again");
}

async fn attack_20_forms_of_other_sites_are_refused(site: Site) {
    site.citizen().await;
    let request = http::Request::post("/signin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site")
        .body(axum::body::Body::from(format!("identifier=lin&password={PASSWORD}")))
        .unwrap();
    let mut browser = site.browser();
    browser.send(request).await.is(403).has("role=\"alert\"");
    assert!(browser.cookies.is_empty());
}

on_both! { Site:
    a_citizen_signs_in_by_whatever_they_remember;
    attack_29_a_wrong_password_and_nobody_look_the_same;
    attack_27_guessing_shuts_out_the_guesser_and_not_the_person;
    attack_28_one_network_cannot_try_one_password_on_all;
    right_passwords_never_count;
    attack_20_and_21_a_session_never_survives_a_sign_in_or_sign_out;
    a_code_by_sms_signs_in_and_tells_nothing_about_strangers;
    attack_46_staff_need_a_code_that_serves_once;
    attack_20_forms_of_other_sites_are_refused;
}
