//! Keys that clients publish (`jwks_uri`; attacks rows 16, 17, 42).

use http::StatusCode;
use idp_domain::outgoing::{Answer, Failure};
use idp_protocol::jose::{Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::house::{Answer as Told, House, ISSUER, on_both};
use super::site::Sites;

const KEYS: &str = "https://k.example/keys";

fn signer() -> Signer {
    Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap()
}

fn set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk().clone()).collect::<Vec<_>>()})
}

async fn client(house: &House) {
    let registration = json!({"client_id": "k", "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS, "scope": "cases"});
    house.register(registration).await;
}

async fn ask(house: &House, signer: &Signer) -> Told {
    let now = house.state.now() / 1000;
    let claims = json!({"iss": "k", "sub": "k", "aud": ISSUER, "exp": now + 60, "iat": now,
        "jti": house.state.ambient.id()});
    let assertion = signer.sign("JWT", &claims).unwrap();
    let kind = idp_protocol::assertion::TYPE;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", kind),
        ("client_assertion", &assertion),
    ];
    house.post("/oauth2/token", &[], &fields).await
}

async fn passes(house: &House, signer: &Signer) -> bool {
    let answer = ask(house, signer).await;
    if answer.status != StatusCode::OK {
        assert_eq!(answer.error(), "invalid_client", "{answer:?}");
    }
    answer.status == StatusCode::OK
}

async fn registration_2_published_keys_are_fetched_once_and_kept(house: House) {
    let (sites, first) = (Sites::of(&house), signer());
    sites.serve(KEYS, &set(&[&first]));
    client(&house).await;
    for _ in 0..5 {
        assert!(passes(&house, &first).await);
    }
    assert_eq!(sites.asked(), 1);
    // Five minutes later it is looked at again.
    house.wait(5 * 60_000);
    assert!(passes(&house, &first).await);
    assert_eq!(sites.asked(), 1);
}

async fn registration_2_a_new_key_is_known_within_a_minute_and_an_old_one_is_gone(house: House) {
    let (sites, first, second) = (Sites::of(&house), signer(), signer());
    sites.serve(KEYS, &set(&[&first]));
    client(&house).await;
    assert!(passes(&house, &first).await);
    sites.serve(KEYS, &set(&[&second]));
    house.wait(60_000);
    assert!(passes(&house, &second).await);
    assert!(!passes(&house, &first).await);
}

async fn attack_42_a_strange_kid_does_not_make_us_fetch_without_bound(house: House) {
    let (sites, first) = (Sites::of(&house), signer());
    sites.serve(KEYS, &set(&[&first]));
    client(&house).await;
    assert!(passes(&house, &first).await);
    assert_eq!(sites.asked(), 1);
    for _ in 0..30 {
        assert!(!passes(&house, &signer()).await);
        house.wait(1_000);
    }
    let asked = sites.asked();
    assert!((1..=3).contains(&asked), "{asked}");
    assert!(passes(&house, &first).await);
}

async fn attack_42_those_who_come_at_once_fetch_once(house: House) {
    let (sites, first) = (Sites::of(&house), signer());
    sites.serve(KEYS, &set(&[&first]));
    client(&house).await;
    let all = futures_util::future::join_all((0..8).map(|_| passes(&house, &first))).await;
    assert!(all.into_iter().all(|passed| passed));
    assert_eq!(sites.asked(), 1);
}

async fn a_site_that_fails_takes_nobody_down_while_its_keys_are_recent(house: House) {
    let (sites, first) = (Sites::of(&house), signer());
    sites.serve(KEYS, &set(&[&first]));
    client(&house).await;
    assert!(passes(&house, &first).await);
    assert_eq!(sites.asked(), 1);
    let page = Answer { status: 200, body: b"<html>".to_vec(), ..Answer::default() };
    let private = json!({"keys": [{"kty": "EC", "d": "x"}]}).to_string().into_bytes();
    let private = Answer { status: 200, body: private, ..Answer::default() };
    let moved = Answer { status: 302, ..Answer::default() };
    for failure in [Err(Failure::Slow), Err(Failure::Long), Ok(page), Ok(private), Ok(moved)] {
        sites.answer(KEYS, failure.clone());
        house.wait(60 * 60_000);
        assert!(passes(&house, &first).await, "{failure:?}");
        assert_eq!(sites.asked(), 1);
    }
    house.wait(24 * 60 * 60_000);
    assert!(!passes(&house, &first).await);
}

async fn attack_17_a_closed_address_gives_no_keys(house: House) {
    // The house has no way out at all.
    client(&house).await;
    assert!(!passes(&house, &signer()).await);
}

on_both! {
    registration_2_published_keys_are_fetched_once_and_kept;
    registration_2_a_new_key_is_known_within_a_minute_and_an_old_one_is_gone;
    attack_42_a_strange_kid_does_not_make_us_fetch_without_bound;
    attack_42_those_who_come_at_once_fetch_once;
    a_site_that_fails_takes_nobody_down_while_its_keys_are_recent;
    attack_17_a_closed_address_gives_no_keys;
}
