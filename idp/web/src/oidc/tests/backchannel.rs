//! Requests over the back channel (CIBA Core, FAPI-CIBA).

use std::sync::Arc;

use http::{Method, StatusCode};
use idp_domain::outgoing::{Answer as Fetched, Failure, Limits, Outgoing};
use idp_protocol::jose::{Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::house::{Answer, Browser, House, ISSUER, SECRET, basic, claims, on_both};

const GRANT: &str = "urn:openid:params:grant-type:ciba";
const PHONE: &str = "13800130001";

async fn with_client(house: &House) {
    house
        .register(json!({"client_id": "desk", "client_secret": SECRET, "client_name": "窗口",
            "grant_types": [GRANT, "refresh_token"], "sector": "desk", "response_types": [],
            "backchannel_token_delivery_mode": "poll", "scope": "openid profile"}))
        .await;
}

async fn ask(house: &House, extra: &[(&str, &str)]) -> Answer {
    let mut fields =
        vec![("scope", "openid profile"), ("login_hint", PHONE), ("binding_message", "1234")];
    for (name, value) in extra {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields.retain(|(_, value)| !value.is_empty());
    house.post("/oauth2/ciba", &[basic("desk", SECRET)], &fields).await
}

async fn asked(house: &House) -> String {
    let answer = ask(house, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["auth_req_id"].as_str().unwrap().to_owned()
}

async fn poll(house: &House, id: &str) -> Answer {
    house.wait(5_000);
    let fields = [("grant_type", GRANT), ("auth_req_id", id)];
    house.post("/oauth2/token", &[basic("desk", SECRET)], &fields).await
}

/// The person opens the list, the request, and decides.
async fn decide(house: &House, browser: &mut Browser, choice: &str) -> Answer {
    let onward = chosen(house, browser, choice).await;
    browser.get(house, &onward).await
}

/// The same up to the decision; gives the address at which it ends.
async fn chosen(house: &House, browser: &mut Browser, choice: &str) -> String {
    let list = browser.get(house, "/account/requests").await;
    let (_, rest) = list.body.split_once("data-request=\"").expect("nothing waits");
    let id = rest.split('"').next().unwrap().to_owned();
    assert!(list.body.contains("窗口") && list.body.contains("1234"), "{}", list.body);
    let site = [("sec-fetch-site", "same-origin".to_owned())];
    let answer = browser.post(house, "/account/requests", &site, &[("request", &id)]).await;
    let answer = browser.get(house, answer.location()).await;
    let confirm = answer.location().to_owned();
    let page = browser.get(house, &confirm).await;
    assert!(page.body.contains("窗口") && page.body.contains("1234"), "{}", page.body);
    let answer = browser.post(house, &confirm, &site, &[("consent", choice)]).await;
    answer.location().to_owned()
}

async fn ciba_10_the_person_allows_and_the_client_gets_its_tokens_once(house: House) {
    with_client(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let answer = ask(&house, &[]).await.json();
    assert_eq!((&answer["expires_in"], &answer["interval"]), (&json!(120), &json!(5)));
    let id = answer["auth_req_id"].as_str().unwrap();
    assert_eq!(poll(&house, id).await.error(), "authorization_pending");
    assert_eq!(decide(&house, &mut browser, "allow").await.status, StatusCode::OK);
    let tokens = poll(&house, id).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let tokens = tokens.json();
    let token = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&token["aud"], &token["iss"]), (&json!("desk"), &json!(ISSUER)));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.json()["name"], "林小满");
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(poll(&house, id).await.error(), "invalid_grant", "single use");
    assert!(browser.get(&house, "/account/audit").await.body.contains("ciba_allowed"));
}

async fn ciba_11_a_refusal_an_expiry_and_a_hurry_have_their_codes(house: House) {
    with_client(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let id = asked(&house).await;
    assert_eq!(decide(&house, &mut browser, "deny").await.status, StatusCode::OK);
    assert_eq!(poll(&house, &id).await.error(), "access_denied");
    let short = ask(&house, &[("requested_expiry", "10")]).await.json();
    assert_eq!(short["expires_in"], 10);
    let short = short["auth_req_id"].as_str().unwrap();
    assert_eq!(poll(&house, short).await.error(), "authorization_pending");
    let fields = [("grant_type", GRANT), ("auth_req_id", short)];
    let hurried = house.post("/oauth2/token", &[basic("desk", SECRET)], &fields).await;
    assert_eq!(hurried.error(), "slow_down");
    house.wait(10_000);
    assert_eq!(poll(&house, short).await.error(), "expired_token");
    // §10.2: whoever was pinged asks at once, however lately it asked before.
    let id = asked(&house).await;
    assert_eq!(poll(&house, &id).await.error(), "authorization_pending");
    assert_eq!(decide(&house, &mut browser, "allow").await.status, StatusCode::OK);
    let fields = [("grant_type", GRANT), ("auth_req_id", id.as_str())];
    let pinged = house.post("/oauth2/token", &[basic("desk", SECRET)], &fields).await;
    assert_eq!(pinged.status, StatusCode::OK, "{pinged:?}");
    house.wait(3_600_000);
    assert_eq!(poll(&house, short).await.error(), "expired_token", "and stays so");
}

/// The person takes her consent back between the decision and its end.
async fn attack_34_a_withdrawal_beside_an_allowed_request_holds(house: House) {
    with_client(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let id = asked(&house).await;
    let onward = chosen(&house, &mut browser, "allow").await;
    house
        .write(|tx| {
            Box::pin(
                async move { idp_store::consent::withdraw(tx, "p1", "desk", 1).await.map(drop) },
            )
        })
        .await;
    assert_eq!(browser.get(&house, &onward).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(poll(&house, &id).await.error(), "authorization_pending");
    assert_eq!(decide(&house, &mut browser, "allow").await.status, StatusCode::OK);
    assert_eq!(poll(&house, &id).await.status, StatusCode::OK);
}

async fn attack_08_another_client_cannot_redeem_it(house: House) {
    with_client(&house).await;
    house
        .register(json!({"client_id": "other", "client_secret": SECRET, "response_types": [],
            "grant_types": [GRANT], "sector": "other", "scope": "openid",
            "backchannel_token_delivery_mode": "poll"}))
        .await;
    let id = asked(&house).await;
    decide(&house, &mut Browser::signed_in(&house).await, "allow").await;
    let fields = [("grant_type", GRANT), ("auth_req_id", id.as_str())];
    let answer = house.post("/oauth2/token", &[basic("other", SECRET)], &fields).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(poll(&house, "tbq_nonsense").await.error(), "invalid_grant");
    assert_eq!(poll(&house, &id).await.status, StatusCode::OK);
}

async fn attack_29_a_hint_that_means_nobody_waits_like_any_other(house: House) {
    with_client(&house).await;
    for hint in ["13999999999", "nobody@example.cn", "no-such-subject"] {
        let answer = ask(&house, &[("login_hint", hint)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{hint}");
        let id = answer.json()["auth_req_id"].as_str().unwrap().to_owned();
        assert_eq!(poll(&house, &id).await.error(), "authorization_pending", "{hint}");
    }
    // Attacks row 30: the document's number means nobody here.
    let born = time::Date::from_calendar_date(1990, time::Month::January, 1).unwrap();
    let number = idp_domain::citizen::number::synthetic(born, 1).unwrap();
    assert_eq!(ask(&house, &[("login_hint", number.as_str())]).await.status, StatusCode::OK);
    let list = Browser::signed_in(&house).await.get(&house, "/account/requests").await;
    assert!(!list.body.contains("data-request"));
}

async fn attack_53_a_request_is_decided_by_whom_it_means(house: House) {
    with_client(&house).await;
    house.person("p2", 2).await;
    let id = asked(&house).await;
    let mut thief = Browser::default();
    thief.sign_in(&house, crate::session::Who::Citizen("p2".into())).await;
    assert!(!thief.get(&house, "/account/requests").await.body.contains("data-request"));
    let own = Browser::signed_in(&house).await.get(&house, "/account/requests").await;
    let (_, rest) = own.body.split_once("data-request=\"").unwrap();
    let row = rest.split('"').next().unwrap();
    let site = [("sec-fetch-site", "same-origin".to_owned())];
    let answer = thief.post(&house, "/account/requests", &site, &[("request", row)]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(poll(&house, &id).await.error(), "authorization_pending");
}

async fn attack_26_a_frozen_account_gets_no_token_by_the_back_channel(house: House) {
    use idp_domain::citizen::account::AccountState;
    with_client(&house).await;
    let id = asked(&house).await;
    decide(&house, &mut Browser::signed_in(&house).await, "allow").await;
    house.set_state(AccountState::Active, AccountState::Frozen).await;
    assert_eq!(poll(&house, &id).await.error(), "invalid_grant");
    let later = asked(&house).await;
    assert_eq!(poll(&house, &later).await.error(), "authorization_pending", "nobody is told");
}

async fn attack_33_whoever_is_asked_again_and_again_is_left_in_peace(house: House) {
    with_client(&house).await;
    for _ in 0..121 {
        asked(&house).await;
    }
    let messages: i64 = house
        .state
        .db
        .read("test", |tx: &mut idp_store::Tx| {
            Box::pin(async move {
                let counts = idp_store::outbox::counts(tx).await?;
                let sms = counts.iter().filter(|(interface, ..)| interface == "sms");
                Ok::<_, idp_store::StoreError>(sms.map(|(.., count)| count).sum())
            })
        })
        .await
        .unwrap();
    assert_eq!(messages, 5);
    // Those have expired; for the rest of the hour nobody can lay another before the person.
    house.wait(180_000);
    asked(&house).await;
    assert!(!waits(&house).await);
    house.wait(3_600_000);
    asked(&house).await;
    assert!(waits(&house).await);
}

/// Whether the person is shown that something waits.
async fn waits(house: &House) -> bool {
    let list = Browser::signed_in(house).await.get(house, "/account/requests").await;
    assert_eq!(list.status, StatusCode::OK);
    list.body.contains("data-request")
}

async fn fapi_ciba_5_2_2_a_client_of_that_policy_signs_and_is_bound(house: House) {
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    house
        .register(json!({"client_id": "strict", "policy": "ciba", "grant_types": [GRANT],
            "response_types": [], "sector": "strict", "scope": "openid",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk()]},
            "backchannel_token_delivery_mode": "poll"}))
        .await;
    let now = house.state.now() / 1000;
    let assertion = |jti: &str| {
        let claims = json!({"iss": "strict", "sub": "strict", "aud": ISSUER, "exp": now + 60,
            "iat": now, "jti": jti});
        signer.sign("JWT", &claims).unwrap()
    };
    let send = async |extra: &[(&str, &str)], jti: &str| {
        let assertion = assertion(jti);
        let mut fields = vec![
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        fields.extend_from_slice(extra);
        house.post("/oauth2/ciba", &[], &fields).await
    };
    let plain = send(&[("scope", "openid"), ("login_hint", PHONE)], "1").await;
    assert_eq!(plain.error(), "invalid_request", "unsigned");
    let object = signer
        .sign(
            "JWT",
            &json!({"iss": "strict", "aud": ISSUER, "exp": now + 60, "iat": now,
            "nbf": now, "jti": "r", "scope": "openid", "login_hint": PHONE}),
        )
        .unwrap();
    let good = send(&[("request", &object)], "2").await;
    assert_eq!(good.status, StatusCode::OK, "{good:?}");
    assert_eq!(send(&[("request", &object)], "3").await.error(), "invalid_request", "again");
    // FAPI-CIBA: no token without a certificate.
    let body = good.json();
    let assertion = assertion("4");
    let fields = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("grant_type", GRANT),
        ("auth_req_id", body["auth_req_id"].as_str().unwrap()),
    ];
    let answer = house.post("/oauth2/token", &[], &fields).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
}

async fn the_demos_person_is_not_in_production(house: House) {
    let answer =
        house.send(Method::GET, "/simulators/ciba?auth_req_id=x&action=allow", &[], "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    with_client(&house).await;
    let id = asked(&house).await;
    let waiting = crate::backchannel::waiting(&house.state.db, house.state.now()).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(crate::backchannel::decide(db, ambient, &waiting[0].id, true).await.unwrap());
    assert!(!crate::backchannel::decide(db, ambient, &waiting[0].id, false).await.unwrap());
    assert_eq!(poll(&house, &id).await.status, StatusCode::OK);
    let unknown: Value = ask(&house, &[("scope", "")]).await.json();
    assert_eq!(unknown["error"], "invalid_scope");
}

/// Address, headers and body.
type Sent = (String, Vec<(String, String)>, String);

/// Remembers what was posted.
#[derive(Default)]
struct Posted(std::sync::Mutex<Vec<Sent>>);

#[async_trait::async_trait]
impl Outgoing for Posted {
    async fn get(&self, _: &str, _: Limits) -> Result<Fetched, Failure> {
        Err(Failure::Closed)
    }
    async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        _: Limits,
    ) -> Result<Fetched, Failure> {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let line = (url.to_owned(), headers.collect(), String::from_utf8(body).unwrap());
        self.0.lock().unwrap().push(line);
        Ok(Fetched { status: 401, ..Fetched::default() })
    }
}

async fn ciba_10_2_a_client_is_pinged_once_the_person_has_decided(house: House) {
    let posted = Arc::new(Posted::default());
    let _ = house.state.outside.set(posted.clone());
    house
        .register(json!({"client_id": "desk", "client_secret": SECRET, "client_name": "窗口",
            "grant_types": [GRANT], "sector": "desk", "response_types": [],
            "backchannel_token_delivery_mode": "ping", "scope": "openid",
            "backchannel_client_notification_endpoint": "https://desk.example/ping"}))
        .await;
    assert_eq!(ask(&house, &[]).await.error(), "invalid_request", "without a token");
    let answer = ask(&house, &[("client_notification_token", "t-1")]).await.json();
    let id = answer["auth_req_id"].as_str().unwrap();
    decide(&house, &mut Browser::signed_in(&house).await, "allow").await;
    let now = house.state.now();
    let rows: Vec<idp_store::outbox::Claimed> = house
        .state
        .db
        .write("test", move |tx: &mut idp_store::Tx| {
            Box::pin(async move {
                let lane = idp_store::outbox::Lane::Notices;
                idp_store::outbox::claim(tx, lane, now, 60_000, 10).await
            })
        })
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    // CIBA Core §10.2: a 401 is an answer; nobody asks again.
    crate::backchannel::ping(&house.state, &rows[0].arguments).await.unwrap();
    let told = posted.0.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "https://desk.example/ping");
    assert!(told[0].1.contains(&("authorization".into(), "Bearer t-1".into())));
    assert_eq!(told[0].2, json!({"auth_req_id": id}).to_string());
    assert_eq!(poll(&house, id).await.status, StatusCode::OK);
}

on_both! {
    ciba_10_2_a_client_is_pinged_once_the_person_has_decided;
    ciba_10_the_person_allows_and_the_client_gets_its_tokens_once;
    ciba_11_a_refusal_an_expiry_and_a_hurry_have_their_codes;
    attack_08_another_client_cannot_redeem_it;
    attack_34_a_withdrawal_beside_an_allowed_request_holds;
    attack_29_a_hint_that_means_nobody_waits_like_any_other;
    attack_53_a_request_is_decided_by_whom_it_means;
    attack_26_a_frozen_account_gets_no_token_by_the_back_channel;
    attack_33_whoever_is_asked_again_and_again_is_left_in_peace;
    fapi_ciba_5_2_2_a_client_of_that_policy_signs_and_is_bound;
    the_demos_person_is_not_in_production;
}
