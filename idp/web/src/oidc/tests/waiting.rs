//! Resources and authorization details of requests that a person decides about on a device of their
//! own: the device grant and the back channel (RFC 8707 §2, RFC 9396 §3).

use http::{Method, StatusCode};
use idp_protocol::acr::Wanted;
use idp_protocol::details::{CASE_ACCESS, GROUP};
use idp_protocol::target::Targets;
use idp_protocol::{ErrorCode, ciba, device};
use serde_json::{Value, json};

use super::house::{Answer, Browser, House, ISSUER, SECRET, basic, bearer, claims, on_both};
use crate::oidc::resource::{self, Call};
use crate::oidc::sender::Sender;

const API: &str = "https://api.example/v1";
const STORE: &str = "urn:example:store";
const ITEM: &str = "exit-entry.passport-renewal";
const PHONE: &str = "13800130001";

/// How a request comes to its person.
#[derive(Clone, Copy)]
enum Way {
    Device,
    Backchannel,
}

use Way::{Backchannel, Device};

impl Way {
    fn grant(self) -> (&'static str, &'static str) {
        match self {
            Device => (device::GRANT, "device_code"),
            Backchannel => (ciba::GRANT, "auth_req_id"),
        }
    }
}

async fn partner(house: &House) {
    house
        .register(json!({"client_id": "far", "client_secret": SECRET, "client_name": "自助机",
            "grant_types": [device::GRANT, ciba::GRANT, "refresh_token"], "response_types": [],
            "backchannel_token_delivery_mode": "poll", "sector": "far",
            "scope": "openid profile cases", "resources": [API, STORE],
            "authorization_details_types": [CASE_ACCESS], "may_act": ["a"]}))
        .await;
    // The same without targets.
    house
        .register(json!({"client_id": "plain", "client_secret": SECRET, "response_types": [],
            "grant_types": [device::GRANT, ciba::GRANT], "sector": "plain", "scope": "openid",
            "backchannel_token_delivery_mode": "poll"}))
        .await;
}

fn details(extra: &Value) -> String {
    let mut detail = json!({"type": CASE_ACCESS, "actions": ["read"]});
    detail.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!([detail]).to_string()
}

async fn ask(house: &House, way: Way, client: &str, extra: &[(&str, &str)]) -> Answer {
    let (path, hint) = match way {
        Device => ("/oauth2/device_authorization", None),
        Backchannel => ("/oauth2/ciba", Some(("login_hint", PHONE))),
    };
    let fields: Vec<_> = hint.into_iter().chain(extra.iter().copied()).collect();
    house.post(path, &[basic(client, SECRET)], &fields).await
}

/// The person opens the request, looks at the page and allows; gives the page.
async fn allow(house: &House, way: Way, told: &Value, lang: &str) -> String {
    let mut browser = Browser::signed_in(house).await;
    let site = [("sec-fetch-site", "same-origin".to_owned())];
    let (begun, choice) = match way {
        Device => {
            let code = told["user_code"].as_str().unwrap();
            let begun = browser.post(house, "/device", &[], &[("user_code", code)]).await;
            (begun, ("confirm", "yes"))
        }
        Backchannel => {
            let list = browser.get(house, "/account/requests").await.body;
            let (_, rest) = list.split_once("data-request=\"").expect("nothing waits");
            let id = rest.split('"').next().unwrap();
            let begun = browser.post(house, "/account/requests", &site, &[("request", id)]).await;
            (begun, ("consent", "allow"))
        }
    };
    let confirm = browser.get(house, begun.location()).await.location().to_owned();
    let cookie = browser.headers()["cookie"].to_str().unwrap().to_owned();
    let path = format!("{confirm}&lang={lang}");
    let page = house.send(Method::GET, &path, &[("cookie", cookie)], "").await.body;
    let decided = browser.post(house, &confirm, &site, &[choice]).await;
    browser.get(house, decided.location()).await;
    page
}

async fn poll(house: &House, way: Way, told: &Value, wish: &[(&str, &str)]) -> Answer {
    house.wait(5_000);
    let (grant, name) = way.grant();
    let mut fields = vec![("grant_type", grant), (name, told[name].as_str().unwrap())];
    fields.extend_from_slice(wish);
    house.post("/oauth2/token", &[basic("far", SECRET)], &fields).await
}

/// From the request to the tokens.
async fn given(house: &House, way: Way, asked: &[(&str, &str)], wish: &[(&str, &str)]) -> Answer {
    let told = ask(house, way, "far", asked).await.json();
    allow(house, way, &told, "zh-CN").await;
    poll(house, way, &told, wish).await
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}"))
}

async fn opened(house: &House, token: &str) -> Result<resource::Opened, ErrorCode> {
    let (_, authorization) = bearer(token);
    let call = Call { authorization, sender: Sender::default() };
    let answer = resource::citizen(&house.state, &call, "cases", "a").await.unwrap();
    answer.map(Option::unwrap).map_err(|refusal| refusal.code)
}

async fn rfc_8707_2_tokens_are_for_the_resources_that_were_asked_for_afar(house: House) {
    partner(&house).await;
    for way in [Device, Backchannel] {
        let scope = ("scope", "openid profile");
        let asked = [scope, ("resource", API), ("resource", ISSUER)];
        let both = given(&house, way, &asked, &[]).await.json();
        assert_eq!(claims(access(&both))["aud"], json!([API, ISSUER]));
        let kept = both["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", kept), ("resource", API)];
        let narrow = house.post("/oauth2/token", &[basic("far", SECRET)], &fields).await.json();
        assert_eq!(claims(access(&narrow))["aud"], API);
        // RFC 8707 §2.2: one of them, at the first answer, too.
        let one = given(&house, way, &asked, &[("resource", API)]).await.json();
        assert_eq!(claims(access(&one))["aud"], API);
        let plain = given(&house, way, &[scope], &[]).await.json();
        assert_eq!(claims(access(&plain))["aud"], ISSUER);
    }
}

async fn rfc_9396_3_details_asked_for_afar_are_shown_and_open_what_they_name(house: House) {
    partner(&house).await;
    let asked = details(&json!({"items": [ITEM], "cases": ["N1"]}));
    let few = details(&json!({"cases": ["N1"]}));
    for (way, scope) in [(Device, ""), (Backchannel, "openid")] {
        for (lang, sentence) in [("zh-CN", "全部办件"), ("en", "every case of these services")]
        {
            let fields = [("scope", scope), ("authorization_details", asked.as_str())];
            let told = ask(&house, way, "far", &fields).await.json();
            let page = allow(&house, way, &told, lang).await;
            // Attacks row 34: by name, on the page where it is allowed.
            assert!(page.contains(&format!("data-claim=\"{GROUP}\"")), "{page}");
            assert!(page.contains(sentence) && page.contains(ITEM) && page.contains("N1"));
            let tokens = poll(&house, way, &told, &[]).await.json();
            assert_eq!(tokens["authorization_details"].to_string(), asked);
            // Without a scope beside them none was meant, though one is registered.
            assert_eq!(tokens["scope"].as_str().unwrap_or_default(), scope);
            let reach = opened(&house, access(&tokens)).await.unwrap().only.unwrap();
            assert!(reach.opens(ITEM, "X") && reach.opens("other", "N1"));
            assert!(!reach.opens("other", "N2"));
        }
        let fields = [("scope", scope), ("authorization_details", asked.as_str())];
        let wish = [("authorization_details", few.as_str())];
        let narrow = given(&house, way, &fields, &wish).await.json();
        let reach = opened(&house, access(&narrow)).await.unwrap().only.unwrap();
        assert!(reach.opens("x", "N1") && !reach.opens(ITEM, "X"));
    }
}

async fn attack_34_who_may_act_is_told_where_it_is_allowed(house: House) {
    partner(&house).await;
    for way in [Device, Backchannel] {
        let told = ask(&house, way, "far", &[("scope", "openid profile")]).await.json();
        let page = allow(&house, way, &told, "zh-CN").await;
        assert!(page.contains("data-claim=\"may_act\"") && page.contains("甲"), "{page}");
    }
}

async fn attack_39_nothing_is_wider_because_it_was_asked_for_afar(house: House) {
    partner(&house).await;
    let good = details(&json!({"items": [ITEM]}));
    let wider = details(&json!({"items": [ITEM, "exit-entry.visa"]}));
    let (scope, api) = (("scope", "openid"), ("resource", API));
    for way in [Device, Backchannel] {
        for wrong in ["https://api.example", "https://api.example/v1#x", "nonsense", "urn:x:y"] {
            let answer = ask(&house, way, "far", &[scope, ("resource", wrong)]).await;
            assert_eq!(answer.error(), "invalid_target", "{wrong}");
        }
        for wrong in ["x", "[]", "{}", r#"[{"type":"payment_initiation"}]"#] {
            let answer = ask(&house, way, "far", &[scope, ("authorization_details", wrong)]).await;
            assert_eq!(answer.error(), "invalid_authorization_details", "{wrong}");
        }
        // What another client has registered.
        assert_eq!(ask(&house, way, "plain", &[scope, api]).await.error(), "invalid_target");
        let asked = [scope, ("authorization_details", good.as_str())];
        let answer = ask(&house, way, "plain", &asked).await;
        assert_eq!(answer.error(), "invalid_authorization_details");
        // Registered, but not what the person allowed.
        let store = [("resource", STORE)];
        assert_eq!(given(&house, way, &[scope, api], &store).await.error(), "invalid_target");
        let wish = [("authorization_details", wider.as_str())];
        let answer = given(&house, way, &asked, &wish).await;
        assert_eq!(answer.error(), "invalid_authorization_details");
        let answer = given(&house, way, &[scope], &asked[1..]).await;
        assert_eq!(answer.error(), "invalid_authorization_details");
        // A token for another's resource is none for ours.
        let tokens = given(&house, way, &[scope, api], &[]).await.json();
        assert_eq!(opened(&house, access(&tokens)).await.unwrap_err(), ErrorCode::InvalidToken);
    }
}

async fn rfc_8628_3_5_and_ciba_11_a_request_for_too_much_costs_nothing(house: House) {
    partner(&house).await;
    let wider = details(&json!({"items": [ITEM]}));
    let asked = [("scope", "openid"), ("resource", API)];
    for way in [Device, Backchannel] {
        let told = ask(&house, way, "far", &asked).await.json();
        allow(&house, way, &told, "zh-CN").await;
        for (name, much, error) in [
            ("resource", STORE, "invalid_target"),
            ("resource", "https://evil.example", "invalid_target"),
            ("authorization_details", wider.as_str(), "invalid_authorization_details"),
            ("authorization_details", "x", "invalid_authorization_details"),
        ] {
            let refused = poll(&house, way, &told, &[(name, much)]).await;
            assert_eq!(refused.error(), error, "{much}");
        }
        // The same code, asked for what was allowed: once.
        let tokens = poll(&house, way, &told, &[("resource", API)]).await;
        assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
        assert_eq!(claims(access(&tokens.json()))["aud"], API);
        assert_eq!(poll(&house, way, &told, &[]).await.error(), "invalid_grant");
    }
}

async fn attack_02_of_parallel_questions_after_the_decision_one_gets_tokens(house: House) {
    partner(&house).await;
    let house = std::sync::Arc::new(house);
    // Again and again: two have to meet between the look and the redemption.
    for way in [Device, Backchannel].repeat(8) {
        let told = ask(&house, way, "far", &[("scope", "openid"), ("resource", API)]).await.json();
        allow(&house, way, &told, "zh-CN").await;
        let tries = (0..12).map(|number| {
            let (house, told) = (house.clone(), told.clone());
            // Some of them ask for too much, which changes nothing for the others.
            let wish = if number % 3 == 0 { vec![("resource", STORE)] } else { Vec::new() };
            tokio::spawn(async move { poll(&house, way, &told, &wish).await })
        });
        let mut won = 0;
        for one in tries.collect::<Vec<_>>() {
            let answer = one.await.unwrap();
            if answer.status == StatusCode::OK {
                won += 1;
            } else {
                let error = answer.error();
                assert!(error == "invalid_grant" || error == "invalid_target", "{answer:?}");
            }
        }
        assert_eq!(won, 1);
    }
}

async fn the_operators_answer_gives_what_was_asked_for(house: House) {
    partner(&house).await;
    let asked = details(&json!({"items": [ITEM]}));
    let resources = [("resource", API), ("resource", ISSUER)];
    let asked =
        [("scope", "openid"), ("authorization_details", &asked), resources[0], resources[1]];
    let told = ask(&house, Backchannel, "far", &asked).await.json();
    let waiting = crate::backchannel::waiting(&house.state.db, house.state.now()).await.unwrap();
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(crate::backchannel::decide(db, ambient, &waiting[0].id, true).await.unwrap());
    let tokens = poll(&house, Backchannel, &told, &[]).await.json();
    assert_eq!(claims(access(&tokens))["aud"], json!([API, ISSUER]));
    let reach = opened(&house, access(&tokens)).await.unwrap().only.unwrap();
    assert!(reach.opens(ITEM, "X") && !reach.opens("other", "X"));
}

#[test]
fn what_an_older_version_kept_is_read() {
    let old = json!({"scope": ["openid"], "network": "n"});
    let read: idp_store::device::Asked = serde_json::from_value(old).unwrap();
    assert_eq!(read.targets, Targets::default());
    let old = json!({"scope": ["openid"], "acr": Wanted::default(), "binding_message": null,
        "ping": null});
    let read: idp_store::backchannel::Asked = serde_json::from_value(old).unwrap();
    assert_eq!(read.targets, Targets::default());
}

on_both! {
    attack_34_who_may_act_is_told_where_it_is_allowed;
    rfc_8707_2_tokens_are_for_the_resources_that_were_asked_for_afar;
    rfc_9396_3_details_asked_for_afar_are_shown_and_open_what_they_name;
    attack_39_nothing_is_wider_because_it_was_asked_for_afar;
    rfc_8628_3_5_and_ciba_11_a_request_for_too_much_costs_nothing;
    attack_02_of_parallel_questions_after_the_decision_one_gets_tokens;
    the_operators_answer_gives_what_was_asked_for;
}
