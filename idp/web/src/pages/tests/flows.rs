//! Consent and step-up inside a partner's request.

use idp_domain::citizen::port::FaceResult;
use serde_json::json;

use super::site::{Browser, PASSWORD, PHONE, Site};
use crate::testing::on_both;

async fn partner(site: &Site) {
    let client = json!({
        "client_id": "partner",
        "client_secret": "a-secret-of-the-partner-long-enough",
        "client_name": "闽政通",
        "client_name#en": "Min <b>Portal</b>",
        "redirect_uris": ["http://localhost:8081/callback"],
        "scope": "openid profile phone identity",
    });
    crate::clients::create(&site.state.db, &site.state.ambient, client).await.unwrap();
}

/// Begins a flow; where it leads.
async fn begin(browser: &mut Browser, more: &str) -> String {
    begin_for(browser, "openid%20profile%20phone", more).await
}

async fn begin_for(browser: &mut Browser, scope: &str, more: &str) -> String {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let answer = browser
        .get(&format!(
            "/oauth2/authorize?client_id=partner&response_type=code&scope={scope}\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8081%2Fcallback&state=s&nonce=n\
             &code_challenge={challenge}&code_challenge_method=S256{more}"
        ))
        .await;
    to_page(browser, answer.location().to_owned()).await
}

/// Follows the provider's own redirects until a page or the partner.
async fn to_page(browser: &mut Browser, mut place: String) -> String {
    for _ in 0..5 {
        if !place.starts_with("/oauth2/") {
            return place;
        }
        let answer = browser.get(&place).await;
        place = answer.is(303).location().to_owned();
    }
    panic!("a circle at {place}");
}

async fn core_2_who_asks_for_openid_alone_is_said_to_get_a_number_and_no_data(site: Site) {
    site.citizen().await;
    partner(&site).await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let place = begin_for(&mut browser, "openid", "").await;
    let page = browser.get(&place).await;
    page.is(200).has("data-claim=\"openid\"").has("不含您的任何资料");
    assert_eq!(page.body.matches("data-claim=").count(), 1);
    browser.post(&place, &[("consent", "allow")]).await.is(303);
    browser.get("/account").await.has("再次到来时认出您 · 允许于");
    // Whoever asks for more is said to get that.
    let place = begin_for(&mut browser, "openid%20phone", "&prompt=consent").await;
    browser.get(&place).await.has("data-claim=\"phone\"").lacks("data-claim=\"openid\"");
}

async fn consent_has_one_line_a_group_and_is_remembered(site: Site) {
    site.citizen().await;
    partner(&site).await;
    let mut browser = site.browser();
    let place = begin(&mut browser, "").await;
    assert!(place.starts_with("/signin?flow="), "{place}");
    let page = browser.get(&place).await;
    let policy = page.is(200).headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(!policy.contains("form-action"), "the answer redirects to the partner: {policy}");
    let answer = browser.post(&place, &[("identifier", "lin"), ("password", PASSWORD)]).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.starts_with("/consent?flow="), "{place}");
    let page = browser.get(&place).await;
    page.is(200).has("name=\"consent\" value=\"allow\"").has("name=\"consent\" value=\"deny\"");
    assert_eq!(page.body.matches("data-claim=").count(), 2);
    // Attacks row 37.
    let english = browser.get(&format!("{place}&lang=en")).await;
    english.has("Min &#60;b&#62;Portal&#60;/b&#62;").lacks("<b>Portal");
    // Another browser cannot answer it.
    let mut other = site.browser();
    other.sign_in("lin", PASSWORD).await.is(303);
    other.post(&place, &[("consent", "allow")]).await.is(400).has("role=\"alert\"");
    let answer = browser.post(&place, &[("consent", "allow")]).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.starts_with("http://localhost:8081/callback?code="), "{place}");
    let again = begin(&mut browser, "").await;
    assert!(again.starts_with("http://localhost:8081/callback?code="), "{again}");

    let page = browser.get("/account").await;
    page.has("data-consent=\"partner\"").has("data-event=\"consent\"");
    let answer = browser.post("/account/consents/withdraw", &[("client_id", "partner")]).await;
    browser.follow(&answer).await.lacks("data-consent=").has("data-event=\"consent_withdrawn\"");
    assert!(begin(&mut browser, "").await.starts_with("/consent?flow="));
}

async fn saying_no_tells_the_partner(site: Site) {
    site.citizen().await;
    partner(&site).await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let place = begin(&mut browser, "").await;
    let answer = browser.post(&place, &[("consent", "deny")]).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.contains("error=access_denied"), "{place}");
}

async fn a_face_check_raises_the_level_once_it_is_confirmed_server_to_server(site: Site) {
    site.citizen().await;
    partner(&site).await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let place = begin(&mut browser, "&acr_values=urn%3Atongban%3Aproofing%3A4").await;
    assert!(place.starts_with("/stepup?flow="), "{place}");
    browser.get(&place).await.is(200).has("notice-simulator").has("value=\"go\"");
    let answer = browser.post(&place, &[("step", "go")]).await;
    let back = answer.is(303).location().strip_prefix("http://localhost:8080").unwrap().to_owned();
    // Coming back proves nothing.
    let answer = browser.get(&back).await;
    browser.follow(&answer).await.is(200).has("role=\"status\"").has("value=\"go\"");
    *site.faces.0.lock().unwrap() = FaceResult::Mismatch;
    let answer = browser.get(&back).await;
    browser.follow(&answer).await.is(200).has("role=\"alert\"");
    *site.faces.0.lock().unwrap() = FaceResult::Match;
    // That check has ended; a new one is needed.
    browser.get(&back).await.is(303);
    browser.get("/account").await.has("data-proofing=\"3\"");
    let answer = browser.post(&place, &[("step", "go")]).await;
    let back = answer.location().strip_prefix("http://localhost:8080").unwrap().to_owned();
    let before = browser.cookies.clone();
    let answer = browser.get(&back).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.starts_with("/consent?flow="), "{place}");
    browser.get("/account").await.has("data-proofing=\"4\"").has("data-event=\"proofing_raised\"");
    // Attacks row 20: the session has a new secret.
    let mut thief = site.browser();
    thief.cookies = before;
    thief.get("/account").await.is(303);
}

async fn what_cannot_be_reached_has_a_way_out(site: Site) {
    // Declared only: no face check without a real name.
    site.citizen_at(2).await;
    partner(&site).await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let place = begin(&mut browser, "&acr_values=urn%3Atongban%3Aproofing%3A4").await;
    browser.get(&place).await.is(200).lacks("value=\"go\"").has("value=\"stop\"");
    let answer = browser.post(&place, &[("step", "stop")]).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.contains("error=unmet_authentication_requirements"), "{place}");
}

async fn a_second_factor_raises_the_session(site: Site) {
    site.citizen().await;
    partner(&site).await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let place = begin(&mut browser, "&acr_values=urn%3Atongban%3Aauth%3A2").await;
    assert!(place.starts_with("/stepup?flow="), "{place}");
    let answer = browser.post(&place, &[("step", "go")]).await;
    let page = browser.follow(&answer).await;
    page.is(200).has("name=\"code\"").lacks(PHONE);
    let code = site.code().await;
    let answer = browser.post(answer.location(), &[("code", &code)]).await;
    let place = to_page(&mut browser, answer.location().to_owned()).await;
    assert!(place.starts_with("/consent?flow="), "{place}");
}

async fn a_lost_flow_is_a_page(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    for path in ["/consent", "/consent?flow=none", "/stepup?flow=none"] {
        browser.get(path).await.is(400).has("role=\"alert\"");
    }
}

async fn the_partners_wish_goes_before_the_account_and_the_account_before_the_browser(site: Site) {
    partner(&site).await;
    site.citizen().await;
    let mut here = site.browser();
    here.sign_in("lin", PASSWORD).await.is(303);
    here.post("/account/language", &[("language", "en")]).await.is(303);
    here.get("/account").await.has("<html lang=\"en\"");
    // Another browser of hers, which reads Chinese and was never told otherwise.
    let mut there = site.browser();
    there.get("/signin").await.has("<html lang=\"zh-CN\"");
    there.sign_in("lin", PASSWORD).await.is(303);
    there.get("/account").await.has("<html lang=\"en\"");
    let place = begin(&mut there, "&ui_locales=fr%20zh-CN").await;
    let consent = to_page(&mut there, place).await;
    there.get(&consent).await.has("<html lang=\"zh-CN\"");
    // What she chooses on the page itself goes before all of it.
    there.get(&format!("{consent}&lang=en")).await.has("<html lang=\"en\"");
    there.get(&consent).await.has("<html lang=\"en\"");
}

on_both! { Site:
    core_2_who_asks_for_openid_alone_is_said_to_get_a_number_and_no_data;
    consent_has_one_line_a_group_and_is_remembered;
    saying_no_tells_the_partner;
    a_face_check_raises_the_level_once_it_is_confirmed_server_to_server;
    what_cannot_be_reached_has_a_way_out;
    a_second_factor_raises_the_session;
    a_lost_flow_is_a_page;
    the_partners_wish_goes_before_the_account_and_the_account_before_the_browser;
}
