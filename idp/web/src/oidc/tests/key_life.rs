//! The life of our keys on one node and on two (attacks row 47).

use idp_protocol::jose::{Algorithm, Unverified};
use serde_json::json;

use super::house::{Answer, House, on_both};
use crate::keys::{self, Listed};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn token(house: &House) -> (String, String) {
    let answer: Answer = house.token(&[("grant_type", "client_credentials")]).await;
    let text = answer.json()["access_token"].as_str().unwrap().to_owned();
    let kid = Unverified::parse(&text).unwrap().kid().unwrap().to_owned();
    (text, kid)
}

async fn published(house: &House, kid: &str) -> bool {
    let answer = house.send(http::Method::GET, "/oauth2/jwks", &[], "").await;
    answer.json()["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid)
}

async fn listed(house: &House) -> Vec<Listed> {
    let state = &house.state;
    let mut all = keys::list(&state.db, &state.ambient, state.settings.keys()).await.unwrap();
    all.retain(|key| key.algorithm == "ES256");
    all
}

async fn rotate(house: &House, name: &str) -> keys::Rotated {
    let state = &house.state;
    keys::rotate(&state.db, &state.ambient, state.settings.keys(), name).await.unwrap()
}

async fn revoke(house: &House, kid: &str) -> bool {
    keys::revoke(&house.state.db, &house.state.ambient, kid).await.unwrap()
}

async fn upkeep(house: &House) -> Vec<keys::Changed> {
    let state = &house.state;
    keys::upkeep(&state.db, &state.ambient, state.settings.keys()).await.unwrap()
}

async fn attack_47_no_node_meets_a_token_by_a_key_that_it_does_not_know(house: House) {
    let other = house.beside().await;
    let schedule = house.state.settings.keys();
    assert!(schedule.publish_ahead > keys::MAX_AGE * 1000, "older sets are forgotten by then");
    let (_, old) = token(&house).await;
    let next = rotate(&house, "ES256").await;
    assert!(next.made);
    // A second command makes no second successor.
    assert_eq!(rotate(&house, "ES256").await, keys::Rotated { made: false, ..next.clone() });
    house.wait(5_000);
    for node in [&house, &other] {
        assert!(published(node, &next.kid).await && published(node, &old).await);
        assert_eq!(token(node).await.1, old, "published, and not yet signing");
    }
    house.wait(schedule.publish_ahead);
    let (text, kid) = token(&house).await;
    assert_eq!(kid, next.kid);
    assert!(other.active(&text).await);
    assert_eq!(token(&other).await.1, next.kid);
    assert!(published(&other, &old).await, "it verifies what it signed");
}

async fn attack_47_an_emergency_is_over_within_seconds_on_every_node(house: House) {
    let other = house.beside().await;
    let (text, stolen) = token(&house).await;
    assert!(other.active(&text).await);
    assert!(revoke(&house, &stolen).await && !revoke(&house, &stolen).await);
    let kept = listed(&house).await;
    let revoked = kept.iter().find(|key| key.kid == stolen).unwrap();
    assert!(revoked.state == "revoked" && !revoked.private, "{revoked:?}");
    house.wait(5_000);
    let (fresh, kid) = token(&house).await;
    assert_ne!(kid, stolen);
    for node in [&house, &other] {
        assert!(node.active(&fresh).await, "the replacement signs at once");
        assert!(!node.active(&text).await && !published(node, &stolen).await);
    }
}

async fn attack_47_a_node_knows_a_replacement_before_it_reads_by_itself(house: House) {
    let other = house.beside().await;
    let (_, stolen) = token(&house).await;
    house.wait(4_000);
    assert!(revoke(&house, &stolen).await);
    // One has read the keys just now, the other would not yet.
    let first = house.beside().await;
    let (text, kid) = token(&first).await;
    assert_ne!(kid, stolen);
    assert!(other.active(&text).await, "an unknown key is looked for");
}

async fn attack_47_private_halves_go_when_keys_retire_and_keys_when_all_has_expired(house: House) {
    let schedule = house.state.settings.keys();
    let (_, old) = token(&house).await;
    rotate(&house, "ES256").await;
    rotate(&house, "ECDH-ES").await;
    house.wait(schedule.publish_ahead + 60_000);
    while !upkeep(&house).await.is_empty() {}
    let key = listed(&house).await.into_iter().find(|key| key.kid == old).unwrap();
    assert!(key.state == "retired" && !key.private, "{key:?}");
    let all = keys::list(&house.state.db, &house.state.ambient, schedule).await.unwrap();
    assert!(all.iter().all(|key| key.private || key.kid == old), "what opens stays whole");
    assert!(published(&house, &old).await, "its public half stays");
    house.wait(schedule.overlap - 60_001);
    let early = upkeep(&house).await;
    assert!(early.iter().all(|one| one.what != "removed"), "{early:?}");
    assert!(published(&house, &old).await);
    house.wait(1);
    let removed = upkeep(&house).await;
    assert_eq!(removed.iter().filter(|one| one.what == "removed").count(), 2, "{removed:?}");
    assert!(listed(&house).await.iter().all(|key| key.kid != old));
    house.wait(5_000);
    assert!(!published(&house, &old).await);
}

async fn attack_47_of_two_nodes_one_rotates_when_it_is_time(house: House) {
    let other = house.beside().await;
    // Keys of this house were made long ago: begin with one of today.
    rotate(&house, "ES256").await;
    house.wait(house.state.settings.keys().publish_ahead);
    for after in [90 * DAY - 1, 1] {
        house.wait(after);
        let (here, there) = tokio::join!(upkeep(&house), upkeep(&other));
        let of = |one: &&keys::Changed| one.algorithm == "ES256" && one.what == "published";
        let made = here.iter().chain(&there).filter(of).count();
        assert_eq!(made, usize::from(after == 1), "{here:?} {there:?}");
    }
    assert_eq!(listed(&house).await.iter().filter(|key| key.state == "next").count(), 1);
}

/// Any order of what people and time do: one key signs, and what it signed is believed until it
/// has expired, unless it was revoked.
async fn attack_47_in_any_order_one_key_signs_and_its_word_stands(house: House) {
    let other = house.beside().await;
    let schedule = house.state.settings.keys();
    let lives = schedule.overlap - schedule.publish_ahead;
    let (mut signed, mut revoked) = (Vec::<(String, String, i64)>::new(), Vec::new());
    let mut seed = 47_u64;
    let mut dice = move |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % sides
    };
    for step in 0..120 {
        let all = listed(&house).await;
        match dice(6) {
            0 | 1 => drop(rotate(&house, "ES256").await),
            2 => {
                let one = &all[usize::try_from(dice(all.len() as u64)).unwrap()];
                let stood = one.state != "revoked";
                assert_eq!(revoke(&other, &one.kid).await, stood);
                revoked.push(one.kid.clone());
            }
            3 => drop(tokio::join!(upkeep(&house), upkeep(&other))),
            4 => house.wait(i64::try_from(dice(30)).unwrap() * 60_000),
            _ => house.wait(i64::try_from(dice(5)).unwrap() * HOUR),
        }
        let all = listed(&house).await;
        assert_eq!(all.iter().filter(|key| key.active).count(), 1, "step {step}: {all:?}");
        house.wait(5_000);
        let ring = house.state.keys.ring(&house.state).await.unwrap();
        let signer = ring.signer(Algorithm::Es256).unwrap();
        let text = signer.sign("at+jwt", &json!({"n": step})).unwrap();
        let now = house.state.now();
        signed.push((text, signer.kid().to_owned(), now + lives));
        let ring = other.state.keys.ring(&other.state).await.unwrap();
        for (text, kid, until) in &signed {
            let token = Unverified::parse(text).unwrap();
            let stands = token.verify(&ring.public, &[Algorithm::Es256], Some("at+jwt")).is_ok();
            if revoked.contains(kid) {
                assert!(!stands, "step {step}: {kid} was revoked");
            } else if *until > now {
                assert!(stands, "step {step}: {kid} of {all:?}");
            }
        }
    }
    assert!(revoked.len() > 5 && signed.len() == 120);
}

on_both! {
    attack_47_no_node_meets_a_token_by_a_key_that_it_does_not_know;
    attack_47_an_emergency_is_over_within_seconds_on_every_node;
    attack_47_a_node_knows_a_replacement_before_it_reads_by_itself;
    attack_47_private_halves_go_when_keys_retire_and_keys_when_all_has_expired;
    attack_47_of_two_nodes_one_rotates_when_it_is_time;
    attack_47_in_any_order_one_key_signs_and_its_word_stands;
}
