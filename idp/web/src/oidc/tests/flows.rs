//! Authorization requests through the browser (OpenID Connect Core §3.1.2).

use http::StatusCode;
use idp_protocol::jose::Algorithm;
use idp_protocol::jose::half_hash;
use serde_json::json;

use super::house::{BACK, Browser, CHALLENGE, House, ISSUER, SECRET, claims};
use crate::session::{self, NewSession, Who};
use crate::{clients, flow};

fn id(address: &str) -> &str {
    address.split_once("flow=").unwrap().1
}

async fn core_3_1_the_line_from_request_to_userinfo(house: House) {
    let mut browser = Browser::default();
    let answer = browser.authorize(&house, &[("nonce", "n-0")]).await;
    assert!(answer.location().starts_with("/signin?flow="), "{answer:?}");
    let resume = format!("/oauth2/authorize/{}", id(answer.location()));
    house.wait(5_000);
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    let back = browser.get(&house, &resume).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    let query = back.query();
    assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("s t&ä", ISSUER));
    assert!(query.contains_key("session_state"));
    assert_eq!(query.len(), 4, "nothing else: {query:?}");
    let tokens = house.redeem(&query["code"]).await.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(tokens["expires_in"].is_number());
    let access = tokens["access_token"].as_str().unwrap();
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["iss"], ISSUER);
    assert_eq!((&id["aud"], &id["nonce"]), (&json!("a"), &json!("n-0")));
    assert_eq!(id["at_hash"], half_hash(Algorithm::Rs256, access));
    assert_eq!(id["auth_time"], 1_800_000_005);
    assert_eq!((&id["proofing_level"], &id["auth_level"]), (&json!(3), &json!(1)));
    assert_eq!((&id["acr"], &id["amr"]), (&json!("urn:tongban:proofing:3"), &json!(["pwd"])));
    assert!(id["name"].is_null(), "scopes put nothing into the ID token");
    let userinfo = house.userinfo(access).await.json();
    assert_eq!(userinfo["sub"], id["sub"]);
    assert_eq!((&userinfo["name"], &userinfo["age_over_18"]), (&json!("林小满"), &json!(true)));
    assert_eq!(userinfo["phone_number"], "+8613800130001");
    assert!(userinfo["updated_at"].is_number());
    assert!(userinfo["email"].is_null() && userinfo["address"].is_null(), "not in the scope");
    assert!(!userinfo.to_string().contains("19900101"), "the number stays masked");
    // The flow is answered: nothing more comes of it.
    let again = browser.get(&house, &resume).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
}

async fn core_3_1_2_1_post_from_another_site_works_and_keeps_the_session(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let fields = [
        ("client_id", "a"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("extra", "foobar"),
    ];
    // SameSite keeps our cookies away from a cross-site POST.
    let cross = [("sec-fetch-site", "cross-site".to_owned())];
    let begun = house.post("/oauth2/authorize", &cross, &fields).await;
    browser.take(&begun.headers);
    let done = browser.get(&house, begun.location()).await;
    assert!(done.query().contains_key("code"), "{done:?}");
}

async fn core_3_1_2_1_prompt_and_max_age(house: House) {
    let mut stranger = Browser::default();
    let none = stranger.authorize(&house, &[("prompt", "none")]).await.query();
    assert_eq!((none["error"].as_str(), none["state"].as_str()), ("login_required", "s t&ä"));
    assert_eq!(none["iss"], ISSUER);
    let mut browser = Browser::signed_in(&house).await;
    house.wait(10_000);
    browser.code(&house, &[("prompt", "none"), ("max_age", "10000")]).await;
    for extra in [("prompt", "login"), ("prompt", "login select_account"), ("max_age", "1")] {
        house.wait(2_000);
        let asked = browser.authorize(&house, &[extra]).await;
        assert!(asked.location().starts_with("/signin?flow="), "{extra:?}");
        let resume = format!("/oauth2/authorize/{}", id(asked.location()));
        house.wait(2_000);
        browser.sign_in(&house, Who::Citizen("p1".into())).await;
        let code = browser.get(&house, &resume).await.query().remove("code").unwrap();
        house.wait(1_000);
        let tokens = house.redeem(&code).await.json();
        let id = claims(tokens["id_token"].as_str().unwrap());
        assert_eq!(id["auth_time"].as_i64().unwrap(), id["iat"].as_i64().unwrap() - 1);
    }
}

async fn core_3_1_2_1_a_hint_of_somebody_else_is_not_answered_silently(house: House) {
    house.person("p2", 2).await;
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let extra = [("prompt", "none"), ("id_token_hint", hint)];
    let same = browser.tokens(&house, &extra).await;
    assert_eq!(claims(hint)["sub"], claims(same["id_token"].as_str().unwrap())["sub"]);
    let mut other = Browser::default();
    other.sign_in(&house, Who::Citizen("p2".into())).await;
    assert_eq!(other.authorize(&house, &extra).await.query()["error"], "login_required");
    let forged = format!("{}x", hint);
    let answer = other.authorize(&house, &[("id_token_hint", &forged)]).await;
    assert_eq!(answer.query()["error"], "invalid_request");
}

async fn core_5_5_claims_asked_for_by_name_come_where_they_were_asked_for(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let wish = r#"{"id_token":{"email":null,"staff_role":null},"userinfo":{"address":{"essential":true}}}"#;
    let tokens = browser.tokens(&house, &[("scope", "openid"), ("claims", wish)]).await;
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["email"], "p1@example.cn");
    assert!(id["staff_role"].is_null() && id["address"].is_null());
    let userinfo = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
    assert_eq!(userinfo["address"]["formatted"], "福州市");
    assert!(userinfo["name"].is_null());
}

async fn levels_are_stepped_up_once_and_giving_up_is_told(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let wanted = [("acr_values", "urn:tongban:proofing:4 urn:tongban:auth:1")];
    let asked = browser.authorize(&house, &wanted).await;
    assert!(asked.location().starts_with("/stepup?flow="), "{asked:?}");
    let id = id(asked.location()).to_owned();
    let waiting = flow::load(&house.state, &browser.headers(), &id).await.unwrap().unwrap();
    assert_eq!((waiting.wanted_proofing(), waiting.wanted_auth()), (Some(4), Some(1)));
    flow::give_up(&house.state, &waiting).await.unwrap();
    let told = browser.get(&house, &waiting.resume()).await.query();
    assert_eq!(told["error"], "unmet_authentication_requirements");
    let none = browser.authorize(&house, &[wanted[0], ("prompt", "none")]).await;
    assert_eq!(none.query()["error"], "interaction_required");
    // A second factor of the same person raises the session, and keeps it.
    let asked = browser.authorize(&house, &[("acr_values", "urn:tongban:auth:2")]).await;
    let resume = format!("/oauth2/authorize/{}", self::id(asked.location()));
    let who = Who::Citizen("p1".into());
    let amr = vec!["pwd".to_owned(), "sms".to_owned()];
    let before = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    let new = NewSession { who, auth_level: 2, amr };
    let cookies = session::start(&house.state, &browser.headers(), new).await.unwrap();
    let old = browser.clone();
    browser.take_all(cookies);
    let code = browser.get(&house, &resume).await.query().remove("code").unwrap();
    let tokens = house.redeem(&code).await.json();
    let claims = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "urn:tongban:auth:2");
    assert_eq!(claims["auth_level"], 2);
    // Attacks row 20: the same session under a new secret.
    let after = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert_eq!(before.id, after.id);
    assert!(session::current(&house.state, &old.headers()).await.unwrap().is_none());
}

async fn attack_20_a_flow_is_of_one_browser_and_a_session_of_one_person(house: House) {
    house.person("p2", 2).await;
    let mut attacker = Browser::default();
    let begun = attacker.authorize(&house, &[]).await;
    let resume = format!("/oauth2/authorize/{}", id(begun.location()));
    let mut victim = Browser::signed_in(&house).await;
    let refused = victim.get(&house, &resume).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(!refused.headers.contains_key("location"));
    // A cookie that was there before the sign-in is worth nothing after it (attacks row 21).
    let planted = victim.clone();
    victim.sign_in(&house, Who::Citizen("p2".into())).await;
    assert!(session::current(&house.state, &planted.headers()).await.unwrap().is_none());
    let now = session::current(&house.state, &victim.headers()).await.unwrap().unwrap();
    assert_eq!(now.who, Who::Citizen("p2".into()));
}

async fn ask_b(browser: &mut Browser, house: &House, scope: &str, prompt: &str) -> String {
    let redirect = ("redirect_uri", "https://b.example/cb");
    let fields = [("client_id", "b"), redirect, ("scope", scope), ("prompt", prompt)];
    browser.authorize(house, &fields).await.location().to_owned()
}

async fn attack_34_consent_is_remembered_and_asked_again_when_it_would_widen(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let none = ask_b(&mut browser, &house, "openid profile", "none").await;
    assert!(none.contains("error=consent_required"), "{none}");
    let asked = ask_b(&mut browser, &house, "openid profile", "").await;
    assert!(asked.starts_with("/consent?flow="), "{asked}");
    let waiting = flow::load(&house.state, &browser.headers(), id(&asked)).await.unwrap().unwrap();
    assert_eq!(waiting.asks(), ["profile"]);
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    let done = browser.get(&house, &waiting.resume()).await;
    assert!(done.query().contains_key("code"));
    // Asked once; narrower is covered; wider is not, silently or otherwise.
    for (scope, prompt, covered) in [
        ("openid profile", "none", true),
        ("openid", "none", true),
        ("openid profile", "consent", false),
        ("openid profile phone", "", false),
        ("openid profile phone", "none", false),
    ] {
        let answer = ask_b(&mut browser, &house, scope, prompt).await;
        assert_eq!(answer.contains("code="), covered, "{scope} {prompt}: {answer}");
    }
    // Another name is another partner to a person.
    let renamed = json!({"client_id": "b", "client_name": "丙",
        "redirect_uris": ["https://b.example/cb"], "scope": "openid profile phone"});
    clients::update(&house.state.db, &house.state.ambient, renamed).await.unwrap();
    house.state.clients.forget();
    let answer = ask_b(&mut browser, &house, "openid", "").await;
    assert!(answer.starts_with("/consent?flow="), "{answer}");
    // What was allowed to the old name does not come along.
    let waiting = flow::load(&house.state, &browser.headers(), id(&answer)).await.unwrap().unwrap();
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    assert!(ask_b(&mut browser, &house, "openid", "none").await.contains("code="));
    let wider = ask_b(&mut browser, &house, "openid profile", "none").await;
    assert!(wider.contains("error=consent_required"), "{wider}");
    // So is another picture; and what she then allowed stands.
    let painted = json!({"client_id": "b", "client_name": "丙", "scope": "openid profile phone",
        "redirect_uris": ["https://b.example/cb"], "logo_uri": "https://b.example/l.png"});
    clients::update(&house.state.db, &house.state.ambient, painted).await.unwrap();
    house.state.clients.forget();
    let asked = ask_b(&mut browser, &house, "openid", "").await;
    assert!(asked.starts_with("/consent?flow="), "{asked}");
    let waiting = flow::load(&house.state, &browser.headers(), id(&asked)).await.unwrap().unwrap();
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    assert!(ask_b(&mut browser, &house, "openid", "none").await.contains("code="));
}

async fn attack_34_a_consent_is_its_persons_and_not_the_browsers(house: House) {
    house.person("p2", 2).await;
    let mut browser = Browser::signed_in(&house).await;
    let asked = ask_b(&mut browser, &house, "openid profile", "").await;
    let waiting = flow::load(&house.state, &browser.headers(), id(&asked)).await.unwrap().unwrap();
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    // She leaves; he signs in at the same browser and finds the address.
    browser.sign_in(&house, Who::Citizen("p2".into())).await;
    let resumed = browser.get(&house, &waiting.resume()).await;
    assert!(resumed.location().starts_with("/consent?flow="), "{resumed:?}");
}

async fn a_refusal_and_a_withdrawal_hold(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let asked = ask_b(&mut browser, &house, "openid phone", "").await;
    let waiting = flow::load(&house.state, &browser.headers(), id(&asked)).await.unwrap().unwrap();
    flow::deny(&house.state, &waiting).await.unwrap();
    let told = browser.get(&house, &waiting.resume()).await.query();
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("access_denied", "s t&ä"));
    let asked = ask_b(&mut browser, &house, "openid phone", "").await;
    let waiting = flow::load(&house.state, &browser.headers(), id(&asked)).await.unwrap().unwrap();
    flow::consent(&house.state, &waiting, "p1").await.unwrap();
    let code = browser.get(&house, &waiting.resume()).await.query().remove("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", "b"),
        ("client_secret", SECRET),
        ("redirect_uri", "https://b.example/cb"),
    ];
    let tokens = house.post("/oauth2/token", &[], &fields).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(house.userinfo(access).await.status, StatusCode::OK);
    house
        .write(|tx| {
            Box::pin(async move {
                idp_store::consent::withdraw(tx, "p1", "b", 1_900_000_000_000).await.map(drop)
            })
        })
        .await;
    assert_eq!(house.userinfo(access).await.status, StatusCode::UNAUTHORIZED);
    let asked = ask_b(&mut browser, &house, "openid phone", "").await;
    assert!(asked.starts_with("/consent?flow="));
}

async fn core_8_1_two_partners_cannot_join_their_lists(house: House) {
    house
        .register(json!({"client_id": "c", "client_secret": SECRET, "legal_basis": "test",
            "redirect_uris": ["https://c.example/cb"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_post"}))
        .await;
    let mut browser = Browser::signed_in(&house).await;
    let own = browser.tokens(&house, &[]).await;
    let redirect = ("redirect_uri", "https://c.example/cb");
    let code = browser.code(&house, &[("client_id", "c"), redirect, ("scope", "openid")]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        redirect,
        ("client_id", "c"),
        ("client_secret", SECRET),
    ];
    let other = house.post("/oauth2/token", &[], &fields).await.json();
    let (own, other) =
        (claims(own["id_token"].as_str().unwrap()), claims(other["id_token"].as_str().unwrap()));
    assert_ne!(own["sub"], other["sub"]);
    assert_ne!(own["sid"], other["sid"]);
    let (sector, sub) = ("a.example", own["sub"].as_str().unwrap().to_owned());
    let person = house
        .state
        .db
        .read("test", move |tx: &mut idp_store::Tx| {
            let sub = sub.clone();
            Box::pin(async move { idp_store::subject::person(tx, sector, &sub).await })
        })
        .await
        .unwrap();
    assert_eq!(person.as_deref(), Some("p1"), "the hall's port finds the person again");
}

async fn form_post_1_answers_and_errors_travel_in_the_body(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let post = ("response_mode", "form_post");
    let answer = browser.authorize(&house, &[post]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key("location"));
    for part in [BACK, r#"name="code""#, r#"name="iss""#, r#"name="state""#, "\"s t&#38;ä\""] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    let error = browser.authorize(&house, &[post, ("prompt", "none login")]).await;
    assert!(error.body.contains("invalid_request") && error.body.contains(r#"name="iss""#));
}

async fn officers_are_met_by_the_hall_only(house: House) {
    house.officer("s1").await;
    house
        .register(json!({"client_id": "hall", "client_secret": SECRET, "legal_basis": "test",
            "redirect_uris": ["http://localhost:8080/hall/callback"], "sector": "hall",
            "token_endpoint_auth_method": "client_secret_post", "scope": "openid profile staff"}))
        .await;
    let mut officer = Browser::default();
    officer.sign_in(&house, Who::Staff("s1".into())).await;
    let partner = officer.authorize(&house, &[]).await;
    assert!(partner.location().starts_with("/signin?flow="));
    let redirect = ("redirect_uri", "http://localhost:8080/hall/callback");
    let scope = ("scope", "openid staff");
    let code = officer.code(&house, &[("client_id", "hall"), redirect, scope]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        redirect,
        ("client_id", "hall"),
        ("client_secret", SECRET),
    ];
    let tokens = house.post("/oauth2/token", &[], &fields).await.json();
    let userinfo = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
    assert_eq!(userinfo["sub"], "s1");
    let id = claims(tokens["id_token"].as_str().unwrap());
    for told in [userinfo, id] {
        assert_eq!((&told["staff_role"], &told["staff_id"]), (&json!("officer"), &json!("s1")));
    }
}

async fn registration_2_levels_that_a_client_always_wants_are_wanted(house: House) {
    let values = ["urn:tongban:proofing:4", "urn:tongban:auth:1"];
    house
        .register(json!({"client_id": "floor", "redirect_uris": [BACK], "scope": "openid",
            "legal_basis": "law", "default_acr_values": values}))
        .await;
    let mut browser = Browser::signed_in(&house).await;
    let stopped = browser.authorize(&house, &[("client_id", "floor"), ("scope", "openid")]).await;
    assert!(stopped.location().starts_with("/stepup?flow="), "{stopped:?}");
    let named = [("client_id", "floor"), ("scope", "openid"), ("acr_values", "urn:tongban:auth:1")];
    let answer = browser.authorize(&house, &named).await.query();
    assert!(answer.contains_key("code"), "a request says for itself what it wants: {answer:?}");
}

async fn rfc_8252_8_6_where_any_program_may_listen_the_person_is_asked_each_time(house: House) {
    let (scheme, local) = ("com.example.app:/cb", "http://127.0.0.1:49152/cb");
    for (id, kind, method, uri, asked) in [
        ("scheme", "web", "none", scheme, true),
        ("native", "native", "none", local, true),
        // A developer's page, and one whose secret tells it from others.
        ("page", "web", "none", local, false),
        ("secret", "native", "client_secret_basic", local, false),
        // RFC 8252 §7.2: an address that only the app of its house can claim.
        ("claimed", "native", "none", BACK, false),
    ] {
        house
            .register(json!({"client_id": id, "application_type": kind, "redirect_uris": [uri],
                "token_endpoint_auth_method": method, "scope": "openid profile"}))
            .await;
        let mut browser = Browser::signed_in(&house).await;
        let request = [
            ("client_id", id),
            ("redirect_uri", uri),
            ("scope", "openid profile"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let site = [("origin", ISSUER.to_owned())];
        let page = browser.authorize(&house, &request).await.location().to_owned();
        assert!(page.starts_with("/consent?flow="), "{id}: {page}");
        let back = browser.post(&house, &page, &site, &[("consent", "allow")]).await;
        let answer = browser.get(&house, back.location()).await;
        assert!(answer.query().contains_key("code"), "{id}: {answer:?}");
        let again = browser.authorize(&house, &request).await;
        assert_eq!(again.location().starts_with("/consent?flow="), asked, "{id}: {again:?}");
        let silent = [&request[..], &[("prompt", "none")]].concat();
        let silent = browser.authorize(&house, &silent).await.query();
        let error = asked.then(|| "consent_required".to_owned());
        assert_eq!(silent.get("error").cloned(), error, "{id}: {silent:?}");
    }
}

super::house::on_both! {
    core_3_1_the_line_from_request_to_userinfo;
    core_3_1_2_1_post_from_another_site_works_and_keeps_the_session;
    core_3_1_2_1_prompt_and_max_age;
    core_3_1_2_1_a_hint_of_somebody_else_is_not_answered_silently;
    core_5_5_claims_asked_for_by_name_come_where_they_were_asked_for;
    levels_are_stepped_up_once_and_giving_up_is_told;
    attack_20_a_flow_is_of_one_browser_and_a_session_of_one_person;
    attack_34_consent_is_remembered_and_asked_again_when_it_would_widen;
    attack_34_a_consent_is_its_persons_and_not_the_browsers;
    a_refusal_and_a_withdrawal_hold;
    core_8_1_two_partners_cannot_join_their_lists;
    form_post_1_answers_and_errors_travel_in_the_body;
    officers_are_met_by_the_hall_only;
    registration_2_levels_that_a_client_always_wants_are_wanted;
    rfc_8252_8_6_where_any_program_may_listen_the_person_is_asked_each_time;
}
