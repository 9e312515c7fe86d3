//! Partners that register themselves (RFC 7591, RFC 7592, OpenID Connect Registration; attacks
//! rows 17, 38, 42).

use http::{Method, StatusCode};
use idp_domain::outgoing::Failure;
use idp_protocol::device;
use idp_protocol::jose::{Algorithm, Signer, generate};
use idp_store::Tx;
use serde_json::{Value, json};

use super::house::{Answer, Browser, House, ISSUER, basic, bearer as shown, on_both};
use super::site::Sites;
use crate::oidc::bearer::{self, Stands};
use crate::state::{Registration, Settings};
use crate::{clients, registration};

const BACK: &str = "https://r.example/cb";

fn wish() -> Value {
    json!({"client_name": "R", "redirect_uris": [BACK], "scope": "openid profile",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"]})
}

fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

async fn initial(house: &House, uses: u32) -> String {
    let made = registration::create_token(&house.state.db, &house.state.ambient, uses, 60_000);
    made.await.unwrap().0
}

async fn send(house: &House, method: Method, path: &str, token: &str, body: &str) -> Answer {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if !token.is_empty() {
        headers.push(shown(token));
    }
    house.send(method, path, &headers, body).await
}

async fn post(house: &House, token: &str, wish: &Value) -> Answer {
    send(house, Method::POST, "/oauth2/register", token, &wish.to_string()).await
}

/// A partner that registered itself, and its two secrets.
struct Registered {
    id: String,
    secret: String,
    token: String,
    path: String,
}

async fn registered(house: &House, wish: &Value) -> Registered {
    let answer = post(house, &initial(house, 1).await, wish).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let made = answer.json();
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    let path = text("registration_client_uri").strip_prefix(ISSUER).unwrap().to_owned();
    Registered {
        id: text("client_id"),
        secret: text("client_secret"),
        token: text("registration_access_token"),
        path,
    }
}

impl Registered {
    async fn manage(&self, house: &House, method: Method, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(house, method, &self.path, &self.token, &body).await
    }

    async fn own_token(&self, house: &House, secret: &str) -> Answer {
        let fields = [("grant_type", "client_credentials"), ("scope", "cases")];
        house.post("/oauth2/token", &[basic(&self.id, secret)], &fields).await
    }
}

async fn rfc_7591_3_2_1_a_partner_registers_itself_and_signs_people_in(house: House) {
    let answer = post(&house, &initial(&house, 1).await, &wish()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let made = answer.json();
    assert_eq!(made["client_secret_expires_at"], 0);
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(made["client_id_issued_at"], house.state.now() / 1000);
    let at = format!("{ISSUER}/oauth2/register/{}", made["client_id"].as_str().unwrap());
    assert_eq!(made["registration_client_uri"], at);
    for hidden in ["legal_basis", "sector", "resources"] {
        assert!(made.get(hidden).is_none(), "{hidden}");
    }
    let id = made["client_id"].as_str().unwrap();
    let mut browser = Browser::signed_in(&house).await;
    let asked = [("client_id", id), ("redirect_uri", BACK), ("scope", "openid profile")];
    let consent = browser.authorize(&house, &asked).await;
    assert!(consent.location().starts_with("/consent?flow="), "{consent:?}");
}

async fn registration_2_what_the_certifying_judge_sends_is_taken(house: House) {
    let keys = |algorithm| {
        let pkcs8 = generate(algorithm).unwrap();
        json!({"keys": [Signer::new(algorithm, &pkcs8).unwrap().jwk()]})
    };
    let (rs, es) = (keys(Algorithm::Rs256), keys(Algorithm::Es256));
    for more in [
        json!({"client_name": "oidf-conformance", "jwks": rs, "contacts": ["a@example.com"],
            "response_types": ["code"], "grant_types": ["authorization_code"],
            "id_token_signed_response_alg": "RS256", "subject_type": "pairwise"}),
        json!({"jwks": rs, "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"jwks_uri": "https://r.example/jwks", "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"token_endpoint_auth_method": "client_secret_post", "scope": "openid offline_access"}),
        json!({"userinfo_signed_response_alg": "RS256", "request_uris": ["https://r.example/r#x"]}),
        json!({"initiate_login_uri": "https://r.example/start", "logo_uri": "https://r.example/l",
            "policy_uri": "https://r.example/p", "tos_uri": "https://r.example/t"}),
        json!({"jwks": es, "policy": "fapi2", "token_endpoint_auth_method": "private_key_jwt",
            "dpop_bound_access_tokens": true}),
        json!({"post_logout_redirect_uris": ["https://r.example/bye"],
            "backchannel_logout_uri": "https://r.example/out",
            "frontchannel_logout_uri": "https://r.example/front"}),
    ] {
        let wish = with(json!({"redirect_uris": [BACK]}), more);
        let made = registered(&house, &wish).await;
        // Third-party start: the address comes back by RFC 7592 too.
        let read = made.manage(&house, Method::GET, &Value::Null).await;
        assert_eq!(read.status, StatusCode::OK);
        for (name, value) in wish.as_object().unwrap() {
            assert_eq!(&read.json()[name], value, "{name}");
        }
        let gone = made.manage(&house, Method::DELETE, &Value::Null).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    }
}

async fn rfc_7591_3_2_2_a_registration_that_cannot_be_used_is_refused(house: House) {
    let token = initial(&house, 1).await;
    for (wish, code) in [
        (with(wish(), json!({"redirect_uris": ["https://r.example/#x"]})), "invalid_redirect_uri"),
        (with(wish(), json!({"redirect_uris": ["http://r.example/"]})), "invalid_redirect_uri"),
        (with(wish(), json!({"redirect_uris": []})), "invalid_redirect_uri"),
        (
            with(wish(), json!({"initiate_login_uri": "http://r.example/"})),
            "invalid_client_metadata",
        ),
        (
            with(
                wish(),
                json!({"response_types": ["id_token token"], "grant_types": ["implicit"]}),
            ),
            "invalid_client_metadata",
        ),
        (with(wish(), json!({"grant_types": ["password"]})), "invalid_client_metadata"),
        (with(wish(), json!({"scope": "openid staff"})), "invalid_client_metadata"),
        (with(wish(), json!({"redirect_uris": "x\u{202e}\"\\"})), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
    ] {
        let answer = post(&house, &token, &wish).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wish}");
        assert_eq!(answer.error(), code, "{wish}");
        let text = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"'), "{text}");
    }
    let bad = send(&house, Method::POST, "/oauth2/register", &token, "{").await;
    assert_eq!(bad.error(), "invalid_client_metadata");
    let form = house.post("/oauth2/register", &[shown(&token)], &[("a", "b")]).await;
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // None of them has used the token up.
    assert_eq!(post(&house, &token, &wish()).await.status, StatusCode::CREATED);
}

async fn rfc_7591_3_1_an_initial_access_token_is_counted_and_expires(house: House) {
    for wrong in ["", "tbi_x", "x"] {
        let answer = post(&house, wrong, &wish()).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_token")
        );
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    let token = initial(&house, 2).await;
    let mut forged = token.clone();
    forged.replace_range(token.len() - 2.., "00");
    assert_eq!(post(&house, &forged, &wish()).await.status, StatusCode::UNAUTHORIZED);
    // Two are left, and eight come at once.
    let answers = futures_util::future::join_all((0..8).map(|_| {
        let token = token.clone();
        let house = &house;
        async move { post(house, &token, &wish()).await.status }
    }));
    let made = answers.await.into_iter().filter(|status| *status == StatusCode::CREATED).count();
    assert_eq!(made, 2);
    let old = initial(&house, 1).await;
    house.wait(60_000);
    assert_eq!(post(&house, &old, &wish()).await.status, StatusCode::UNAUTHORIZED);
    // What manages a client makes none.
    let one = registered(&house, &wish()).await;
    assert_eq!(post(&house, &one.token, &wish()).await.status, StatusCode::UNAUTHORIZED);
}

async fn rfc_7592_2_2_a_registration_is_replaced_as_a_whole(house: House) {
    let wish = with(wish(), json!({"scope": "openid cases", "client_uri": "https://r.example/"}));
    let made = registered(&house, &wish).await;
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::OK);
    let mut new = with(wish, json!({"client_id": made.id, "client_name": "S"}));
    new.as_object_mut().unwrap().remove("client_uri");
    let answer = made.manage(&house, Method::PUT, &new).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let after = answer.json();
    assert_eq!(after["client_name"], "S");
    assert!(after.get("client_uri").is_none());
    assert!(after.get("client_secret").is_none(), "the secret stays, and is not known any more");
    assert_eq!(after["registration_access_token"], json!(made.token));
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::OK);
    for wrong in [
        json!({"client_id": "a"}),
        json!({"client_id": null}),
        json!({"client_secret": "chosen-by-the-client-itself"}),
        json!({"redirect_uris": ["https://r.example/#"]}),
    ] {
        let answer = made.manage(&house, Method::PUT, &with(new.clone(), wrong.clone())).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let same = with(new.clone(), json!({"client_secret": made.secret}));
    assert_eq!(made.manage(&house, Method::PUT, &same).await.status, StatusCode::OK);
    // Without secrets, and back: a new one is made.
    let public =
        json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]});
    let public = made.manage(&house, Method::PUT, &with(new.clone(), public)).await;
    assert_eq!(public.status, StatusCode::OK, "{public:?}");
    assert!(public.json().get("client_secret").is_none());
    let back = made.manage(&house, Method::PUT, &new).await.json();
    assert_ne!(back["client_secret"], json!(made.secret));
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::UNAUTHORIZED);
    let secret = back["client_secret"].as_str().unwrap();
    assert_eq!(made.own_token(&house, secret).await.status, StatusCode::OK);
}

async fn rfc_7592_2_3_a_removed_partner_holds_nothing(house: House) {
    let made = registered(&house, &with(wish(), json!({"scope": "openid cases"}))).await;
    let token = made.own_token(&house, &made.secret).await.json();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let access = bearer::believe(&house.state, &token).await.unwrap().unwrap();
    let stands = bearer::stands(&house.state, &access).await.unwrap();
    assert!(matches!(stands, Stands::Client));
    let gone = made.manage(&house, Method::DELETE, &Value::Null).await;
    assert_eq!((gone.status, gone.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::UNAUTHORIZED);
    let stands = bearer::stands(&house.state, &access).await.unwrap();
    assert!(matches!(stands, Stands::No), "its own token is dead before its time");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = made.manage(&house, method, &json!({"client_id": made.id})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

async fn rfc_7592_2_only_its_own_token_manages_a_client(house: House) {
    let (one, two) = (registered(&house, &wish()).await, registered(&house, &wish()).await);
    for (path, token) in [
        (one.path.as_str(), two.token.as_str()),
        (&one.path, ""),
        (&one.path, &one.secret),
        // A client of the operator's, and none.
        ("/oauth2/register/a", &one.token),
        ("/oauth2/register/nobody", &one.token),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let body = with(wish(), json!({"client_id": one.id})).to_string();
            let answer = send(&house, method, path, token, &body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.error(), "invalid_token");
        }
    }
}

async fn attack_38_a_disabled_partner_does_not_revive_itself(house: House) {
    let made = registered(&house, &with(wish(), json!({"scope": "openid cases"}))).await;
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(clients::disable(db, ambient, &made.id, true).await.unwrap());
    house.wait(2_000);
    let new = with(wish(), json!({"client_id": made.id}));
    for (method, body) in [(Method::GET, &Value::Null), (Method::PUT, &new), (Method::DELETE, &new)]
    {
        let answer = made.manage(&house, method, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::UNAUTHORIZED);
    // Nor does a change by the operator's command.
    clients::update(db, ambient, new.clone()).await.unwrap();
    house.wait(2_000);
    assert_eq!(made.own_token(&house, &made.secret).await.status, StatusCode::UNAUTHORIZED);
    assert!(clients::disable(db, ambient, &made.id, false).await.unwrap());
    house.wait(2_000);
    assert_eq!(made.manage(&house, Method::PUT, &new).await.status, StatusCode::OK);
}

async fn attack_38_nothing_of_the_operators_is_had_by_an_update(house: House) {
    let made = registered(&house, &wish()).await;
    let grab = json!({"client_id": made.id, "legal_basis": "mine", "sector": "a.example",
        "sector_identifier": "a.example", "resources": ["https://x.example"], "policy": "openid"});
    let answer = made.manage(&house, Method::PUT, &with(wish(), grab)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let id = made.id.clone();
    let kept = clients::show(&house.state.db, &id).await.unwrap().unwrap();
    assert_eq!((kept.legal_basis.as_deref(), kept.sector().as_deref()), (None, Some("r.example")));
    assert!(kept.resources.is_empty());
    // What the operator has said since stays: a policy, a legal basis.
    let pkcs8 = generate(Algorithm::Es256).unwrap();
    let jwk = Signer::new(Algorithm::Es256, &pkcs8).unwrap().jwk().clone();
    let strict = with(
        wish(),
        json!({"client_id": id, "policy": "fapi2", "legal_basis": "law",
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}}),
    );
    clients::update(&house.state.db, &house.state.ambient, strict.clone()).await.unwrap();
    let weak = with(wish(), json!({"client_id": id, "policy": "openid"}));
    assert_eq!(made.manage(&house, Method::PUT, &weak).await.status, StatusCode::BAD_REQUEST);
    let same = with(strict, json!({"policy": "openid"}));
    let after = made.manage(&house, Method::PUT, &same).await;
    assert_eq!(after.json()["policy"], "fapi2", "{after:?}");
    let kept = clients::show(&house.state.db, &id).await.unwrap().unwrap();
    assert_eq!(kept.legal_basis.as_deref(), Some("law"));
}

async fn attack_48_neither_token_stands_in_the_database(house: House) {
    let (token, made) = (initial(&house, 1).await, registered(&house, &wish()).await);
    idp_store::statement!(ROWS, "select registration from client");
    idp_store::statement!(HELD, "select secret_hash from client_management");
    idp_store::statement!(TOKENS, "select secret_hash from initial_access_token");
    let read = house.state.db.read::<_, idp_store::StoreError, _>("test", |tx: &mut Tx| {
        Box::pin(async move {
            let mut all = String::new();
            for (statement, column) in
                [(&ROWS, "registration"), (&HELD, "secret_hash"), (&TOKENS, "secret_hash")]
            {
                for row in tx.all(statement, idp_store::args![]).await? {
                    all.push_str(&row.text(column)?);
                }
            }
            Ok(all)
        })
    });
    let all = read.await.unwrap();
    for secret in [&token[26..], &made.token[26..], made.secret.as_str()] {
        assert!(!all.contains(secret));
    }
}

async fn core_8_1_a_sector_is_fetched_and_compared(house: House) {
    let sites = Sites::of(&house);
    let uri = "https://sector.example/uris.json";
    let two = json!({"redirect_uris": [BACK, "https://s.example/cb"], "sector_identifier_uri": uri,
        "subject_type": "pairwise"});
    let token = initial(&house, 1).await;
    sites.serve(uri, &json!([BACK]));
    let missing = post(&house, &token, &two).await;
    assert_eq!(missing.error(), "invalid_client_metadata", "{missing:?}");
    for failure in [Failure::Closed, Failure::Slow, Failure::Long] {
        sites.answer(uri, Err(failure));
        assert_eq!(post(&house, &token, &two).await.error(), "invalid_client_metadata");
    }
    sites.serve(uri, &json!([BACK, "https://s.example/cb", "https://t.example/cb"]));
    let answer = post(&house, &token, &two).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let id = answer.json()["client_id"].as_str().unwrap().to_owned();
    let kept = clients::show(&house.state.db, &id).await.unwrap().unwrap();
    assert_eq!(kept.sector().as_deref(), Some("sector.example"));
    // A device has no address that could be named there: it is no member of anybody's sector.
    let device = json!({"grant_types": [device::GRANT], "response_types": [],
        "sector_identifier_uri": uri, "token_endpoint_auth_method": "none"});
    let token = initial(&house, 1).await;
    assert_eq!(post(&house, &token, &device).await.error(), "invalid_client_metadata");
    let mut own = device;
    own.as_object_mut().unwrap().remove("sector_identifier_uri");
    let answer = post(&house, &token, &own).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

async fn attack_17_nobody_makes_us_fetch_before_the_token_is_believed(house: House) {
    let sites = Sites::of(&house);
    let wish = with(wish(), json!({"sector_identifier_uri": "https://10.0.0.1/x"}));
    assert_eq!(post(&house, "", &wish).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sites.asked(), 0);
    assert_eq!(
        post(&house, &initial(&house, 1).await, &wish).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(sites.asked(), 1);
}

on_both! {
    rfc_7591_3_2_1_a_partner_registers_itself_and_signs_people_in;
    registration_2_what_the_certifying_judge_sends_is_taken;
    rfc_7591_3_2_2_a_registration_that_cannot_be_used_is_refused;
    rfc_7591_3_1_an_initial_access_token_is_counted_and_expires;
    rfc_7592_2_2_a_registration_is_replaced_as_a_whole;
    rfc_7592_2_3_a_removed_partner_holds_nothing;
    rfc_7592_2_only_its_own_token_manages_a_client;
    attack_38_a_disabled_partner_does_not_revive_itself;
    attack_38_nothing_of_the_operators_is_had_by_an_update;
    attack_48_neither_token_stands_in_the_database;
    core_8_1_a_sector_is_fetched_and_compared;
    attack_17_nobody_makes_us_fetch_before_the_token_is_believed;
}

fn open() -> Settings {
    Settings { registration: Registration::Open, ..Settings::new(ISSUER) }
}

async fn registration_is_off_where_the_operator_says_so(open: House) {
    let off = Settings { registration: Registration::Off, ..Settings::new(ISSUER) };
    let off = open.beside_with(off).await;
    let answer = post(&off, &initial(&off, 1).await, &wish()).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::FORBIDDEN, "access_denied"));
    let metadata = off.send(Method::GET, "/.well-known/openid-configuration", &[], "").await;
    assert!(metadata.json().get("registration_endpoint").is_none());
}

async fn attack_38_open_registration_reaches_the_ordinary_profile_only(open: House) {
    let metadata = open.send(Method::GET, "/.well-known/openid-configuration", &[], "").await;
    assert_eq!(metadata.json()["registration_endpoint"], format!("{ISSUER}/oauth2/register"));
    let wish = with(wish(), json!({"scope": "openid profile identity cases"}));
    let answer = post(&open, "", &wish).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.json()["scope"], "openid profile");
    // A wrong token is no better than none.
    assert_eq!(post(&open, "tbi_x", &wish).await.status, StatusCode::UNAUTHORIZED);
    let vouched = post(&open, &initial(&open, 1).await, &wish).await;
    assert_eq!(vouched.json()["scope"], "openid profile identity cases");
}

async fn attack_42_registrations_of_one_network_are_counted(house: House) {
    let mut settings = open();
    settings.limits.registrations_per_network_per_minute = 2;
    let house = house.beside_with(settings).await;
    for _ in 0..2 {
        assert_eq!(post(&house, "", &wish()).await.status, StatusCode::CREATED);
    }
    let third = post(&house, "", &wish()).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(third.headers.contains_key("retry-after"), "{third:?}");
    house.wait(60_000);
    assert_eq!(post(&house, "", &wish()).await.status, StatusCode::CREATED);
}

async fn rfc_8705_2_certificates_are_registered_where_they_reach_us_only(house: House) {
    for more in [
        json!({"token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "r.example"}),
        json!({"tls_client_certificate_bound_access_tokens": true}),
    ] {
        let answer = post(&house, "", &with(wish(), more)).await;
        assert_eq!(answer.error(), "invalid_client_metadata", "{answer:?}");
    }
}

async fn fetch_3_2_programs_of_other_origins_may_register(open: House) {
    let preflight = open.send(Method::OPTIONS, "/oauth2/register", &[], "").await;
    assert_eq!(preflight.headers["access-control-allow-origin"], "*");
    let allowed = preflight.headers["access-control-allow-methods"].to_str().unwrap();
    assert!(allowed.contains("PUT") && allowed.contains("DELETE"), "{allowed}");
}

on_both! { openly with open:
    registration_is_off_where_the_operator_says_so;
    attack_38_open_registration_reaches_the_ordinary_profile_only;
    attack_42_registrations_of_one_network_are_counted;
    rfc_8705_2_certificates_are_registered_where_they_reach_us_only;
    fetch_3_2_programs_of_other_origins_may_register;
}
