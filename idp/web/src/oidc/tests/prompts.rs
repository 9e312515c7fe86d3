//! What a partner may wish of the sign-in: `prompt`, `login_hint`, languages, `display` (OpenID
//! Connect Core §3.1.2.1, Initiating User Registration 1.0).

use http::StatusCode;

use super::house::{Browser, House};
use crate::session::Who;

fn flow(page: &str) -> &str {
    page.split_once("flow=").unwrap().1
}

async fn user_registration_4_1_create_leads_to_registration(house: House) {
    for mut browser in [Browser::default(), Browser::signed_in(&house).await] {
        let answer = browser.authorize(&house, &[("prompt", "create")]).await;
        let page = answer.location().to_owned();
        assert!(page.starts_with("/register?flow="), "{page}");
        assert_eq!(browser.get(&house, &page).await.status, StatusCode::OK);
        // Whoever comes back from there, new or not, has signed in now.
        house.wait(1);
        browser.sign_in(&house, Who::Citizen("p1".into())).await;
        let resume = format!("/oauth2/authorize/{}", flow(&page));
        assert!(browser.get(&house, &resume).await.query().contains_key("code"));
    }
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser.authorize(&house, &[("prompt", "none create")]).await;
    assert_eq!(answer.query()["error"], "invalid_request");
}

async fn core_3_1_2_1_select_account_lets_the_person_choose(house: House) {
    house.person("p2", 2).await;
    let mut browser = Browser::signed_in(&house).await;
    house.wait(1);
    let select = [("prompt", "select_account")];
    let page = browser.authorize(&house, &select).await.location().to_owned();
    assert!(page.starts_with("/signin/account?flow="), "{page}");
    // Enough to know one's own account, no more.
    let shown = browser.get(&house, &page).await;
    assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
    assert!(shown.body.contains("name=\"account\" value=\"current\""), "{shown:?}");
    assert!(!shown.body.contains("林小满") && !shown.body.contains("13800130001"), "{shown:?}");
    // Goes on.
    let onward = browser.post(&house, &page, &[], &[("account", "current")]).await;
    let path = onward.location().to_owned();
    assert!(browser.get(&house, &path).await.query().contains_key("code"));
    // Another account.
    let page = browser.authorize(&house, &select).await.location().to_owned();
    let other = browser.post(&house, &page, &[], &[("account", "other")]).await;
    assert_eq!(other.location(), format!("/signin?flow={}", flow(&page)));
    house.wait(1);
    browser.sign_in(&house, Who::Citizen("p2".into())).await;
    let resume = format!("/oauth2/authorize/{}", flow(&page));
    assert!(browser.get(&house, &resume).await.query().contains_key("code"));
    // Nobody to choose; nobody else's flow; no other site's form.
    let stranger = Browser::default().authorize(&house, &select).await;
    assert!(stranger.location().starts_with("/signin?flow="), "{stranger:?}");
    house.wait(1);
    let page = browser.authorize(&house, &select).await.location().to_owned();
    let mut thief = Browser::signed_in(&house).await;
    let stolen = thief.post(&house, &page, &[], &[("account", "current")]).await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST, "attack_20");
    let cross = [("sec-fetch-site", "cross-site".to_owned())];
    let forged = browser.post(&house, &page, &cross, &[("account", "current")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "attack_20");
    let still = browser.get(&house, &format!("/oauth2/authorize/{}", flow(&page))).await;
    assert!(still.location().starts_with("/signin/account?flow="), "{still:?}");
}

/// The name of a flow's cookie stands in the address; its secret does not.
async fn attack_20_a_flow_wants_the_secret_of_its_cookie(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    house.wait(1);
    let page = browser.authorize(&house, &[("prompt", "login")]).await.location().to_owned();
    let resume = format!("/oauth2/authorize/{}", flow(&page));
    let name = format!("tongban_flow_8080_{}", flow(&page).replace('-', ""));
    let secret = browser.0[&name].clone();
    for planted in ["", "x", &secret[1..], &secret.to_lowercase()] {
        let mut thief = browser.clone();
        thief.0.insert(name.clone(), planted.to_owned());
        let answer = thief.get(&house, &resume).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{planted}");
    }
    assert_eq!(browser.get(&house, &resume).await.location(), page);
}

async fn core_3_1_2_1_a_login_hint_fills_the_field_and_proves_nothing(house: House) {
    let mut browser = Browser::default();
    let page = async |browser: &mut Browser, hint: &str| {
        let page = browser.authorize(&house, &[("login_hint", hint)]).await.location().to_owned();
        browser.get(&house, &page).await.body
    };
    let filled = page(&mut browser, "13800130001").await;
    assert!(filled.contains("value=\"13800130001\""), "{filled}");
    let evil = page(&mut browser, "\"><script>").await;
    assert!(!evil.contains("<script>"), "attack_37");
    let long = page(&mut browser, &"x".repeat(255)).await;
    assert!(!long.contains("xxxx"));
    // Somebody else may sign in.
    let answer = browser.authorize(&house, &[("login_hint", "13800130001")]).await;
    let path = format!("/oauth2/authorize/{}", flow(answer.location()));
    house.person("p2", 2).await;
    browser.sign_in(&house, Who::Citizen("p2".into())).await;
    assert!(browser.get(&house, &path).await.query().contains_key("code"));
}

async fn core_3_1_2_1_display_and_languages_are_taken(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    for wish in [
        ("display", "page"),
        ("display", "popup"),
        ("display", "touch"),
        ("display", "wap"),
        ("ui_locales", "fr-CA xx en"),
        ("claims_locales", "se"),
    ] {
        browser.code(&house, &[wish, ("prompt", "none")]).await;
    }
    for (locales, lang) in [("fr en zh", "en"), ("zh-Hant", "zh-CN"), ("xx", "zh-CN")] {
        let mut browser = Browser::default();
        let page =
            browser.authorize(&house, &[("ui_locales", locales)]).await.location().to_owned();
        let shown = browser.get(&house, &page).await.body;
        assert!(shown.contains(&format!("<html lang=\"{lang}\">")), "{locales}");
    }
}

super::house::on_both! {
    attack_20_a_flow_wants_the_secret_of_its_cookie;
    user_registration_4_1_create_leads_to_registration;
    core_3_1_2_1_select_account_lets_the_person_choose;
    core_3_1_2_1_a_login_hint_fills_the_field_and_proves_nothing;
    core_3_1_2_1_display_and_languages_are_taken;
}
