//! RP-initiated logout (attacks rows 18, 19, 21).

use http::StatusCode;
use idp_protocol::jose::Algorithm;

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

/// Each case in which the judge looks at the page: it says in words what happened.
async fn rp_initiated_logout_2_and_3_every_refusal_and_question_is_a_page(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let good = hint(&mut browser, &house).await;
    let forged = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    let stranger = {
        let private = idp_protocol::jose::generate(Algorithm::Rs256).unwrap();
        let signer = idp_protocol::jose::Signer::new(Algorithm::Rs256, &private).unwrap();
        signer.sign("JWT", &super::house::claims(&good)).unwrap()
    };
    let (bye, state) = (("post_logout_redirect_uri", BYE), ("state", "s"));
    let page = async |fields: &[(&str, &str)]| {
        let mut browser = browser.clone();
        let answer = browser.get(&house, &address(fields)).await;
        assert!(!answer.headers.contains_key("location"), "{fields:?}");
        // Nobody was asked, so nobody is signed out.
        browser.code(&house, &[("prompt", "none")]).await;
        answer
    };
    let hinted = ("id_token_hint", good.as_str());
    // Errors: the code and a sentence.
    for fields in [
        vec![hinted, ("post_logout_redirect_uri", "https://evil.example/"), state],
        vec![hinted, ("post_logout_redirect_uri", "https://a.example/bye?foo=bar"), state],
        vec![("id_token_hint", forged.as_str()), bye, state],
        vec![("id_token_hint", stranger.as_str()), bye, state],
        vec![("id_token_hint", "x"), bye, state],
    ] {
        let answer = page(&fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{fields:?}");
        assert!(answer.body.contains("role=\"alert\""), "{fields:?}");
        assert!(answer.body.contains("invalid_request"), "{fields:?}");
    }
    // Questions, and after the yes our own page.
    for fields in [vec![bye, state], vec![state], vec![], vec![hinted], vec![hinted, state]] {
        let answer = page(&fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{fields:?}");
        for value in ["yes", "no"] {
            let button = format!("name=\"logout\" value=\"{value}\"");
            assert!(answer.body.contains(&button), "{fields:?} {answer:?}");
        }
        let mut browser = Browser::signed_in(&house).await;
        let yes = [&fields[..], &[("logout", "yes")]].concat();
        let done = browser.post(&house, "/oauth2/end_session/confirm", &[], &yes).await;
        assert_eq!(done.status, StatusCode::OK, "{fields:?} {done:?}");
        assert!(done.body.contains("已退出登录"), "{fields:?}");
        let gone = browser.authorize(&house, &[("prompt", "none")]).await;
        assert_eq!(gone.query()["error"], "login_required");
    }
    // By POST too (§2).
    let asked = browser.post(&house, "/oauth2/end_session", &[], &[hinted, bye, state]).await;
    assert!(asked.body.contains("name=\"logout\""), "{asked:?}");
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
    rp_initiated_logout_2_and_3_every_refusal_and_question_is_a_page;
    attack_19_another_site_cannot_sign_anyone_out;
}
