//! OpenID Connect for Identity Assurance, told as the certification programme's modules are.

use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number;
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::NewAccount;
use idp_store::person::Record;
use serde_json::{Value, json};

use super::house::{Browser, House, claims, on_both};
use crate::session::Who;

/// The answers of userinfo endpoint and ID token to a `claims` parameter.
async fn told(house: &House, asked: Value) -> (Value, Value) {
    let mut browser = Browser::signed_in(house).await;
    let tokens = browser.tokens(house, &[("claims", &asked.to_string())]).await;
    let userinfo = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
    (userinfo, claims(tokens["id_token"].as_str().unwrap()))
}

fn request(verified: &Value) -> Value {
    json!({"verification": {"trust_framework": null}, "claims": verified})
}

async fn happy_path(house: House) {
    let asked = json!({
        "verification": {"trust_framework": null, "assurance_level": null, "time": null,
            "evidence": [{"type": null, "check_details": null, "record": null}]},
        "claims": {"name": null, "birthdate": null},
    });
    let asked = json!({"verified_claims": asked});
    let (userinfo, token) = told(&house, json!({"userinfo": asked, "id_token": asked})).await;
    assert_eq!(userinfo["verified_claims"], token["verified_claims"]);
    let told = &userinfo["verified_claims"];
    assert_eq!(told["claims"]["name"], "林小满");
    assert_eq!(told["claims"].as_object().unwrap().len(), 2);
    let verification = &told["verification"];
    assert_eq!(verification["trust_framework"], "cn_resident_identity");
    let level = verification["assurance_level"].as_str().unwrap();
    assert!(level.starts_with("urn:tongban:proofing:"), "{level}");
    assert!(verification["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(verification["evidence"][0]["type"], "electronic_record");
}

async fn attack_10_a_token_narrowed_at_a_refresh_proves_nothing(house: House) {
    let asked = json!({"userinfo": {"verified_claims": request(&json!({"name": null}))}});
    let extra = [("claims", asked.to_string()), ("scope", "openid profile offline_access".into())];
    let extra: Vec<(&str, &str)> =
        extra.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let tokens = Browser::signed_in(&house).await.tokens(&house, &extra).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid")];
    let narrow = house.token(&fields).await.json();
    let userinfo = house.userinfo(narrow["access_token"].as_str().unwrap()).await.json();
    assert!(userinfo.get("name").is_none() && userinfo.get("verified_claims").is_none());
}

async fn happy_path_essential_false_and_empty_objects(house: House) {
    for wish in [json!({"essential": false}), json!({"essential": true}), json!({}), Value::Null] {
        let asked = request(&json!({"name": wish, "birthdate": wish}));
        let (userinfo, _) = told(&house, json!({"userinfo": {"verified_claims": asked}})).await;
        assert_eq!(userinfo["verified_claims"]["claims"].as_object().unwrap().len(), 2, "{wish}");
    }
}

async fn request_claims_unknown_to_the_op_and_random_values_are_omitted(house: House) {
    for claims in [
        json!({"made_up": null, "name": null}),
        json!({"made_up": {"essential": true}, "name": null}),
        json!({"impossible%2F\u{1f600}\"": null, "name": null}),
        json!({"birthdate": {"value": "made up"}, "name": null}),
    ] {
        let asked = json!({"userinfo": {"verified_claims": request(&claims)}});
        let (userinfo, _) = told(&house, asked).await;
        assert_eq!(userinfo["verified_claims"]["claims"], json!({"name": "林小满"}), "{claims}");
    }
    let nothing = request(&json!({"made_up": null}));
    let (userinfo, _) = told(&house, json!({"userinfo": {"verified_claims": nothing}})).await;
    assert!(userinfo.get("verified_claims").is_none());
    // Not JSON of this shape, and so no request.
    let broken = json!({"userinfo": {"verified_claims": {"claims": []}}}).to_string();
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser.authorize(&house, &[("claims", &broken)]).await.query();
    assert_eq!(answer["error"], "invalid_request");
}

async fn request_verified_claims_only_where_they_were_asked_for(house: House) {
    let asked = json!({"verified_claims": request(&json!({"name": null}))});
    let (userinfo, token) = told(&house, json!({"userinfo": asked})).await;
    assert!(userinfo.get("verified_claims").is_some() && token.get("verified_claims").is_none());
    let (userinfo, token) = told(&house, json!({"id_token": asked})).await;
    assert!(userinfo.get("verified_claims").is_none() && token.get("verified_claims").is_some());
    // userinfo-defaults: a scope alone proves nothing.
    let (userinfo, token) = told(&house, json!({})).await;
    assert!(userinfo.get("verified_claims").is_none() && token.get("verified_claims").is_none());
}

async fn ida_5_7_4_another_framework_gets_nothing_and_no_error(house: House) {
    let asked = json!({"verification": {"trust_framework": {"value": "de_aml"}},
        "claims": {"name": null}});
    let (userinfo, _) = told(&house, json!({"userinfo": {"verified_claims": asked}})).await;
    assert!(userinfo.get("verified_claims").is_none() && userinfo["name"] == "林小满");
}

/// A person of a level, and what is told of her.
async fn of_level(house: &House, level: Proofing) -> Value {
    house
        .write(move |tx| {
            Box::pin(async move {
                let born = time::Date::from_calendar_date(1991, time::Month::May, 2).unwrap();
                let number = number::synthetic(born, 77).unwrap();
                let name = PersonName::parse("陈小满").unwrap();
                let record = Record::new(&name, &number, None);
                idp_store::person::create(tx, "p9", &record, level, 1).await?;
                let account = NewAccount {
                    person_id: "p9".to_owned(),
                    phone: None,
                    user_name: Some("p9".to_owned()),
                    email: None,
                    password: "x".to_owned(),
                    language: None,
                };
                idp_store::account::create(tx, &account, 1).await.map(drop)
            })
        })
        .await;
    let mut browser = Browser::default();
    browser.sign_in(house, Who::Citizen("p9".into())).await;
    let verification = json!({"trust_framework": null, "assurance_level": null, "evidence": null});
    let asked = json!({"verification": verification, "claims": {"name": null}});
    let asked = json!({"userinfo": {"verified_claims": asked}});
    let tokens = browser.tokens(house, &[("claims", &asked.to_string())]).await;
    let userinfo = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
    assert_eq!(userinfo["name"], "陈小满");
    userinfo["verified_claims"].clone()
}

async fn below_a_matched_identity_nothing_is_proven(house: House) {
    assert!(of_level(&house, Proofing::Declared).await.is_null());
}

async fn of_a_proof_at_a_counter_no_comparison_is_told_that_nobody_knows_of(house: House) {
    let told = of_level(&house, Proofing::Counter).await;
    assert_eq!(told["verification"]["assurance_level"], "urn:tongban:proofing:5");
    assert!(told["verification"].get("evidence").is_none(), "{told}");
}

on_both! {
    happy_path;
    attack_10_a_token_narrowed_at_a_refresh_proves_nothing;
    happy_path_essential_false_and_empty_objects;
    request_claims_unknown_to_the_op_and_random_values_are_omitted;
    request_verified_claims_only_where_they_were_asked_for;
    ida_5_7_4_another_framework_gets_nothing_and_no_error;
    below_a_matched_identity_nothing_is_proven;
    of_a_proof_at_a_counter_no_comparison_is_told_that_nobody_knows_of;
}
