//! RP-initiated logout (attacks rows 18, 19, 21).

use http::StatusCode;

use super::house::{Browser, House, form};
const BYE: &str = "https://a.example/bye";

async fn hint(browser: &mut Browser, house: &House) -> String {
    browser.tokens(house, &[]).await["id_token"].as_str().unwrap().to_owned()
}

fn address(fields: &[(&str, &str)]) -> String {
    format!("/oauth2/end_session?{}", form(fields))
}

async fn logout_2_confirmed_with_hint_and_registered_address_goes_back_with_state(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    let lasting = browser.tokens(&house, &[("scope", "openid offline_access")]).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let fields = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "x y")];
    let asked = browser.get(&house, &address(&fields)).await;
    assert_eq!(asked.status, StatusCode::OK, "{asked:?}");
    assert!(asked.body.contains(r#"name="logout""#), "{asked:?}");
    let yes = [&fields[..], &[("logout", "yes")]].concat();
    let before = browser.clone();
    let done = browser.post(&house, "/oauth2/end_session/confirm", &[], &yes).await;
    assert_eq!(done.location(), "https://a.example/bye?state=x+y");
    // The session is gone, also for whoever kept the cookie (attacks row 21).
    for mut browser in [browser.clone(), before] {
        let answer = browser.authorize(&house, &[("prompt", "none")]).await;
        assert_eq!(answer.query()["error"], "login_required");
    }
    // Tokens end with it; those of offline access stay.
    let access = |tokens: &serde_json::Value| tokens["access_token"].as_str().unwrap().to_owned();
    assert!(!house.active(&access(&tokens)).await);
    assert!(house.active(&access(&lasting)).await);
    // Nobody is signed in: back at once, without state too.
    let answer = browser.get(&house, &address(&fields[..2])).await;
    assert_eq!(answer.location(), BYE);
}

async fn logout_no_keeps_the_session(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let no = [("logout", "no")];
    let kept = browser.post(&house, "/oauth2/end_session/confirm", &[], &no).await;
    assert_eq!(kept.location(), "/account");
    browser.code(&house, &[("prompt", "none")]).await;
}

async fn attack_18_logout_never_leaves_for_an_unregistered_address(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let hint = hint(&mut browser, &house).await;
    let forged = {
        let (head, rest) = hint.split_once('.').unwrap();
        let none = "eyJhbGciOiJub25lIn0";
        assert_ne!(head, none);
        format!("{none}.{}.", rest.split('.').next().unwrap())
    };
    let uri = |uri| ("post_logout_redirect_uri", uri);
    let hinted = ("id_token_hint", hint.as_str());
    for fields in [
        vec![hinted, uri("https://evil.example/")],
        vec![hinted, uri("https://a.example/bye?foo=bar")],
        vec![hinted, uri(BYE), ("client_id", "b")],
        vec![uri(BYE)],
        vec![uri(BYE), ("client_id", "a")],
        vec![("id_token_hint", forged.as_str()), uri(BYE)],
        vec![("state", "s")],
        vec![],
    ] {
        let yes = [&fields[..], &[("logout", "yes")]].concat();
        for browser in [&browser, &Browser::default()] {
            let answer = browser.clone().get(&house, &address(&fields)).await;
            assert!(!answer.headers.contains_key("location"), "{fields:?} {answer:?}");
            let path = "/oauth2/end_session/confirm";
            let answer = browser.clone().post(&house, path, &[], &yes).await;
            assert!(!answer.headers.contains_key("location"), "{fields:?} {answer:?}");
        }
    }
}

async fn attack_19_another_site_cannot_sign_anyone_out(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let hint = hint(&mut browser, &house).await;
    // Neither a link, nor a form, with or without a good hint.
    let fields = [("id_token_hint", hint.as_str()), ("logout", "yes")];
    browser.get(&house, &address(&fields)).await;
    let cross = [("sec-fetch-site", "cross-site".to_owned())];
    browser.post(&house, "/oauth2/end_session", &cross, &fields).await;
    let refused = browser.post(&house, "/oauth2/end_session/confirm", &cross, &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let origin = [("origin", "https://evil.example".to_owned())];
    let refused = browser.post(&house, "/oauth2/end_session/confirm", &origin, &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    browser.code(&house, &[("prompt", "none")]).await;
}

super::house::on_both! {
    logout_2_confirmed_with_hint_and_registered_address_goes_back_with_state;
    logout_no_keeps_the_session;
    attack_18_logout_never_leaves_for_an_unregistered_address;
    attack_19_another_site_cannot_sign_anyone_out;
}
