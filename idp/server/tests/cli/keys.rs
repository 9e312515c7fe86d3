//! `tongban key`: the drill of docs/operating/keys.md (attacks row 47).

use std::time::Duration;

use serde_json::Value;

use crate::figures::{serve, text};
use crate::place::Place;

/// The key set of a running node once it has seen a command's change: after five seconds, it says,
/// and never later than a minute on a busy machine.
async fn once(set: &str, changed: impl Fn(&str) -> bool) {
    for _ in 0..600 {
        if changed(&text(set).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the change is not seen: {}", text(set).await);
}

fn keys(place: &Place) -> Vec<Value> {
    let all = place.run(&["key", "list", "--json"]).is(0).json();
    all.into_iter().filter(|key| key["algorithm"] == "ES256").collect()
}

fn of<'k>(keys: &'k [Value], state: &str) -> Vec<&'k str> {
    let some = keys.iter().filter(|key| key["state"] == state);
    some.map(|key| key["kid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn attack_47_the_routine_and_the_emergency_as_the_manual_says() {
    let place =
        Place::with("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n");
    let (_serving, main, figures) = serve(&place);
    let set = format!("{main}/oauth2/jwks");
    let before = keys(&place);
    let [old] = of(&before, "active")[..] else { panic!("{before:?}") };
    let answer = place.run(&["key", "rotate", "--algorithm", "ES256", "--json"]).is(0);
    let next = answer.json().remove(0);
    assert_eq!(next["made"], true);
    let again = place.run(&["key", "rotate", "--algorithm", "ES256"]).is(0);
    assert_eq!(again.data.trim(), next["kid"]);
    assert!(again.talk.contains("a successor waits already: signs from 2"), "{}", again.talk);
    let waiting = keys(&place);
    assert_eq!(of(&waiting, "active"), [old]);
    assert_eq!(of(&waiting, "next"), [next["kid"].as_str().unwrap()]);
    let from = next["signs_from"].as_i64().unwrap();
    assert_eq!(from - waiting[1]["created_at"].as_i64().unwrap(), 900_000);
    let lines = place.run(&["key", "list"]).is(0).data;
    assert!(lines.contains("\tnext\tsigns from 2") && lines.contains(" until 2"), "{lines}");
    once(&set, |shown| shown.contains(old) && shown.contains(of(&waiting, "next")[0])).await;
    // The emergency: the key that signs is known to somebody; the one that waits takes over.
    place.run(&["key", "revoke", old]).is(0);
    place.run(&["key", "revoke", old]).is(1);
    let after = keys(&place);
    assert_eq!(of(&after, "active"), of(&waiting, "next"));
    assert_eq!(of(&after, "revoked"), [old]);
    let revoked = after.iter().find(|key| key["kid"] == old).unwrap();
    assert_eq!(revoked["private"], false);
    once(&set, |shown| !shown.contains(old) && shown.contains(of(&after, "active")[0])).await;
    // So is that one: another is made, and signs at once.
    place.run(&["key", "revoke", of(&after, "active")[0]]).is(0);
    let last = keys(&place);
    assert_eq!((of(&last, "active").len(), of(&last, "revoked").len()), (1, 2));
    once(&set, |shown| shown.contains(of(&last, "active")[0])).await;
    let told = text(&format!("{figures}/metrics")).await;
    assert!(told.contains("tongban_key_age_seconds{algorithm=\"ES256\"}"), "{told}");
    place.run(&["key", "revoke", "nobody"]).is(1);
    // A name is a name, also where it looks like an option.
    let answer = place.run(&["key", "revoke", "-l9nobody"]).is(1);
    assert!(answer.talk.contains("there is no key -l9nobody"), "{}", answer.talk);
    place.run(&["key", "rotate", "--algorithm", "HS256"]).is(2);
}

#[test]
fn attack_47_a_key_is_published_for_longer_than_sets_are_kept() {
    let place = Place::with("[keys]\npublish_ahead_seconds = 69\n");
    let refused = place.run(&["key", "rotate", "--algorithm", "ES256"]);
    assert_ne!(refused.status, 0);
    assert!(refused.talk.contains("70 or more"), "{}", refused.talk);
}
