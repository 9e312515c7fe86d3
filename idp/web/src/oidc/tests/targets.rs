//! For whom tokens are (RFC 8707), and what they open in particular (RFC 9396).

use http::{Method, StatusCode};
use idp_protocol::ErrorCode;
use idp_protocol::details::{CASE_ACCESS, GROUP};
use serde_json::{Value, json};

use super::house::{Answer, Browser, House, ISSUER, SECRET, basic, bearer, claims, form, on_both};
use crate::oidc::resource::{self, Call};
use crate::oidc::sender::Sender;

const HOME: &str = "https://r.example/cb";
const API: &str = "https://api.example/v1";
const STORE: &str = "urn:example:store";

fn registration() -> Value {
    json!({"client_id": "r", "client_secret": SECRET, "client_name": "查询宝",
        "redirect_uris": [HOME], "legal_basis": "test", "scope": "openid profile cases",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "resources": [API, STORE], "authorization_details_types": [CASE_ACCESS]})
}

/// A client with resources and a type of its own; people consent to it unless `basis`.
async fn partner(house: &House, basis: bool) {
    let mut registration = registration();
    if !basis {
        registration.as_object_mut().unwrap().remove("legal_basis");
    }
    house.register(registration).await;
}

fn access_to(extra: Value) -> Value {
    let mut detail = json!({"type": CASE_ACCESS, "actions": ["read"]});
    detail.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    detail
}

fn text(details: &[Value]) -> String {
    json!(details).to_string()
}

/// An authorization request of the client, and the first answer that is not ours alone.
async fn ask(house: &House, browser: &mut Browser, extra: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("client_id", "r"), ("redirect_uri", HOME), ("response_type", "code")];
    fields.extend_from_slice(extra);
    let first = browser.get(house, &format!("/oauth2/authorize?{}", form(&fields))).await;
    let path = first.location().to_owned();
    if path.starts_with(HOME) { first } else { browser.get(house, &path).await }
}

async fn token(house: &House, fields: &[(&str, &str)]) -> Answer {
    house.post("/oauth2/token", &[basic("r", SECRET)], fields).await
}

async fn redeem(house: &House, asked: &[(&str, &str)], wish: &[(&str, &str)]) -> Answer {
    let mut browser = Browser::signed_in(house).await;
    let code = ask(house, &mut browser, asked).await.query()["code"].clone();
    let mut fields =
        vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", HOME)];
    fields.extend_from_slice(wish);
    token(house, &fields).await
}

async fn refresh(house: &House, tokens: &Value, wish: &[(&str, &str)]) -> Answer {
    let kept = tokens["refresh_token"].as_str().unwrap();
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", kept)];
    fields.extend_from_slice(wish);
    token(house, &fields).await
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

async fn introspected(house: &House, token: &str) -> Value {
    house.post("/oauth2/introspect", &[basic("r", SECRET)], &[("token", token)]).await.json()
}

async fn opened(house: &House, token: &str) -> Result<resource::Opened, ErrorCode> {
    let (_, authorization) = bearer(token);
    let call = Call { authorization, sender: Sender::default() };
    let answer = resource::citizen(&house.state, &call, "cases", "a").await.unwrap();
    answer.map(Option::unwrap).map_err(|refusal| refusal.code)
}

async fn rfc_8707_2_a_token_is_for_the_resources_that_were_asked_for(house: House) {
    partner(&house, true).await;
    let scope = ("scope", "openid profile");
    let plain = redeem(&house, &[scope], &[]).await.json();
    assert_eq!(claims(access(&plain))["aud"], ISSUER);
    let asked = [scope, ("resource", API), ("resource", ISSUER)];
    let both = redeem(&house, &asked, &[]).await.json();
    assert_eq!(claims(access(&both))["aud"], json!([API, ISSUER]));
    assert_eq!(house.userinfo(access(&both)).await.status, StatusCode::OK);
    // RFC 8707 §2.2: one token for one of them; the other is still to be had.
    let narrow = refresh(&house, &both, &[("resource", API)]).await.json();
    assert_eq!(claims(access(&narrow))["aud"], API);
    assert_eq!(introspected(&house, access(&narrow)).await["aud"], API);
    let other = refresh(&house, &narrow, &[("resource", ISSUER)]).await.json();
    assert_eq!(claims(access(&other))["aud"], ISSUER);
    let whole = refresh(&house, &other, &[]).await.json();
    assert_eq!(claims(access(&whole))["aud"], json!([API, ISSUER]));
    // At the redemption, too.
    let one = redeem(&house, &asked, &[("resource", API)]).await.json();
    assert_eq!(claims(access(&one))["aud"], API);
}

async fn rfc_8707_3_a_token_for_another_resource_opens_nothing_here(house: House) {
    partner(&house, true).await;
    let asked = [("scope", "openid cases"), ("resource", API)];
    let tokens = redeem(&house, &asked, &[]).await.json();
    let refused = house.userinfo(access(&tokens)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{refused:?}");
    assert_eq!(opened(&house, access(&tokens)).await.unwrap_err(), ErrorCode::InvalidToken);
    // Its client may still ask about it and revoke it (RFC 7662, RFC 7009).
    assert_eq!(introspected(&house, access(&tokens)).await["active"], true);
    let revoked = [("token", access(&tokens))];
    house.post("/oauth2/revoke", &[basic("r", SECRET)], &revoked).await;
    assert_eq!(introspected(&house, access(&tokens)).await["active"], false);
}

async fn attack_39_resources_never_widen(house: House) {
    partner(&house, true).await;
    let mut browser = Browser::signed_in(&house).await;
    let scope = ("scope", "openid profile");
    for wrong in
        ["https://api.example", "https://api.example/v1#x", "nonsense", "https://evil.example"]
    {
        let answer = ask(&house, &mut browser, &[scope, ("resource", wrong)]).await;
        assert_eq!(answer.query()["error"], "invalid_target", "{wrong}");
    }
    // Registered, but not granted.
    let refused = redeem(&house, &[scope, ("resource", API)], &[("resource", STORE)]).await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::BAD_REQUEST, "invalid_target".into())
    );
    let refused = redeem(&house, &[scope], &[("resource", STORE)]).await;
    assert_eq!(refused.error(), "invalid_target");
    let tokens = redeem(&house, &[scope, ("resource", API)], &[]).await.json();
    for wrong in [ISSUER, STORE, "https://evil.example"] {
        let refused = refresh(&house, &tokens, &[("resource", wrong)]).await;
        assert_eq!(refused.error(), "invalid_target", "{wrong}");
    }
    // A refusal costs nothing: the refresh token is as good as before.
    let again = refresh(&house, &tokens, &[]).await;
    assert_eq!(again.status, StatusCode::OK, "{again:?}");
    // A client by itself.
    let own = ("grant_type", "client_credentials");
    let made = token(&house, &[own, ("scope", "cases"), ("resource", STORE)]).await.json();
    assert_eq!(claims(access(&made))["aud"], STORE);
    let refused = token(&house, &[own, ("scope", "cases"), ("resource", "urn:x:y")]).await;
    assert_eq!(refused.error(), "invalid_target");
}

async fn rfc_8707_2_2_a_code_that_was_asked_for_too_much_is_as_good_as_before(house: House) {
    partner(&house, true).await;
    let mut browser = Browser::signed_in(&house).await;
    let asked = [("scope", "openid profile"), ("resource", API)];
    let code = ask(&house, &mut browser, &asked).await.query()["code"].clone();
    let redeem = async |wish: &[(&str, &str)]| {
        let code = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", HOME)];
        token(&house, &[code.as_slice(), wish].concat()).await
    };
    let wider = text(&[access_to(json!({"items": ["exit-entry.visa"]}))]);
    for (name, much, error) in [
        ("resource", STORE, "invalid_target"),
        ("authorization_details", &wider, "invalid_authorization_details"),
    ] {
        assert_eq!(redeem(&[(name, much)]).await.error(), error);
    }
    let tokens = redeem(&[]).await.json();
    assert_eq!(claims(access(&tokens))["aud"], API);
    // Attacks row 1: used, it is a replay whatever it is asked for.
    assert_eq!(redeem(&[("resource", STORE)]).await.error(), "invalid_grant");
    assert_eq!(refresh(&house, &tokens, &[]).await.error(), "invalid_grant");
}

async fn rfc_9396_7_details_stand_in_every_token_and_open_what_they_name(house: House) {
    partner(&house, true).await;
    let asked = access_to(json!({"items": ["exit-entry.passport-renewal"], "cases": ["N1"]}));
    let sent = text(std::slice::from_ref(&asked));
    // RFC 9396 §3: without any scope.
    let tokens = redeem(&house, &[("authorization_details", &sent)], &[]).await.json();
    assert_eq!(tokens["authorization_details"], json!([asked]));
    assert!(tokens["scope"].is_null() && tokens["id_token"].is_null());
    let token = access(&tokens);
    assert_eq!(claims(token)["authorization_details"], json!([asked]));
    for token in [token, tokens["refresh_token"].as_str().unwrap()] {
        assert_eq!(introspected(&house, token).await["authorization_details"], json!([asked]));
    }
    let open = opened(&house, token).await.unwrap();
    let reach = open.only.unwrap();
    assert!(reach.opens("exit-entry.passport-renewal", "X") && reach.opens("other", "N1"));
    assert!(!reach.opens("other", "N2"));
    assert_eq!(house.trail("p1").await[0].details["claims"], json!([GROUP]));
    // RFC 9396 §6.1: fewer.
    let few = text(&[access_to(json!({"cases": ["N1"]}))]);
    let narrow = refresh(&house, &tokens, &[("authorization_details", &few)]).await.json();
    let reach = opened(&house, access(&narrow)).await.unwrap().only.unwrap();
    assert!(reach.opens("x", "N1") && !reach.opens("exit-entry.passport-renewal", "X"));
    // RFC 9396 §3: the scope is a permission beside them.
    let all = [("scope", "openid cases"), ("authorization_details", sent.as_str())];
    let tokens = redeem(&house, &all, &[]).await.json();
    assert_eq!(opened(&house, access(&tokens)).await.unwrap().only, None);
    // RFC 9396 §7: none of another resource's business.
    let elsewhere = [("resource", API), all[0], all[1]];
    let tokens = redeem(&house, &elsewhere, &[]).await.json();
    assert!(claims(access(&tokens))["authorization_details"].is_null());
}

async fn attack_39_details_never_widen(house: House) {
    partner(&house, true).await;
    let mut browser = Browser::signed_in(&house).await;
    let good = text(&[access_to(json!({"items": ["a.b"]}))]);
    for wrong in [
        "x".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        text(&[json!({"type": "payment_initiation"})]),
        text(&[access_to(json!({}))]),
        text(&[access_to(json!({"items": ["a.b"], "actions": ["write"]}))]),
        text(&[access_to(json!({"items": ["a.b"], "privileges": ["admin"]}))]),
    ] {
        let asked = [("scope", "openid"), ("authorization_details", wrong.as_str())];
        let answer = ask(&house, &mut browser, &asked).await;
        assert_eq!(answer.query()["error"], "invalid_authorization_details", "{wrong}");
    }
    // RFC 9396 §10: another client has not registered the type.
    let answer = browser.authorize(&house, &[("authorization_details", &good)]).await;
    assert_eq!(answer.query()["error"], "invalid_authorization_details");
    let asked = [("scope", "openid"), ("authorization_details", good.as_str())];
    let wider = text(&[access_to(json!({"items": ["a.b", "a.c"]}))]);
    let wish = [("authorization_details", wider.as_str())];
    assert_eq!(redeem(&house, &asked, &wish).await.error(), "invalid_authorization_details");
    let tokens = redeem(&house, &asked, &[]).await.json();
    let refused = refresh(&house, &tokens, &wish).await;
    assert_eq!(refused.error(), "invalid_authorization_details");
    // A token without them and without the scope opens no case.
    let plain = redeem(&house, &[("scope", "openid")], &[]).await.json();
    let refused = refresh(&house, &plain, &[("authorization_details", &good)]).await;
    assert_eq!(refused.error(), "invalid_authorization_details");
    assert_eq!(opened(&house, access(&plain)).await.unwrap_err(), ErrorCode::InsufficientScope);
    // They are a person's to give.
    let own = [("grant_type", "client_credentials"), ("authorization_details", good.as_str())];
    assert_eq!(token(&house, &own).await.error(), "invalid_authorization_details");
}

async fn attack_34_a_person_allows_details_by_name(house: House) {
    partner(&house, false).await;
    let mut browser = Browser::signed_in(&house).await;
    let asked = |item: &str| text(&[access_to(json!({"items": [item]}))]);
    let (first, wider) = (asked("exit-entry.passport-renewal"), asked("exit-entry.visa"));
    let page = ask(&house, &mut browser, &[("authorization_details", &first)]).await;
    let page = page.location().to_owned();
    assert!(page.starts_with("/consent?flow="), "{page}");
    for (lang, sentence) in [("zh-CN", "全部办件"), ("en", "every case of these services")] {
        let cookie = browser.headers()["cookie"].to_str().unwrap().to_owned();
        let path = format!("{page}&lang={lang}");
        let shown = house.send(Method::GET, &path, &[("cookie", cookie)], "").await;
        assert!(shown.body.contains(&format!("data-claim=\"{GROUP}\"")), "{shown:?}");
        assert!(
            shown.body.contains(sentence) && shown.body.contains("exit-entry.passport-renewal")
        );
    }
    let onward = browser.post(&house, &page, &[], &[("consent", "allow")]).await;
    let resume = onward.location().to_owned();
    assert!(browser.get(&house, &resume).await.query().contains_key("code"));
    // Remembered, and no wider.
    let none = ("prompt", "none");
    let again = ask(&house, &mut browser, &[none, ("authorization_details", &first)]).await;
    assert!(again.query().contains_key("code"), "{again:?}");
    let more = ask(&house, &mut browser, &[none, ("authorization_details", &wider)]).await;
    assert_eq!(more.query()["error"], "consent_required");
}

async fn what_the_operator_takes_back_is_not_refreshed(house: House) {
    partner(&house, true).await;
    let details = text(&[access_to(json!({"items": ["a.b"]}))]);
    let asked = [
        ("scope", "openid"),
        ("resource", API),
        ("resource", ISSUER),
        ("authorization_details", &details),
    ];
    let tokens = redeem(&house, &asked, &[]).await.json();
    let only = redeem(&house, &asked[..2], &[]).await.json();
    let mut change = registration();
    change["resources"] = json!([]);
    change["authorization_details_types"] = json!([]);
    crate::clients::update(&house.state.db, &house.state.ambient, change).await.unwrap();
    house.wait(60_000);
    let tokens = refresh(&house, &tokens, &[]).await.json();
    assert_eq!(claims(access(&tokens))["aud"], ISSUER);
    assert!(tokens["authorization_details"].is_null());
    // Never our own API instead of the other's.
    assert_eq!(refresh(&house, &only, &[]).await.error(), "invalid_target");
}

async fn rfc_7662_1_an_interface_learns_whether_a_token_for_it_stands(house: House) {
    partner(&house, true).await;
    for (id, introspects) in [("api", json!([API])), ("ours", json!([ISSUER])), ("none", json!([]))]
    {
        house
            .register(json!({"client_id": id, "client_secret": SECRET, "scope": "",
                "grant_types": ["client_credentials"], "introspects": introspects}))
            .await;
    }
    let active = async |id: &str, token: &str| {
        let asker = [basic(id, SECRET)];
        let answer = house.post("/oauth2/introspect", &asker, &[("token", token)]).await.json();
        assert!(answer["active"] == false || answer["client_id"] == "r", "{answer}");
        answer["active"] == true
    };
    let asked = [("scope", "openid profile"), ("resource", API), ("resource", ISSUER)];
    let both = redeem(&house, &asked, &[]).await.json();
    let theirs = refresh(&house, &both, &[("resource", API)]).await.json();
    let elsewhere = refresh(&house, &theirs, &[("resource", ISSUER)]).await.json();
    assert!(active("api", access(&theirs)).await && active("api", access(&both)).await);
    assert!(!active("api", access(&elsewhere)).await, "for another");
    assert!(!active("api", elsewhere["refresh_token"].as_str().unwrap()).await);
    // Who is this provider, no registration says.
    assert!(!active("ours", access(&both)).await && !active("none", access(&both)).await);
    let gone = [("token", access(&theirs))];
    let revoked = house.post("/oauth2/revoke", &[basic("r", SECRET)], &gone).await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert!(!active("api", access(&theirs)).await, "it learns that it was taken back");
}

on_both! {
    rfc_8707_2_a_token_is_for_the_resources_that_were_asked_for;
    rfc_8707_3_a_token_for_another_resource_opens_nothing_here;
    rfc_8707_2_2_a_code_that_was_asked_for_too_much_is_as_good_as_before;
    attack_39_resources_never_widen;
    rfc_9396_7_details_stand_in_every_token_and_open_what_they_name;
    attack_39_details_never_widen;
    attack_34_a_person_allows_details_by_name;
    what_the_operator_takes_back_is_not_refreshed;
    rfc_7662_1_an_interface_learns_whether_a_token_for_it_stands;
}
