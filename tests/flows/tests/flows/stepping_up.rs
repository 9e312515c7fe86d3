//! A higher proofing level on demand: the face check, and its refusals.

use serde_json::json;
use tests_kit::{Asked, Browser, Citizen, Deployment, RelyingParty};

const LEVEL_4: &str = "urn:tongban:proofing:4";

/// Signs in for a partner that asks for level 4; the browser stands before the face check.
async fn asked_for_more(
    on: &Deployment,
    browser: &mut Browser,
    citizen: &Citizen,
) -> (RelyingParty, Asked) {
    let party = on.relying_party(json!({ "sector_identifier": "partner.example" })).await;
    let mut asked = party.ask("openid profile");
    asked.url.query_pairs_mut().append_pair("acr_values", LEVEL_4);
    browser.open(asked.url.as_str()).await;
    browser.sign_in(citizen).await.fine();
    let page = browser.page();
    assert!(page.url.path() == "/stepup" && page.has(".notice-simulator"), "{}", page.told());
    (party, asked)
}

async fn a_face_that_matches_raises_the_level(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    let (party, asked) = asked_for_more(&on, &mut browser, &citizen).await;
    let page = browser.press("button[name=step][value=go]", &[]).await.fine();
    assert!(page.url.as_str().starts_with(&on.outside.face), "{}", page.told());
    let page = browser.press("button[name=face][value=mismatch]", &[]).await;
    assert!(page.alert().is_some(), "a face that does not match is told: {}", page.told());
    assert!(!on.trail(&citizen.id).await.contains(&"proofing_raised".to_owned()));

    browser.press("button[name=step][value=go]", &[]).await.fine();
    browser.press("button[name=face][value=match]", &[]).await;
    let page = browser.allow().await;
    let code = page.parameter("code").unwrap_or_else(|| panic!("no code: {}", page.told()));
    let answer = party.redeem(&code, &asked.verifier).await;
    let claims = answer.claims("id_token");
    assert_eq!(claims["acr"], LEVEL_4, "{claims}");
    assert_eq!(claims["proofing_level"], 4, "{claims}");
    assert!(on.trail(&citizen.id).await.contains(&"proofing_raised".to_owned()));
}

async fn a_level_is_raised_by_what_the_counterpart_says_not_by_the_return(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    asked_for_more(&on, &mut browser, &citizen).await;
    browser.press("button[name=step][value=go]", &[]).await.fine();
    // Back by hand, without having pressed anything there: the check still waits.
    let asked = on.outside.journal(&on.outside.face).await;
    let check = asked.iter().find(|line| line["operation"] == "create").expect("a check");
    let back = check["request"].to_string();
    let at = back.find("http://localhost").expect("a return address");
    let back: String = back[at..].chars().take_while(|c| !"\"\\".contains(*c)).collect();
    let page = browser.open(&back).await;
    assert!(page.url.path().starts_with("/stepup"), "{}", page.told());
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-proofing='3']"), "{}", page.told());
}

async fn who_stops_goes_back_to_the_partner_without_the_level(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    let (party, asked) = asked_for_more(&on, &mut browser, &citizen).await;
    let page = browser.press("button[name=step][value=stop]", &[]).await;
    assert!(page.url.as_str().starts_with(&party.redirect_uri), "{}", page.told());
    assert_eq!(page.parameter("state").as_deref(), Some(asked.state.as_str()));
    assert!(page.parameter("error").is_some() && page.parameter("code").is_none(), "{}", page.url);
}

tests_kit::on_both! {
    a_face_that_matches_raises_the_level;
    a_level_is_raised_by_what_the_counterpart_says_not_by_the_return;
    who_stops_goes_back_to_the_partner_without_the_level;
}
