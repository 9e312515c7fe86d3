//! Token exchange (RFC 8693): a service acts on for a person, with less and never with more.

use http::{Method, StatusCode};
use idp_domain::citizen::account::AccountState;
use idp_protocol::ErrorCode;
use idp_protocol::exchange::{ACCESS_TOKEN, GRANT};
use serde_json::{Value, json};

use super::dpop::Key;
use super::house::{Answer, BACK, Browser, House, ISSUER, SECRET, basic, claims, form, on_both};
use crate::oidc::resource::{self, Call};
use crate::oidc::sender::Sender;
use crate::session::Who;

const API: &str = "https://api.example/v1";
const STORE: &str = "urn:example:store";

pub(super) fn front(may_act: &[&str]) -> Value {
    json!({"client_id": "front", "client_secret": SECRET, "client_name": "前台",
        "redirect_uris": [BACK], "legal_basis": "test", "scope": "openid profile cases report",
        "grant_types": ["authorization_code", "refresh_token"], "resources": [API, STORE],
        "may_act": may_act})
}

pub(super) fn service(id: &str, may_act: &[&str]) -> Value {
    json!({"client_id": id, "client_secret": SECRET, "client_name": format!("服务{id}"),
        "grant_types": [GRANT, "client_credentials"], "scope": "openid profile cases other",
        "resources": [API], "may_act": may_act})
}

/// A partner with its page, a service behind it, one behind that, and a stranger.
pub(super) async fn houses(house: &House) {
    for registration in
        [front(&["s"]), service("s", &["deep"]), service("deep", &[]), service("stranger", &[])]
    {
        house.register(registration).await;
    }
}

/// Tokens of the partner with the page.
pub(super) async fn tokens(house: &House, asked: &[(&str, &str)]) -> Value {
    let mut browser = Browser::signed_in(house).await;
    let mut fields =
        vec![("client_id", "front"), ("redirect_uri", BACK), ("response_type", "code")];
    fields.extend_from_slice(asked);
    let first = browser.get(house, &format!("/oauth2/authorize?{}", form(&fields))).await;
    let path = first.location().to_owned();
    let code = browser.get(house, &path).await.query()["code"].clone();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
    house.post("/oauth2/token", &[basic("front", SECRET)], &fields).await.json()
}

pub(super) async fn whole(house: &House) -> String {
    let scope = ("scope", "openid profile cases report");
    let asked = [scope, ("resource", ISSUER), ("resource", API), ("resource", STORE)];
    access(&tokens(house, &asked).await)
}

pub(super) fn access(tokens: &Value) -> String {
    tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned()
}

/// A request of a client, with what a test adds.
pub(super) async fn exchange(
    house: &House,
    id: &str,
    token: &str,
    extra: &[(&str, &str)],
) -> Answer {
    let mut fields = vec![("grant_type", GRANT), ("subject_token", token)];
    fields.push(("subject_token_type", ACCESS_TOKEN));
    fields.extend_from_slice(extra);
    house.post("/oauth2/token", &[basic(id, SECRET)], &fields).await
}

pub(super) async fn introspected(house: &House, id: &str, token: &str) -> Value {
    house.post("/oauth2/introspect", &[basic(id, SECRET)], &[("token", token)]).await.json()
}

pub(super) async fn opened(house: &House, token: &str) -> Result<resource::Opened, ErrorCode> {
    let authorization = format!("Bearer {token}");
    let call = Call { authorization, sender: Sender::default() };
    let answer = resource::citizen(&house.state, &call, "cases", "a").await.unwrap();
    answer.map(Option::unwrap).map_err(|refusal| refusal.code)
}

async fn rfc_8693_2_2_a_service_acts_on_with_less(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    assert_eq!(claims(&token)["may_act"], json!({"sub": "s"}));
    let made = exchange(&house, "s", &token, &[("audience", API)]).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert_eq!(made.headers["cache-control"], "no-store");
    let made = made.json();
    assert_eq!(made["issued_token_type"], ACCESS_TOKEN);
    assert_eq!((&made["token_type"], &made["scope"]), (&json!("Bearer"), &json!("cases")));
    assert!(made["refresh_token"].is_null() && made["id_token"].is_null());
    let told = claims(&access(&made));
    assert_eq!((&told["aud"], &told["client_id"]), (&json!(API), &json!("s")));
    // RFC 8693 §4.1: the person is the subject, the service the actor.
    assert_eq!(told["act"], json!({"sub": "s"}));
    assert_eq!(told["may_act"], json!({"sub": "deep"}));
    // OpenID Connect Core §8: the service does not learn by which name the partner knows her.
    assert_ne!(told["sub"], claims(&token)["sub"]);
    let about = introspected(&house, "s", &access(&made)).await;
    assert_eq!((&about["active"], &about["act"]), (&json!(true), &json!({"sub": "s"})));
    // The person sees who acted.
    let line = &house.trail("p1").await[0];
    assert_eq!((line.kind.as_str(), line.actor.as_str()), ("token_exchanged", "client:s"));
    assert_eq!(
        (&line.details["for"], &line.details["claims"]),
        (&json!("front"), &json!(["cases"]))
    );
    // RFC 8693 §4.1: a chain tells all of its members.
    let deep = exchange(&house, "deep", &access(&made), &[]).await.json();
    assert_eq!(claims(&access(&deep))["act"], json!({"sub": "deep", "act": {"sub": "s"}}));
    assert_eq!(claims(&access(&deep))["aud"], API);
}

async fn rfc_8693_2_1_an_exchanged_token_opens_what_it_names(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let made = access(&exchange(&house, "s", &token, &[("resource", ISSUER)]).await.json());
    assert_eq!(opened(&house, &made).await.unwrap(), opened(&house, &token).await.unwrap());
    // It is the service that looked, and she is told so.
    assert_eq!(house.trail("p1").await[1].details["client"], "s");
    // Who she is was consented to with the partner, not with the service behind it.
    let refused = house.userinfo(&made).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    // One for another resource opens nothing here.
    let other = access(&exchange(&house, "s", &token, &[("resource", API)]).await.json());
    assert_eq!(opened(&house, &other).await.unwrap_err(), ErrorCode::InvalidToken);
}

async fn attack_39_an_exchange_never_widens(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let narrow = access(&tokens(&house, &[("scope", "openid cases"), ("resource", API)]).await);
    for (token, name, value, error) in [
        (&token, "scope", "cases report", "invalid_scope"), // not the service's
        (&token, "scope", "other", "invalid_scope"),        // not the token's
        (&token, "scope", "openid cases", "invalid_scope"), // not to be passed on
        (&token, "scope", "profile", "invalid_scope"),
        (&token, "resource", STORE, "invalid_target"), // not the service's
        (&token, "audience", STORE, "invalid_target"),
        (&token, "audience", "front", "invalid_target"),
        (&narrow, "resource", ISSUER, "invalid_target"), // not the token's
        (&narrow, "audience", ISSUER, "invalid_target"),
    ] {
        let refused = exchange(&house, "s", token, &[(name, value)]).await;
        assert_eq!((refused.status.as_u16(), refused.error().as_str()), (400, error), "{value}");
    }
    // Without a wish: what both have.
    let made = exchange(&house, "s", &token, &[]).await.json();
    assert_eq!(claims(&access(&made))["aud"], json!([ISSUER, API]));
    assert_eq!(made["scope"], "cases");
    // Nothing that both have.
    let none = access(&tokens(&house, &[("scope", "openid profile report")]).await);
    assert_eq!(exchange(&house, "s", &none, &[]).await.error(), "invalid_scope");
    let store = access(&tokens(&house, &[("scope", "cases"), ("resource", STORE)]).await);
    assert_eq!(exchange(&house, "s", &store, &[]).await.error(), "invalid_target");
    // A narrow one stays narrow along the chain.
    let thin = [("resource", API)];
    let thin = access(&exchange(&house, "s", &token, &thin).await.json());
    let refused = exchange(&house, "deep", &thin, &[("resource", ISSUER)]).await;
    assert_eq!(refused.error(), "invalid_target");
}

async fn attack_39_only_those_whom_the_operator_named_act(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    for id in ["stranger", "deep"] {
        let refused = exchange(&house, id, &token, &[]).await;
        assert_eq!((refused.status.as_u16(), refused.error().as_str()), (400, "invalid_request"));
    }
    // Not registered for the grant at all, even for a token of its own.
    let refused = exchange(&house, "front", &token, &[]).await;
    assert_eq!(refused.error(), "unauthorized_client");
    // The operator takes it back: from now on.
    crate::clients::update(&house.state.db, &house.state.ambient, front(&[])).await.unwrap();
    house.wait(5_000);
    assert_eq!(exchange(&house, "s", &token, &[]).await.error(), "invalid_request");
    // A token that was made for another actor, by a registration that now names this one.
    let names = front(&["stranger"]);
    crate::clients::update(&house.state.db, &house.state.ambient, names).await.unwrap();
    house.wait(5_000);
    assert_eq!(exchange(&house, "stranger", &token, &[]).await.error(), "invalid_request");
}

async fn attack_39_an_actor_token_is_the_clients_own(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let own = |id: &'static str| {
        let fields = [("grant_type", "client_credentials")];
        let house = &house;
        async move { access(&house.post("/oauth2/token", &[basic(id, SECRET)], &fields).await.json()) }
    };
    let (mine, another) = (own("s").await, own("stranger").await);
    let with = |text: String| {
        let (house, token) = (&house, &token);
        async move {
            let actor = [("actor_token", text.as_str()), ("actor_token_type", ACCESS_TOKEN)];
            exchange(house, "s", token, &actor).await
        }
    };
    assert_eq!(with(mine.clone()).await.status, StatusCode::OK);
    for wrong in [another, token.clone(), "x".to_owned()] {
        assert_eq!(with(wrong).await.error(), "invalid_request");
    }
    house.post("/oauth2/revoke", &[basic("s", SECRET)], &[("token", &mine)]).await;
    assert_eq!(with(mine).await.error(), "invalid_request");
}

async fn rfc_8693_2_2_2_a_token_that_is_no_good_is_refused(house: House) {
    houses(&house).await;
    let tokens = tokens(&house, &[("scope", "openid cases")]).await;
    let token = access(&tokens);
    let (id, refresh) = (&tokens["id_token"], &tokens["refresh_token"]);
    for wrong in ["x", id.as_str().unwrap(), refresh.as_str().unwrap(), &format!("{token}x")] {
        assert_eq!(exchange(&house, "s", wrong, &[]).await.error(), "invalid_request", "{wrong}");
    }
    // A client's own token means nobody.
    let fields = [("grant_type", "client_credentials")];
    let own = house.post("/oauth2/token", &[basic("s", SECRET)], &fields).await.json();
    assert_eq!(exchange(&house, "s", &access(&own), &[]).await.error(), "invalid_request");
    let refresh_type = "urn:ietf:params:oauth:token-type:refresh_token";
    let asked = [("requested_token_type", refresh_type)];
    assert_eq!(exchange(&house, "s", &token, &asked).await.error(), "invalid_request");
    // Never later than the token itself.
    house.wait(60_000);
    let made = exchange(&house, "s", &token, &[]).await.json();
    assert_eq!(claims(&access(&made))["exp"], claims(&token)["exp"]);
    let left = claims(&token)["exp"].as_i64().unwrap() - house.state.now() / 1000;
    assert_eq!(made["expires_in"], left);
    house.wait(left * 1000);
    assert_eq!(exchange(&house, "s", &token, &[]).await.error(), "invalid_request");
}

async fn attack_39_what_was_exchanged_falls_with_what_it_came_from(house: House) {
    houses(&house).await;
    let active = |id: &'static str, token: String| {
        let house = &house;
        async move { introspected(house, id, &token).await["active"] == true }
    };
    let chain = || async {
        let token = whole(&house).await;
        let made = access(&exchange(&house, "s", &token, &[]).await.json());
        let deep = access(&exchange(&house, "deep", &made, &[]).await.json());
        assert!(active("s", made.clone()).await && active("deep", deep.clone()).await);
        (token, made, deep)
    };
    // The partner's one token.
    let (token, made, deep) = chain().await;
    house.post("/oauth2/revoke", &[basic("front", SECRET)], &[("token", &token)]).await;
    assert!(!active("s", made.clone()).await && !active("deep", deep).await);
    assert_eq!(exchange(&house, "s", &token, &[]).await.error(), "invalid_request");
    assert_eq!(exchange(&house, "deep", &made, &[]).await.error(), "invalid_request");
    // One in the middle.
    let (token, made, deep) = chain().await;
    house.post("/oauth2/revoke", &[basic("s", SECRET)], &[("token", &made)]).await;
    assert!(active("front", token).await && !active("deep", deep).await);
    // The service is kept out.
    let (_, made, deep) = chain().await;
    let ambient = &house.state.ambient;
    crate::clients::disable(&house.state.db, ambient, "s", true).await.unwrap();
    assert_eq!(opened(&house, &made).await.unwrap_err(), ErrorCode::InvalidToken);
    house.wait(5_000);
    assert_eq!(exchange(&house, "deep", &made, &[]).await.error(), "invalid_request");
    crate::clients::disable(&house.state.db, ambient, "s", false).await.unwrap();
    house.wait(5_000);
    // The person takes it back.
    assert!(active("deep", deep.clone()).await);
    house
        .write(|tx| {
            Box::pin(async move { idp_store::grant::revoke_of_person(tx, "p1", 1).await.map(drop) })
        })
        .await;
    assert!(!active("s", made).await && !active("deep", deep).await);
}

async fn attack_26_for_a_frozen_account_nobody_acts(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let made = access(&exchange(&house, "s", &token, &[]).await.json());
    house.set_state(AccountState::Active, AccountState::Frozen).await;
    assert_eq!(exchange(&house, "s", &token, &[]).await.error(), "invalid_request");
    assert_eq!(opened(&house, &made).await.unwrap_err(), ErrorCode::InvalidToken);
    house.set_state(AccountState::Frozen, AccountState::Active).await;
    assert_eq!(exchange(&house, "s", &token, &[]).await.status, StatusCode::OK);
}

async fn attack_34_a_person_is_told_who_else_may_act(house: House) {
    houses(&house).await;
    let mut asking = front(&["s", "gone"]);
    asking["client_id"] = json!("asking");
    asking.as_object_mut().unwrap().remove("legal_basis");
    house.register(asking).await;
    let mut browser = Browser::signed_in(&house).await;
    let fields = [
        ("client_id", "asking"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid cases"),
    ];
    let first = browser.get(&house, &format!("/oauth2/authorize?{}", form(&fields))).await;
    let page = browser.get(&house, first.location()).await.location().to_owned();
    for (lang, sentence) in [("zh-CN", "可代您办理"), ("en", "may act for you")] {
        let cookie = browser.headers()["cookie"].to_str().unwrap().to_owned();
        let path = format!("{page}&lang={lang}");
        let shown = house.send(Method::GET, &path, &[("cookie", cookie)], "").await;
        assert!(shown.body.contains("data-claim=\"may_act\""), "{shown:?}");
        assert!(shown.body.contains(sentence) && shown.body.contains("服务s"), "{shown:?}");
        assert!(!shown.body.contains("gone"));
    }
}

async fn attack_39_for_an_officer_nobody_acts(house: House) {
    house.officer("s1").await;
    let back = "http://localhost:8080/hall/callback";
    house
        .register(json!({"client_id": "hall", "client_secret": SECRET, "legal_basis": "test",
            "redirect_uris": [back], "sector": "hall", "scope": "openid staff cases",
            "may_act": ["s"]}))
        .await;
    house.register(service("s", &[])).await;
    let mut officer = Browser::default();
    officer.sign_in(&house, Who::Staff("s1".into())).await;
    let redirect = ("redirect_uri", back);
    let asked = [("client_id", "hall"), redirect, ("scope", "openid staff cases")];
    let code = officer.code(&house, &asked).await;
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), redirect];
    let made = house.post("/oauth2/token", &[basic("hall", SECRET)], &fields).await.json();
    assert_eq!(exchange(&house, "s", &access(&made), &[]).await.error(), "invalid_request");
}

async fn rfc_8693_5_a_bound_token_stays_bound(house: House) {
    houses(&house).await;
    let mut own = front(&["s"]);
    own["client_id"] = json!("bound");
    own["dpop_bound_access_tokens"] = json!(true);
    own["grant_types"] = json!(["authorization_code", GRANT]);
    house.register(own).await;
    let (key, another) = (Key::new(), Key::new());
    let mut browser = Browser::signed_in(&house).await;
    let fields = [
        ("client_id", "bound"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "cases"),
    ];
    let first = browser.get(&house, &format!("/oauth2/authorize?{}", form(&fields))).await;
    let path = first.location().to_owned();
    let code = browser.get(&house, &path).await.query()["code"].clone();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
    let proof = key.post(&house, "/oauth2/token");
    let made = house.post("/oauth2/token", &[basic("bound", SECRET), proof], &fields).await.json();
    let token = access(&made);
    // The service without a key of its own would have a token that anybody can use.
    assert_eq!(exchange(&house, "s", &token, &[]).await.error(), "invalid_request");
    let with = |id: &'static str, proof: (&'static str, String)| {
        let (house, token) = (&house, token.clone());
        async move {
            let fields = [
                ("grant_type", GRANT),
                ("subject_token", token.as_str()),
                ("subject_token_type", ACCESS_TOKEN),
            ];
            house.post("/oauth2/token", &[basic(id, SECRET), proof], &fields).await
        }
    };
    let made = with("s", another.post(&house, "/oauth2/token")).await.json();
    assert_eq!(made["token_type"], "DPoP");
    assert_eq!(claims(&access(&made))["cnf"]["jkt"], another.jkt());
    // Its own client narrows it with the same key only.
    let refused = with("bound", another.post(&house, "/oauth2/token")).await;
    assert_eq!(refused.error(), "invalid_request");
    let made = with("bound", key.post(&house, "/oauth2/token")).await.json();
    assert_eq!(claims(&access(&made))["cnf"]["jkt"], key.jkt());
    assert!(claims(&access(&made))["act"].is_null());
}

async fn rfc_9396_6_details_are_passed_on_to_those_who_have_the_type(house: House) {
    use idp_protocol::details::CASE_ACCESS;
    let (mut page, mut able) = (front(&["s"]), service("s", &[]));
    page["authorization_details_types"] = json!([CASE_ACCESS]);
    house.register(page).await;
    house.register(service("unable", &[])).await;
    able["authorization_details_types"] = json!([CASE_ACCESS]);
    house.register(able).await;
    let detail = json!({"type": CASE_ACCESS, "actions": ["read"], "cases": ["N1", "N2"]});
    let asked = json!([detail]).to_string();
    let token = access(&tokens(&house, &[("authorization_details", &asked)]).await);
    let made = exchange(&house, "s", &token, &[]).await.json();
    assert_eq!(made["authorization_details"], json!([detail]));
    let few = json!([{"type": CASE_ACCESS, "actions": ["read"], "cases": ["N1"]}]).to_string();
    let made = exchange(&house, "s", &token, &[("authorization_details", &few)]).await.json();
    let reach = opened(&house, &access(&made)).await.unwrap().only.unwrap();
    assert!(reach.opens("x", "N1") && !reach.opens("x", "N2"));
    let wide = json!([{"type": CASE_ACCESS, "actions": ["read"], "cases": ["N3"]}]).to_string();
    let refused = exchange(&house, "s", &token, &[("authorization_details", &wide)]).await;
    assert_eq!(refused.error(), "invalid_authorization_details");
    // Whose registration has not the type.
    let mut page = front(&["unable"]);
    page["authorization_details_types"] = json!([CASE_ACCESS]);
    crate::clients::update(&house.state.db, &house.state.ambient, page).await.unwrap();
    house.wait(5_000);
    let token = access(&tokens(&house, &[("authorization_details", &asked)]).await);
    assert_eq!(exchange(&house, "unable", &token, &[]).await.error(), "invalid_scope");
}

on_both! {
    rfc_8693_2_2_a_service_acts_on_with_less;
    rfc_8693_2_1_an_exchanged_token_opens_what_it_names;
    attack_39_an_exchange_never_widens;
    attack_39_only_those_whom_the_operator_named_act;
    attack_39_an_actor_token_is_the_clients_own;
    rfc_8693_2_2_2_a_token_that_is_no_good_is_refused;
    attack_39_what_was_exchanged_falls_with_what_it_came_from;
    attack_26_for_a_frozen_account_nobody_acts;
    attack_34_a_person_is_told_who_else_may_act;
    attack_39_for_an_officer_nobody_acts;
    rfc_8693_5_a_bound_token_stays_bound;
    rfc_9396_6_details_are_passed_on_to_those_who_have_the_type;
}
