//! The JWT bearer grant (RFC 7523 §2.1): a partner comes back for a person who is absent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use idp_domain::citizen::account::AccountState;
use idp_protocol::assertion::GRANT;
use idp_protocol::jose::{Algorithm, Signer, generate};
use idp_store::{StoreError, Tx, Unit, account, args, audit, consent, statement};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::house::{Answer, BACK, Browser, House, ISSUER, SECRET, basic, claims, form, on_both};
use crate::oidc::resource::{self, Call};
use crate::oidc::sender::Sender;

struct Partner {
    house: House,
    signer: Signer,
    /// By which it knows the person.
    sub: String,
}

fn registration(signer: &Signer) -> Value {
    json!({"client_id": "absent", "client_secret": SECRET, "client_name": "代办",
        "redirect_uris": [BACK], "scope": "openid profile cases",
        "grant_types": ["authorization_code", GRANT], "jwks": {"keys": [signer.jwk()]}})
}

impl Partner {
    /// A partner whom the person has allowed to know her name and to see her cases.
    async fn allowed(house: House) -> Self {
        Self::with(house, "openid profile cases").await
    }

    async fn with(house: House, scope: &str) -> Self {
        let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
        house.register(registration(&signer)).await;
        let mut partner = Self { house, signer, sub: String::new() };
        partner.sub = partner.consent(scope).await;
        partner
    }

    async fn consent(&self, scope: &str) -> String {
        let house = &self.house;
        let mut browser = Browser::signed_in(house).await;
        let fields = [
            ("client_id", "absent"),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", scope),
            ("prompt", "consent"),
        ];
        let first = browser.get(house, &format!("/oauth2/authorize?{}", form(&fields))).await;
        let page = browser.get(house, first.location()).await.location().to_owned();
        assert!(page.starts_with("/consent?flow="), "{page}");
        let onward = browser.post(house, &page, &[], &[("consent", "allow")]).await;
        let back = browser.get(house, onward.location()).await;
        let code = back.query()["code"].clone();
        let fields =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
        let tokens = house.post("/oauth2/token", &[basic("absent", SECRET)], &fields).await.json();
        claims(tokens["id_token"].as_str().unwrap())["sub"].as_str().unwrap().to_owned()
    }

    fn assertion(&self, extra: &[(&str, Value)]) -> String {
        let now = self.house.state.now() / 1000;
        let mut claims = json!({"iss": "absent", "sub": self.sub, "aud": ISSUER, "exp": now + 60,
            "iat": now, "jti": self.house.state.ambient.id()});
        for (name, value) in extra {
            claims[*name] = value.clone();
        }
        self.signer.sign("JWT", &claims).unwrap()
    }

    async fn ask(&self, assertion: &str, extra: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("grant_type", GRANT), ("assertion", assertion)];
        fields.extend_from_slice(extra);
        self.house.post("/oauth2/token", &[basic("absent", SECRET)], &fields).await
    }

    async fn refused(&self, extra: &[(&str, Value)]) {
        let answer = self.ask(&self.assertion(extra), &[]).await;
        let told = (answer.status, answer.error());
        assert_eq!(told, (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()), "{extra:?}");
    }

    async fn opens(&self, token: &str) -> bool {
        let call = Call { authorization: format!("Bearer {token}"), sender: Sender::default() };
        resource::citizen(&self.house.state, &call, "cases", "a").await.unwrap().is_ok()
    }
}

async fn rfc_7523_2_1_a_partner_comes_back_for_a_person_who_allowed_it(house: House) {
    let partner = Partner::allowed(house).await;
    let made = partner.ask(&partner.assertion(&[]), &[]).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    let made = made.json();
    assert_eq!((&made["scope"], &made["token_type"]), (&json!("cases"), &json!("Bearer")));
    assert!(made["refresh_token"].is_null() && made["id_token"].is_null());
    let token = made["access_token"].as_str().unwrap();
    let told = claims(token);
    assert_eq!((&told["sub"], &told["aud"]), (&json!(partner.sub), &json!(ISSUER)));
    // Nobody signed in, and the token says nothing else.
    assert!(told["acr"].is_null() && told["auth_time"].is_null(), "{told}");
    let line = &partner.house.trail("p1").await[0];
    assert_eq!((line.kind.as_str(), line.actor.as_str()), ("token_asserted", "client:absent"));
    assert!(partner.opens(token).await);
    // Who she is, is told to her face only.
    assert_eq!(partner.house.userinfo(token).await.status, StatusCode::FORBIDDEN);
    // It ends when she takes her consent back.
    partner
        .house
        .write(|tx| {
            Box::pin(
                async move { idp_store::consent::withdraw(tx, "p1", "absent", 1).await.map(drop) },
            )
        })
        .await;
    assert!(!partner.opens(token).await);
    partner.refused(&[]).await;
}

async fn rfc_7523_3_an_assertion_is_the_clients_own_for_us_and_fresh(house: House) {
    let partner = Partner::allowed(house).await;
    let now = partner.house.state.now() / 1000;
    for wrong in [
        ("iss", json!("a")),
        ("iss", json!(ISSUER)),
        ("aud", json!("https://other.example")),
        ("exp", json!(now - 120)),
        ("exp", json!(now + 3600)),
        ("exp", Value::Null),
        ("nbf", json!(now + 120)),
        ("jti", Value::Null),
        // A client assertion, which speaks of the client.
        ("sub", json!("absent")),
        // Whom it does not know; whom it knows by a name that is not for it.
        ("sub", json!("nobody")),
        ("sub", json!("p1")),
        ("sub", Value::Null),
    ] {
        partner.refused(&[wrong]).await;
    }
    let other = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let claims = json!({"iss": "absent", "sub": partner.sub, "aud": ISSUER, "exp": now + 60,
        "jti": "1"});
    let forged = other.sign("JWT", &claims).unwrap();
    assert_eq!(partner.ask(&forged, &[]).await.error(), "invalid_grant");
    assert_eq!(partner.ask("x", &[]).await.error(), "invalid_grant");
    assert_eq!(partner.ask("", &[]).await.error(), "invalid_request");
    // A client that is not registered for it.
    let fields = [("grant_type", GRANT), ("assertion", forged.as_str())];
    assert_eq!(partner.house.token(&fields).await.error(), "unauthorized_client");
}

async fn attack_16_an_assertion_for_a_person_is_used_once(house: House) {
    let partner = Partner::allowed(house).await;
    let assertion = partner.assertion(&[]);
    let (one, other) = tokio::join!(partner.ask(&assertion, &[]), partner.ask(&assertion, &[]));
    let good = [&one, &other].iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(good, 1, "{one:?} {other:?}");
    assert_eq!(partner.ask(&assertion, &[]).await.error(), "invalid_grant");
}

async fn attack_39_an_absent_person_gives_no_more_than_she_did(house: House) {
    // She allowed her name only; then her cases, too.
    let partner = Partner::with(house, "openid profile").await;
    partner.refused(&[]).await;
    let cases = [("scope", "cases")];
    assert_eq!(partner.ask(&partner.assertion(&[]), &cases).await.error(), "invalid_grant");
    partner.consent("openid profile cases").await;
    let made = partner.ask(&partner.assertion(&[]), &cases).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    for wrong in ["openid cases", "profile", "cases phone", "other"] {
        let answer = partner.ask(&partner.assertion(&[]), &[("scope", wrong)]).await;
        assert_eq!(answer.error(), "invalid_grant", "{wrong}");
    }
    let answer = partner.ask(&partner.assertion(&[]), &[("resource", "https://x.example")]).await;
    assert_eq!(answer.error(), "invalid_target");
    let details = r#"[{"type":"urn:tongban:case-access","actions":["read"],"cases":["N1"]}]"#;
    let details = [("authorization_details", details)];
    let answer = partner.ask(&partner.assertion(&[]), &details).await;
    assert_eq!(answer.error(), "invalid_authorization_details");
}

async fn attack_34_a_partner_of_another_name_asks_again(house: House) {
    let partner = Partner::allowed(house).await;
    assert_eq!(partner.ask(&partner.assertion(&[]), &[]).await.status, StatusCode::OK);
    let mut renamed = registration(&partner.signer);
    renamed["client_name"] = json!("别人");
    let state = &partner.house.state;
    crate::clients::update(&state.db, &state.ambient, renamed).await.unwrap();
    partner.house.wait(5_000);
    partner.refused(&[]).await;
}

statement!(
    SOMEBODY_WAITS,
    // The one writer runs this unit to its end before it begins another.
    "select 1 as n",
    postgres: "select count(*) as n from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'"
);

/// What takes back what a partner holds of the person.
type End = for<'a> fn(&'a mut Tx, i64) -> Unit<'a, (), StoreError>;

/// The end comes between the looks at consent and account and the end of the issuing.
async fn ended_beside(partner: Arc<Partner>, end: End) -> Answer {
    let (begun, answered) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (db, now) = (partner.house.state.db.clone(), partner.house.state.now());
    let (held, done) = (begun.clone(), answered.clone());
    let ending = tokio::spawn(async move {
        let unit = db.write::<_, StoreError, _>("end", move |tx| {
            let (held, done) = (held.clone(), done.clone());
            Box::pin(async move {
                let (actor, details) = ("self".to_owned(), json!({}));
                let line = audit::Line { at: now, kind: "session_ended", actor, details };
                // Whoever issues waits for this line before it writes its own.
                audit::append(tx, "p1", line).await?;
                held.notify_one();
                while tx.one(&SOMEBODY_WAITS, args![]).await?.int("n")? == 0
                    && !done.load(Ordering::SeqCst)
                {}
                end(tx, now).await
            })
        });
        unit.await.unwrap();
    });
    begun.notified().await;
    let made = partner.ask(&partner.assertion(&[]), &[]).await;
    answered.store(true, Ordering::SeqCst);
    ending.await.unwrap();
    made
}

impl Partner {
    async fn holds_nothing(&self, made: &Answer) {
        if made.status == StatusCode::OK {
            let token = made.json()["access_token"].as_str().unwrap().to_owned();
            assert!(!self.opens(&token).await, "a grant outlived its end");
        } else {
            assert_eq!(made.error(), "invalid_grant");
        }
    }
}

async fn attack_34_a_withdrawal_beside_a_grant_for_the_absent_holds(house: House) {
    let partner = Arc::new(Partner::allowed(house).await);
    let made = ended_beside(partner.clone(), |tx, now| {
        Box::pin(async move { consent::withdraw(tx, "p1", "absent", now).await.map(drop) })
    });
    partner.holds_nothing(&made.await).await;
    partner.refused(&[]).await;
}

async fn attack_26_a_freeze_beside_a_grant_for_the_absent_holds(house: House) {
    let partner = Arc::new(Partner::allowed(house).await);
    let made = ended_beside(partner.clone(), |tx, now| {
        Box::pin(async move {
            let (open, shut) = (AccountState::Active, AccountState::Frozen);
            assert!(account::set_state(tx, "p1", open, shut).await?);
            crate::session::end_all_in(tx, "p1", now).await
        })
    });
    let made = made.await;
    // Opened again, it does not come back.
    partner.house.set_state(AccountState::Frozen, AccountState::Active).await;
    partner.holds_nothing(&made).await;
}

async fn attack_26_for_a_frozen_account_no_partner_speaks(house: House) {
    let partner = Partner::allowed(house).await;
    let made = partner.ask(&partner.assertion(&[]), &[]).await.json();
    partner.house.set_state(AccountState::Active, AccountState::Frozen).await;
    partner.refused(&[]).await;
    assert!(!partner.opens(made["access_token"].as_str().unwrap()).await);
}

on_both! {
    rfc_7523_2_1_a_partner_comes_back_for_a_person_who_allowed_it;
    rfc_7523_3_an_assertion_is_the_clients_own_for_us_and_fresh;
    attack_16_an_assertion_for_a_person_is_used_once;
    attack_39_an_absent_person_gives_no_more_than_she_did;
    attack_34_a_partner_of_another_name_asks_again;
    attack_34_a_withdrawal_beside_a_grant_for_the_absent_holds;
    attack_26_for_a_frozen_account_no_partner_speaks;
    attack_26_a_freeze_beside_a_grant_for_the_absent_holds;
}
