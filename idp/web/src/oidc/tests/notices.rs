//! What partners are told when a session ends (Back-Channel Logout, Front-Channel Logout, Session
//! Management; attacks row 51).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use idp_domain::citizen::account::PersonStatus;
use idp_protocol::jose::{Algorithm, Unverified};
use idp_protocol::logout as rules;
use idp_store::outbox::{self, Claimed, Lane};
use idp_store::{StoreError, Tx};
use serde_json::{Value, json};

use super::house::{Browser, House, ISSUER, SECRET, basic, claims, form};
use crate::logout::{Post, deliver};
use crate::session::{self, Who};
use crate::{citizens, pages};

/// Partners' servers: what they were sent, and what each answers.
#[derive(Default)]
pub(super) struct Partners {
    sent: Mutex<Vec<(String, String)>>,
    answers: Mutex<BTreeMap<String, Result<u16, String>>>,
}

#[async_trait]
impl Post for Partners {
    async fn form(&self, url: &str, body: String) -> Result<u16, String> {
        self.sent.lock().unwrap().push((url.to_owned(), body));
        self.answers.lock().unwrap().get(url).cloned().unwrap_or(Ok(200))
    }
}

impl Partners {
    /// What was sent since the last look: address and logout token.
    pub(super) fn sent(&self) -> Vec<(String, String)> {
        let token = |body: &str| {
            let (name, value) = url::form_urlencoded::parse(body.as_bytes()).next().unwrap();
            assert_eq!(name, "logout_token");
            value.into_owned()
        };
        let mut sent: Vec<_> = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.sort();
        sent.iter().map(|(url, body)| (url.clone(), token(body))).collect()
    }

    fn answer(&self, url: &str, answer: Result<u16, String>) {
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }
}

const RS: &str = "https://rs.example/out";
const ES: &str = "https://es.example/out";

/// Two partners that want notices, one with frames, and one that wants nothing.
async fn partners(house: &House) -> Arc<Partners> {
    let partners = Arc::new(Partners::default());
    assert!(house.state.partners.set(partners.clone()).is_ok());
    for (id, algorithm) in [("rs", "RS256"), ("es", "ES256"), ("quiet", "RS256")] {
        let mut registration = json!({"client_id": id, "client_secret": SECRET,
            "redirect_uris": [format!("https://{id}.example/cb")],
            "post_logout_redirect_uris": [format!("https://{id}.example/bye")],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid offline_access", "legal_basis": "test",
            "id_token_signed_response_alg": algorithm});
        if id != "quiet" {
            registration["backchannel_logout_uri"] = json!(format!("https://{id}.example/out"));
            registration["backchannel_logout_session_required"] = json!(true);
        }
        house.register(registration).await;
    }
    partners
}

/// The tokens of a partner.
pub(super) async fn tokens(house: &House, browser: &mut Browser, id: &str, scope: &str) -> Value {
    let back = format!("https://{id}.example/cb");
    let fields = [("client_id", id), ("redirect_uri", &back), ("scope", scope)];
    let code = browser.code(house, &fields).await;
    let fields =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", back.as_str())];
    let answer = house.post("/oauth2/token", &[basic(id, SECRET)], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

async fn id_token(house: &House, browser: &mut Browser, id: &str) -> String {
    tokens(house, browser, id, "openid").await["id_token"].as_str().unwrap().to_owned()
}

/// Confirms a sign-out that a partner asked for.
pub(super) async fn sign_out(
    house: &House,
    browser: &mut Browser,
    id: &str,
    hint: &str,
) -> super::house::Answer {
    let bye = format!("https://{id}.example/bye");
    let fields = [
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", &bye),
        ("state", "s"),
        ("logout", "yes"),
    ];
    browser.post(house, "/oauth2/end_session/confirm", &[], &fields).await
}

/// Notices that wait in the outbox, as the worker takes them.
pub(super) async fn waiting(house: &House) -> Vec<Claimed> {
    let now = house.state.now();
    house
        .state
        .db
        .write::<_, StoreError, _>("test", move |tx: &mut Tx| {
            Box::pin(async move { outbox::claim(tx, Lane::Notices, now, 1, 100).await })
        })
        .await
        .unwrap()
}

fn clients(waiting: &[Claimed]) -> Vec<&str> {
    let mut ids: Vec<_> =
        waiting.iter().map(|row| row.arguments["client_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

async fn backchannel_logout_2_5_partners_are_told_before_the_browser_goes_back(house: House) {
    let partners = partners(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let rs = id_token(&house, &mut browser, "rs").await;
    let es = id_token(&house, &mut browser, "es").await;
    id_token(&house, &mut browser, "quiet").await;
    let done = sign_out(&house, &mut browser, "rs", &rs).await;
    assert_eq!(done.location(), "https://rs.example/bye?state=s");
    let sent = partners.sent();
    assert_eq!(sent.iter().map(|(url, _)| url.as_str()).collect::<Vec<_>>(), [ES, RS]);
    let ring = house.state.keys.ring(&house.state).await.unwrap();
    for ((_, token), (id, id_token, algorithm)) in
        sent.iter().zip([("es", &es, Algorithm::Es256), ("rs", &rs, Algorithm::Rs256)])
    {
        // §2.4: signed as the ID token, of a type of its own, that of no ID token.
        let unverified = || Unverified::parse(token).unwrap();
        let told = unverified().verify(&ring.public, &[algorithm], Some(rules::TYP)).unwrap();
        assert!(unverified().verify(&ring.public, &[algorithm], None).is_err(), "attack_11");
        let known = claims(id_token);
        let now = house.state.now() / 1000;
        assert_eq!((&told["iss"], &told["aud"]), (&json!(ISSUER), &json!(id)));
        assert_eq!((&told["sub"], &told["sid"]), (&known["sub"], &known["sid"]));
        assert_eq!((&told["iat"], &told["exp"]), (&json!(now), &json!(now + 120)));
        assert_eq!(told["events"], json!({ rules::EVENT: {} }));
        assert!(told.get("nonce").is_none() && told["jti"].as_str().unwrap().len() >= 16);
    }
    assert_ne!(claims(&sent[0].1)["jti"], claims(&sent[1].1)["jti"]);
    // Told once: nothing is left to the worker.
    house.wait(60_000);
    assert!(waiting(&house).await.is_empty());
}

async fn backchannel_logout_2_8_what_does_not_arrive_is_tried_again(house: House) {
    let partners = partners(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let rs = id_token(&house, &mut browser, "rs").await;
    for refused in [Ok(400), Ok(503), Ok(302), Err("refused".to_owned())] {
        partners.answer(ES, refused);
        browser.sign_in(&house, Who::Citizen("p1".into())).await;
        id_token(&house, &mut browser, "es").await;
        // A partner that does not take it keeps nobody from signing out.
        let done = sign_out(&house, &mut browser, "rs", &rs).await;
        assert_eq!(done.location(), "https://rs.example/bye?state=s");
        let first = partners.sent();
        house.wait(1_000);
        let left = waiting(&house).await;
        assert_eq!(clients(&left), ["es"]);
        assert!(deliver(&house.state, &left[0].arguments).await.is_err());
        partners.answer(ES, Ok(204));
        deliver(&house.state, &left[0].arguments).await.unwrap();
        let later = partners.sent();
        let (first, later) = (first.iter().find(|(url, _)| url == ES).unwrap(), &later[1]);
        let (first, later) = (claims(&first.1), claims(&later.1));
        assert_eq!(first["sid"], later["sid"]);
        // §2.6: a receiver may refuse a jti that it has seen.
        assert_ne!(first["jti"], later["jti"]);
        let (row, now) = (left[0].clone(), house.state.now());
        house
            .write(move |tx| {
                let row = row.clone();
                Box::pin(async move {
                    let sent = outbox::Settled::Sent(json!({}));
                    assert!(outbox::settle(tx, &row, now, &sent).await?);
                    Ok(())
                })
            })
            .await;
    }
    // A partner that is gone needs no notice.
    let gone = json!({"client_id": "nobody", "person_id": "p1", "kind": "citizen"});
    assert_eq!(deliver(&house.state, &gone).await.unwrap(), json!({"gone": true}));
    assert!(deliver(&house.state, &json!({})).await.is_err());
}

/// Whatever ends a session or a grant, the partners hear of it.
async fn attack_51_every_end_of_authority_is_told_to_partners(house: House) {
    partners(&house).await;
    let (db, who) = (house.state.db.clone(), Who::Citizen("p1".into()));
    let mut last = Browser::default();
    for end in ["session", "other", "all", "consent", "freeze", "deceased"] {
        let mut browser = Browser::signed_in(&house).await;
        let told = tokens(&house, &mut browser, "es", "openid offline_access").await;
        let sid = claims(told["id_token"].as_str().unwrap())["sid"].clone();
        id_token(&house, &mut browser, "quiet").await;
        let current = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
        house.wait(1);
        let now = house.state.now();
        match end {
            "session" => {
                assert!(
                    session::end(&house.state, &current.id, &who, "session_ended").await.unwrap()
                );
                // Twice is once.
                assert!(!session::end(&house.state, &current.id, &who, "sign_out").await.unwrap());
            }
            "other" => browser.sign_in(&house, Who::Staff("s1".into())).await,
            "all" => session::end_all(&house.state, "p1").await.unwrap(),
            "consent" => {
                house
                    .write(move |tx| {
                        Box::pin(async move {
                            idp_store::consent::withdraw(tx, "p1", "es", now).await.map(drop)
                        })
                    })
                    .await;
            }
            "freeze" => {
                assert!(pages::freeze(&db, "p1".to_owned(), true, now).await.unwrap());
                assert!(citizens::unfreeze(&db, "p1", now).await.unwrap());
            }
            _ => {
                assert!(
                    citizens::set_record(&db, "p1", PersonStatus::Deceased, now).await.unwrap()
                );
                let access = told["access_token"].as_str().unwrap();
                assert!(!house.active(access).await);
            }
        }
        let left = waiting(&house).await;
        let of = |row: &&Claimed| row.arguments["session_id"] == json!(current.id);
        // Grants of offline access outlive their sessions; what ends them all tells them all.
        assert_eq!(left.iter().filter(of).count(), 1, "{end} {left:?}");
        assert!(clients(&left).iter().all(|id| *id == "es"), "{end}");
        for row in &left {
            deliver(&house.state, &row.arguments).await.unwrap();
            let (row, now) = (row.clone(), house.state.now());
            house
                .write(move |tx| {
                    let row = row.clone();
                    let sent = outbox::Settled::Sent(json!({}));
                    Box::pin(async move { outbox::settle(tx, &row, now, &sent).await.map(drop) })
                })
                .await;
        }
        assert!(sid.is_string());
        last = browser;
    }
    let refused = last.authorize(&house, &[("prompt", "none")]).await;
    assert_eq!(refused.query()["error"], "login_required");
    assert!(!citizens::set_record(&db, "nobody", PersonStatus::Merged, 1).await.unwrap());
}

async fn frontchannel_logout_2_frames_are_loaded_before_the_browser_goes_on(house: House) {
    partners(&house).await;
    let out = "https://front.example:8443/out?a=1&b=%22";
    house
        .register(json!({"client_id": "front", "client_secret": SECRET, "client_name": "<b>",
            "redirect_uris": ["https://front.example/cb", "https://front.example:8443/cb"],
            "sector": "front.example",
            "frontchannel_logout_uri": out, "frontchannel_logout_session_required": true,
            "scope": "openid", "legal_basis": "test"}))
        .await;
    let mut browser = Browser::signed_in(&house).await;
    let rs = id_token(&house, &mut browser, "rs").await;
    let front = claims(&id_token(&house, &mut browser, "front").await);
    let page = sign_out(&house, &mut browser.clone(), "rs", &rs).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let query = form(&[("iss", ISSUER), ("sid", front["sid"].as_str().unwrap())]);
    let frame = format!("{out}&{query}").replace('&', "&#38;");
    assert!(
        page.body.contains(&format!("<iframe class=\"visually-hidden\" src=\"{frame}\"")),
        "{page:?}"
    );
    assert_eq!(page.body.matches("<iframe").count(), 1);
    // On by itself, and by a link, to the registered address with its state.
    let next = "https://rs.example/bye?state=s";
    assert!(page.body.contains(&format!("http-equiv=\"refresh\" content=\"1;url={next}\"")));
    assert!(page.body.contains(&format!("href=\"{next}\"")));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-src https://front.example:8443; "), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    // The other pages that sign out hold the frames too, and lead on within our own site.
    for (path, field) in
        [("/signout", ("logout", "yes")), ("/account/sessions/end", ("session", ""))]
    {
        let mut browser = Browser::signed_in(&house).await;
        id_token(&house, &mut browser, "front").await;
        let id = session::current(&house.state, &browser.headers()).await.unwrap().unwrap().id;
        let value = if field.1.is_empty() { id.as_str() } else { field.1 };
        let page = browser.post(&house, path, &[], &[(field.0, value)]).await;
        assert!(page.body.contains("<iframe"), "{path} {page:?}");
        assert!(page.body.contains("content=\"1;url=/signin?done=signed-out\""), "{path}");
        assert!(!browser.0.keys().any(|name| name.starts_with("tongban_idp")), "{path}");
    }
}

async fn session_management_2_answers_carry_the_state_that_the_frame_computes(house: House) {
    partners(&house).await;
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser
        .authorize(
            &house,
            &[("client_id", "rs"), ("redirect_uri", "https://rs.example/cb"), ("scope", "openid")],
        )
        .await;
    let told = answer.query()["session_state"].clone();
    let salt = told.split_once('.').unwrap().1.to_owned();
    let name = "tongban_state_8080";
    let computed = |browser: &Browser| {
        let state = browser.0.get(name).map_or("", String::as_str);
        rules::session_state("rs", "https://rs.example/cb", state, &salt).unwrap()
    };
    assert_eq!(computed(&browser), told, "unchanged");
    // The cookie opens nothing and names nobody.
    let session = session::current(&house.state, &browser.headers()).await.unwrap().unwrap();
    assert!(!browser.0[name].contains(&session.id));
    let alone = Browser([(name.to_owned(), browser.0[name].clone())].into());
    assert!(session::current(&house.state, &alone.headers()).await.unwrap().is_none());
    // A silent sign-in later, or a step-up, is the same session.
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    assert_eq!(computed(&browser), told, "unchanged");
    // A browser that lost the cookie gets it back with the next answer.
    let kept = browser.0.remove(name);
    browser.code(&house, &[("prompt", "none")]).await;
    assert_eq!(browser.0.get(name).cloned(), kept);
    // Somebody else, or nobody: changed.
    house.person("p2", 2).await;
    let mut other = browser.clone();
    other.sign_in(&house, Who::Citizen("p2".into())).await;
    assert_ne!(computed(&other), told);
    browser.post(&house, "/signout", &[], &[("logout", "yes")]).await;
    assert!(!browser.0.contains_key(name));
    assert_ne!(computed(&browser), told);
}

async fn session_management_3_2_the_frame_alone_may_be_framed(house: House) {
    let frame = house.send(http::Method::GET, "/oauth2/check_session", &[], "").await;
    assert_eq!(frame.status, StatusCode::OK);
    let policy = frame.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors *") && policy.contains("default-src 'none'"));
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(!frame.headers.contains_key("x-frame-options"));
    assert!(frame.body.contains("data-cookie=\"tongban_state_8080\""));
    // Old engines run it: nothing of it is younger than they are.
    for young in ["=>", "const ", "let ", "`", "crypto", "fetch(", "class "] {
        assert!(!frame.body.contains(young), "{young}");
    }
    for path in ["/signin", "/oauth2/authorize", "/oauth2/userinfo", "/oauth2/jwks"] {
        let other = house.send(http::Method::GET, path, &[], "").await;
        assert_eq!(other.headers["x-frame-options"], "DENY", "attack_35 {path}");
        let policy = other.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "attack_35 {path}");
    }
}

super::house::on_both! {
    backchannel_logout_2_5_partners_are_told_before_the_browser_goes_back;
    backchannel_logout_2_8_what_does_not_arrive_is_tried_again;
    attack_51_every_end_of_authority_is_told_to_partners;
    frontchannel_logout_2_frames_are_loaded_before_the_browser_goes_on;
    session_management_2_answers_carry_the_state_that_the_frame_computes;
    session_management_3_2_the_frame_alone_may_be_framed;
}
