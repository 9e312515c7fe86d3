//! Notices to partners whose ID tokens are encrypted (Back-Channel Logout §2.4).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_domain::outgoing::{Answer, Failure};
use idp_protocol::jose::{Algorithm, Unverified};
use idp_protocol::jwe::{self, Content, Management, Opener};
use idp_protocol::logout as rules;
use idp_store::outbox::{self, Settled, Stuck};
use idp_store::{StoreError, Tx};
use serde_json::{Value, json};

use super::house::{Browser, House, ISSUER, SECRET, claims, on_both};
use super::notices::{Partners, sign_out, tokens, waiting};
use super::site::Sites;
use crate::logout::deliver;

const KEYS: &str = "https://jwe.example/keys";

fn opener(management: Management) -> Opener {
    Opener::new(management, &jwe::generate(management).unwrap()).unwrap()
}

fn partners(house: &House) -> Arc<Partners> {
    let partners = Arc::new(Partners::default());
    assert!(house.state.partners.set(partners.clone()).is_ok());
    partners
}

/// A partner that wants notices.
async fn register(house: &House, id: &str, more: Value) {
    let mut registration = json!({"client_id": id, "client_secret": SECRET,
        "redirect_uris": [format!("https://{id}.example/cb")],
        "post_logout_redirect_uris": [format!("https://{id}.example/bye")],
        "backchannel_logout_uri": format!("https://{id}.example/out"),
        "scope": "openid", "legal_basis": "test"});
    registration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.register(registration).await;
}

/// A registered set: the key to encrypt to and nothing else.
fn jwks(own: &Opener) -> Value {
    json!({"keys": [own.jwk()]})
}

/// One whose ID tokens are encrypted to a key that it publishes.
async fn publishing(house: &House) {
    let more = json!({"jwks_uri": KEYS, "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A128GCM"});
    register(house, "jwe", more).await;
}

fn header(token: &str) -> Value {
    let text = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn opened(own: &Opener, token: &str) -> String {
    String::from_utf8(jwe::open(std::slice::from_ref(own), token).unwrap()).unwrap()
}

/// Signs in at the partner, whose ID token is then opened.
async fn signed_in(house: &House, own: &Opener, id: &str) -> (Browser, String) {
    let mut browser = Browser::signed_in(house).await;
    let tokens = tokens(house, &mut browser, id, "openid").await;
    (browser, opened(own, tokens["id_token"].as_str().unwrap()))
}

async fn settle(house: &House, row: &outbox::Claimed, settled: Settled) {
    let (row, now) = (row.clone(), house.state.now());
    house
        .write(move |tx| {
            let (row, settled) = (row.clone(), settled.clone());
            Box::pin(async move {
                assert!(outbox::settle(tx, &row, now, &settled).await?);
                Ok(())
            })
        })
        .await;
}

/// What `tongban outbox list` shows.
async fn shown(house: &House) -> Vec<Stuck> {
    let read = house.state.db.read::<_, StoreError, _>("test", move |tx: &mut Tx| {
        Box::pin(async move { outbox::stuck(tx, 10).await })
    });
    read.await.unwrap()
}

async fn backchannel_logout_2_4_a_notice_is_encrypted_as_the_id_token(house: House) {
    let partners = partners(&house);
    let ring = house.state.keys.ring(&house.state).await.unwrap();
    for (management, content) in
        [(Management::EcdhEs, Content::A128Gcm), (Management::RsaOaep256, Content::A256Gcm)]
    {
        let (alg, enc, own) = (management.name(), content.name(), opener(management));
        let id = alg.to_ascii_lowercase();
        let more = json!({"jwks": jwks(&own), "id_token_signed_response_alg": "ES256",
            "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc});
        register(&house, &id, more).await;
        let (mut browser, id_token) = signed_in(&house, &own, &id).await;
        sign_out(&house, &mut browser, &id, &id_token).await;
        let sent = partners.sent();
        let [(url, token)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(*url, format!("https://{id}.example/out"));
        // The header says to whom it is encrypted, and who says it (RFC 7519 §5.3).
        let said = header(token);
        assert!(jwe::is_encrypted(token), "{said}");
        assert_eq!((&said["alg"], &said["enc"]), (&json!(alg), &json!(enc)));
        assert_eq!((&said["kid"], &said["cty"]), (&json!(own.kid()), &json!("JWT")));
        assert_eq!(said["iss"], ISSUER);
        // Inside is the signed token that it would have been.
        let inside = opened(&own, token);
        let unverified = Unverified::parse(&inside).unwrap();
        let told = unverified.verify(&ring.public, &[Algorithm::Es256], Some(rules::TYP)).unwrap();
        let known = claims(&id_token);
        assert_eq!((&told["iss"], &told["aud"]), (&json!(ISSUER), &json!(id)));
        assert_eq!((&told["sub"], &told["sid"]), (&known["sub"], &known["sid"]));
        assert_eq!(told["events"], json!({ rules::EVENT: {} }));
        house.wait(60_000);
        assert!(waiting(&house).await.is_empty());
    }
}

async fn backchannel_logout_2_4_only_the_id_tokens_wish_encrypts_notices(house: House) {
    let (partners, own) = (partners(&house), opener(Management::EcdhEs));
    let more = json!({"jwks": jwks(&own), "userinfo_encrypted_response_alg": "ECDH-ES",
        "userinfo_encrypted_response_enc": "A128GCM"});
    register(&house, "plain", more).await;
    let mut browser = Browser::signed_in(&house).await;
    let tokens = tokens(&house, &mut browser, "plain", "openid").await;
    sign_out(&house, &mut browser, "plain", tokens["id_token"].as_str().unwrap()).await;
    let sent = partners.sent();
    assert_eq!(header(&sent[0].1)["typ"], rules::TYP);
}

async fn backchannel_logout_2_4_signing_out_does_not_wait_for_a_partners_keys(house: House) {
    let (sites, own) = (Sites::of(&house), opener(Management::EcdhEs));
    sites.serve(KEYS, &json!({"keys": [own.jwk()]}));
    publishing(&house).await;
    let told = partners(&house);
    let (mut browser, id_token) = signed_in(&house, &own, "jwe").await;
    // Another node never saw the partner's keys: it does not fetch them while a browser waits.
    let other = house.beside().await;
    let (far, elsewhere) = (Sites::of(&other), partners(&other));
    far.serve(KEYS, &json!({"keys": [own.jwk()]}));
    let done = sign_out(&other, &mut browser, "jwe", &id_token).await;
    assert_eq!(done.location(), "https://jwe.example/bye?state=s");
    assert_eq!((far.asked(), elsewhere.sent().len()), (0, 0));
    // The outbox does, a second later.
    house.wait(1_000);
    let left = waiting(&other).await;
    assert_eq!(left.len(), 1);
    deliver(&other.state, &left[0].arguments).await.unwrap();
    assert_eq!(far.asked(), 1);
    assert_eq!(claims(&opened(&own, &elsewhere.sent()[0].1))["aud"], "jwe");
    settle(&other, &left[0], Settled::Sent(json!({}))).await;
    // What was fetched for an ID token serves at once, however old, whatever its site says now.
    let (mut browser, id_token) = signed_in(&house, &own, "jwe").await;
    sites.answer(KEYS, Err(Failure::Slow));
    sites.asked();
    house.wait(5 * 60_000);
    sign_out(&house, &mut browser, "jwe", &id_token).await;
    assert_eq!(sites.asked(), 0);
    assert_eq!(claims(&opened(&own, &told.sent()[0].1))["aud"], "jwe");
}

async fn backchannel_logout_2_4_a_notice_without_its_key_waits_and_says_why(house: House) {
    let (sites, partners) = (Sites::of(&house), partners(&house));
    let own = opener(Management::EcdhEs);
    sites.serve(KEYS, &json!({"keys": [own.jwk()]}));
    publishing(&house).await;
    let (_, id_token) = signed_in(&house, &own, "jwe").await;
    // A day later nobody believes the old set.
    house.wait(24 * 60 * 60_000);
    crate::session::end_all(&house.state, "p1").await.unwrap();
    let rsa = opener(Management::RsaOaep256);
    let set =
        |body: Value| Answer { status: 200, body: body.to_string().into(), ..Answer::default() };
    for (answer, cause) in [
        (Ok(Answer { status: 503, ..Answer::default() }), "the site answered 503"),
        (Err(Failure::Slow), "no whole answer in time"),
        (Ok(set(json!({"keys": "none"}))), "no set of public keys"),
        (Ok(set(json!({"keys": [rsa.jwk()]}))), "none of those at its `jwks_uri` fits"),
    ] {
        sites.answer(KEYS, answer);
        house.wait(60_000);
        let left = waiting(&house).await;
        assert_eq!(left.len(), 1, "{cause}");
        let problem = deliver(&house.state, &left[0].arguments).await.unwrap_err();
        assert!(problem.starts_with("client jwe has no key to encrypt to: "), "{problem}");
        assert!(problem.contains(cause), "{problem}");
        // Nothing left in the open.
        assert!(partners.sent().is_empty(), "{cause}");
        let later = house.state.now() + 1_000;
        settle(&house, &left[0], Settled::Unknown(later, problem.clone())).await;
        let shown = shown(&house).await;
        assert_eq!(shown[0].problem.as_deref(), Some(problem.as_str()));
        assert_eq!(shown[0].subject.as_deref(), Some("jwe"));
    }
    // Its site is well again: told, with nobody's help.
    sites.serve(KEYS, &json!({"keys": [own.jwk()]}));
    house.wait(60_000);
    let left = waiting(&house).await;
    deliver(&house.state, &left[0].arguments).await.unwrap();
    let told = claims(&opened(&own, &partners.sent()[0].1));
    assert_eq!(told["sub"], claims(&id_token)["sub"]);
}

on_both! {
    backchannel_logout_2_4_a_notice_is_encrypted_as_the_id_token;
    backchannel_logout_2_4_only_the_id_tokens_wish_encrypts_notices;
    backchannel_logout_2_4_signing_out_does_not_wait_for_a_partners_keys;
    backchannel_logout_2_4_a_notice_without_its_key_waits_and_says_why;
}
