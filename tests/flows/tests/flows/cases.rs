//! A partner's view of a citizen's cases, as she consented.

use serde_json::json;
use tests_kit::{Browser, Citizen, Deployment, RelyingParty};

const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
const SUBMIT: &str = "[data-form=apply] button[name=action][value=submit]";

async fn case_of(on: &Deployment, browser: &mut Browser, citizen: &Citizen) -> String {
    let examples = on.examples(ENDORSEMENT).await;
    let page = browser.apply(on, ENDORSEMENT, citizen).await.clone();
    let mut form = browser.form(SUBMIT);
    form.fill(&page, &examples);
    browser.send(form).await.fine().one("[data-case-number]").attribute("data-case-number").into()
}

async fn token(on: &Deployment, party: &RelyingParty, scope: &str, citizen: &Citizen) -> String {
    let mut browser = Browser::default();
    let arrived = on.arrive(&mut browser, party, scope, citizen).await;
    let answer = party.redeem(&arrived.code, &arrived.asked.verifier).await;
    answer.text("access_token").to_owned()
}

async fn a_partner_sees_where_the_cases_stand_and_nothing_of_others(on: Deployment) {
    let (hers, his) = (on.citizen(0, 4).await, on.citizen(1, 4).await);
    let number = case_of(&on, &mut Browser::default(), &hers).await;
    let other = case_of(&on, &mut Browser::default(), &his).await;
    let party = on.relying_party(json!({ "scope": "openid cases" })).await;
    let access = token(&on, &party, "openid cases", &hers).await;

    let list = party.get("/api/cases", Some(&access)).await;
    assert_eq!(list.status, 200, "{list:?}");
    // FAPI 1.0 Part 1 §6.2.1-11: each call has a name.
    assert_eq!(list.headers["x-fapi-interaction-id"].len(), 36);
    let cases = list.body["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 1);
    assert_eq!((&cases[0]["number"], &cases[0]["item"]), (&json!(number), &json!(ENDORSEMENT)));
    let one = party.get(&format!("/api/cases/{number}"), Some(&access)).await;
    assert_eq!(one.body["timeline"][0]["event"], "case.submitted", "{one:?}");
    let told = one.body.to_string() + &list.body.to_string();
    for secret in [&hers.person.name, &hers.person.number, &hers.person.phone] {
        assert!(!told.contains(secret.as_str()), "a partner is told where it stands, not who");
    }
    assert_eq!(party.get(&format!("/api/cases/{other}"), Some(&access)).await.status, 404);
    assert!(on.trail(&hers.id).await.iter().any(|line| line == "claims_released"));
}

async fn rfc_9396_a_partner_sees_the_cases_that_were_named_and_no_others(on: Deployment) {
    let citizen = on.citizen(0, 4).await;
    let number = case_of(&on, &mut Browser::default(), &citizen).await;
    let kind = "urn:tongban:case-access";
    let registration = json!({ "scope": "openid", "authorization_details_types": [kind] });
    let party = on.relying_party(registration).await;
    let token = async |named: serde_json::Value| {
        let mut detail = json!({ "type": kind, "actions": ["read"] });
        detail.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        let mut asked = party.ask("openid");
        let details = json!([detail]).to_string();
        asked.url.query_pairs_mut().append_pair("authorization_details", &details);
        let arrived = on.arrive_asking(&mut Browser::default(), &party, asked, &citizen).await;
        let answer = party.redeem(&arrived.code, &arrived.asked.verifier).await;
        answer.text("access_token").to_owned()
    };
    for (named, seen) in [
        (json!({ "items": [ENDORSEMENT] }), 1),
        (json!({ "cases": [number] }), 1),
        (json!({ "items": ["exit-entry.passport-renewal"], "cases": ["X"] }), 0),
    ] {
        let access = token(named).await;
        let list = party.get("/api/cases", Some(&access)).await;
        assert_eq!(list.body["cases"].as_array().unwrap().len(), seen, "{list:?}");
        let one = party.get(&format!("/api/cases/{number}"), Some(&access)).await;
        assert_eq!(one.status, if seen == 1 { 200 } else { 404 }, "{one:?}");
    }
}

async fn rfc6750_3_without_a_token_or_its_scope_nothing_is_told(on: Deployment) {
    let citizen = on.citizen(0, 4).await;
    let party = on.relying_party(json!({ "scope": "openid cases" })).await;
    let challenge = |answer: &tests_kit::Answer| {
        answer.headers["www-authenticate"].to_str().unwrap().to_owned()
    };
    let none = party.get("/api/cases", None).await;
    assert_eq!(none.status, 401);
    assert!(!challenge(&none).contains("error="), "{}", challenge(&none));
    let nonsense = party.get("/api/cases", Some("a.b.c")).await;
    assert_eq!(nonsense.status, 401);
    assert!(challenge(&nonsense).contains("invalid_token"));
    let narrow = token(&on, &party, "openid", &citizen).await;
    let refused = party.get("/api/cases", Some(&narrow)).await;
    assert_eq!(refused.status, 403);
    assert!(challenge(&refused).contains("insufficient_scope"));
    let access = token(&on, &party, "openid cases", &citizen).await;
    assert_eq!(party.get("/api/cases", Some(&access)).await.status, 200);
    party.post("/oauth2/revoke", &[("token", &access)]).await;
    assert_eq!(party.get("/api/cases", Some(&access)).await.status, 401, "revoked");
}

tests_kit::on_both! {
    a_partner_sees_where_the_cases_stand_and_nothing_of_others;
    rfc_9396_a_partner_sees_the_cases_that_were_named_and_no_others;
    rfc6750_3_without_a_token_or_its_scope_nothing_is_told;
}
