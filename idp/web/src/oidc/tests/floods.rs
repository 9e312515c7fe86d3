//! What anybody can send without signing in is bounded (attacks rows 42, 49).

use http::{Method, StatusCode, header};
use idp_store::{StoreError, Tx, args, statement};

use super::house::{Answer, House, ISSUER, on_both};
use crate::state::Settings;

const ASK: &str = "/oauth2/authorize?client_id=a&response_type=code&scope=openid\
                   &redirect_uri=https%3A%2F%2Fa.example%2Fcb";

statement!(FLOWS, "select count(*) as n from flow");

async fn flows(house: &House) -> i64 {
    let read = house.state.db.read::<_, StoreError, _>("test", |tx: &mut Tx| {
        Box::pin(async move { tx.one(&FLOWS, args![]).await?.int("n") })
    });
    read.await.unwrap()
}

fn three_a_minute() -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.limits.authorizations_per_network_per_minute = 3;
    settings
}

async fn ask(house: &House, forwarded: &str) -> Answer {
    let headers = [("x-forwarded-for", forwarded.to_owned())];
    house.send(Method::GET, ASK, &headers, "").await
}

async fn attack_42_a_flood_of_requests_is_told_to_wait_and_keeps_nothing(house: House) {
    // What is refused for its own faults is neither kept nor counted.
    for _ in 0..5 {
        let answer = house.send(Method::GET, "/oauth2/authorize?client_id=nobody", &[], "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    for _ in 0..3 {
        assert_eq!(ask(&house, "").await.status, StatusCode::SEE_OTHER);
        house.wait(5_000);
    }
    for _ in 0..5 {
        let answer = ask(&house, "").await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers[header::RETRY_AFTER], "45");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        assert!(answer.body.contains("role=\"alert\""), "{}", answer.body);
        assert!(answer.body.contains("temporarily_unavailable"));
    }
    let posted = ASK.split_once('?').unwrap();
    let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let answer = house.send(Method::POST, posted.0, &[kind], posted.1).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(flows(&house).await, 3);
    house.wait(45_000);
    assert_eq!(ask(&house, "").await.status, StatusCode::SEE_OTHER);
}

async fn no_limit_is_none(house: House) {
    let mut settings = Settings::new(ISSUER);
    settings.limits.authorizations_per_network_per_minute = 0;
    let house = house.beside_with(settings).await;
    for _ in 0..5 {
        assert_eq!(ask(&house, "").await.status, StatusCode::SEE_OTHER);
    }
}

async fn attack_49_a_strangers_word_about_its_network_is_nothing(house: House) {
    let mut told = Vec::new();
    for n in 0..4 {
        told.push(ask(&house, &format!("198.51.100.{n}")).await.status.as_u16());
    }
    assert_eq!(told, [303, 303, 303, 429]);
    // Behind a proxy of ours, each is counted by itself.
    let mut settings = three_a_minute();
    settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let house = house.beside_with(settings).await;
    house.wait(60_000);
    for n in 0..4 {
        let answer = ask(&house, &format!("203.0.113.{n}, 198.51.100.7")).await;
        assert_eq!(answer.status.as_u16(), if n < 3 { 303 } else { 429 });
    }
    assert_eq!(ask(&house, "198.51.100.8").await.status, StatusCode::SEE_OTHER);
}

async fn attack_42_no_body_is_longer_than_the_operator_said(house: House) {
    let mut settings = Settings::new(ISSUER);
    settings.max_body_bytes = 1_000;
    let house = house.beside_with(settings).await;
    let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
    for path in [
        "/oauth2/token",
        "/oauth2/authorize",
        "/oauth2/userinfo",
        "/oauth2/introspect",
        "/oauth2/revoke",
        "/oauth2/end_session",
        "/oauth2/end_session/confirm",
        "/signin",
        "/register",
        "/recover",
    ] {
        for (length, large) in [(1_000, false), (1_001, true)] {
            let answer = house
                .send(Method::POST, path, std::slice::from_ref(&kind), &"x".repeat(length))
                .await;
            let refused = answer.status == StatusCode::PAYLOAD_TOO_LARGE;
            assert_eq!(refused, large, "{path} {length}: {}", answer.status);
        }
    }
}

on_both! { floods with three_a_minute:
    attack_42_a_flood_of_requests_is_told_to_wait_and_keeps_nothing;
    no_limit_is_none;
    attack_49_a_strangers_word_about_its_network_is_nothing;
    attack_42_no_body_is_longer_than_the_operator_said;
}
