//! One effect a key, one worker a row.

use idp_store::StoreError;
use idp_store::outbox::{self, Claimed, Entry, Settled};
use serde_json::{Value, json};

use crate::engines::Fresh;

fn entry(key: &str, arguments: Value) -> Entry {
    let id = format!("id-{key}-{arguments}");
    Entry { id, key: key.into(), interface: "sms", subject: None, arguments, at: 10 }
}

async fn enqueue(fresh: &Fresh, entry: Entry) -> Result<(), StoreError> {
    fresh
        .db
        .write("enqueue", move |tx| {
            let entry = entry.clone();
            Box::pin(async move { outbox::enqueue(tx, entry).await })
        })
        .await
}

async fn claim(fresh: &Fresh, now: i64) -> Vec<Claimed> {
    fresh
        .db
        .write::<_, StoreError, _>("claim", move |tx| {
            Box::pin(async move { outbox::claim(tx, outbox::Lane::House, now, 100, 10).await })
        })
        .await
        .unwrap()
}

async fn settle(fresh: &Fresh, claimed: &Claimed, settled: Settled) -> bool {
    let claimed = claimed.clone();
    fresh
        .db
        .write::<_, StoreError, _>("settle", move |tx| {
            let (claimed, settled) = (claimed.clone(), settled.clone());
            Box::pin(async move { outbox::settle(tx, &claimed, 20, &settled).await })
        })
        .await
        .unwrap()
}

async fn the_same_key_is_one_effect_and_other_content_is_refused(fresh: Fresh) {
    enqueue(&fresh, entry("k", json!({"to": "1"}))).await.unwrap();
    enqueue(&fresh, entry("k", json!({"to": "1"}))).await.unwrap();
    let other = enqueue(&fresh, entry("k", json!({"to": "2"}))).await;
    assert!(matches!(other, Err(StoreError::Conflict)));
    assert_eq!(claim(&fresh, 10).await.len(), 1);
}

/// Notices to partners are carried beside the house's own effects; those that did not arrive are
/// shown, begun anew, and removed in the end.
async fn notices_have_a_lane_of_their_own(fresh: Fresh) {
    let at = 1_800_000_000_000;
    let notice = |n: u8| Entry {
        id: format!("{at}-{n}"),
        interface: idp_store::logout::INTERFACE,
        subject: Some("partner".into()),
        at,
        ..entry(&format!("n{n}"), json!({"n": n}))
    };
    for n in 0..3 {
        enqueue(&fresh, notice(n)).await.unwrap();
    }
    enqueue(&fresh, entry("k", json!({}))).await.unwrap();
    assert_eq!(claim(&fresh, at).await.len(), 1, "the house's own");
    let claimed: Vec<Claimed> = fresh
        .db
        .write::<_, StoreError, _>("claim", move |tx| {
            Box::pin(async move {
                assert_eq!(outbox::next_at(tx, outbox::Lane::Notices).await?, Some(at));
                outbox::claim(tx, outbox::Lane::Notices, at, 100, 10).await
            })
        })
        .await
        .unwrap();
    assert_eq!(claimed.len(), 3);
    assert!(settle(&fresh, &claimed[0], Settled::Sent(json!({}))).await);
    assert!(settle(&fresh, &claimed[1], Settled::Dead("answered 500".into())).await);
    assert!(settle(&fresh, &claimed[2], Settled::Again(at + 9, "no answer".into())).await);
    let stuck = fresh
        .db
        .read::<_, StoreError, _>("stuck", |tx| Box::pin(outbox::stuck(tx, 10)))
        .await
        .unwrap();
    let seen: Vec<_> =
        stuck.iter().map(|row| (row.state.as_str(), row.problem.as_deref())).collect();
    assert_eq!(seen, [("pending", Some("no answer")), ("dead", Some("answered 500"))]);
    assert_eq!(stuck[0].subject.as_deref(), Some("partner"));
    let day = at + 86_400_000;
    fresh
        .db
        .write::<_, StoreError, _>("test", move |tx| {
            Box::pin(async move {
                // What arrived goes after its day, what was given up after its month, what waits
                // never.
                assert_eq!(idp_store::logout::prune(tx, day, at).await?, 1);
                assert_eq!(idp_store::logout::prune(tx, day, at).await?, 0);
                let dead = format!("{at}-1");
                assert!(outbox::revive(tx, &dead, at).await?);
                assert!(!outbox::revive(tx, &dead, at).await?, "it waits already");
                let again = outbox::claim(tx, outbox::Lane::Notices, at, 100, 10).await?;
                assert_eq!((again.len(), again[0].attempts), (1, 0));
                assert!(outbox::settle(tx, &again[0], at, &Settled::Dead("x".into())).await?);
                assert_eq!(idp_store::logout::prune(tx, day, day).await?, 1);
                // Of the house's own, only what may be sent twice is begun anew.
                assert!(!outbox::revive(tx, "nothing", at).await?);
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn a_lease_holds_others_off_and_its_end_lets_them_ask(fresh: Fresh) {
    enqueue(&fresh, entry("k", json!({}))).await.unwrap();
    let first = claim(&fresh, 10).await.remove(0);
    assert_eq!(first.state, "pending");
    assert!(claim(&fresh, 50).await.is_empty());
    let second = claim(&fresh, 110).await.remove(0);
    assert_eq!(second.state, "sending", "nobody knows whether the first was carried out");
    assert!(!settle(&fresh, &first, Settled::Sent(json!(1))).await, "a late worker is ignored");
    assert!(settle(&fresh, &second, Settled::Unknown(200, "timeout".into())).await);
    assert!(claim(&fresh, 150).await.is_empty());
    let third = claim(&fresh, 200).await.remove(0);
    assert_eq!(third.state, "unknown");
    assert!(settle(&fresh, &third, Settled::Sent(json!({"label": "x"}))).await);
    assert!(claim(&fresh, 10_000).await.is_empty());
}

async fn a_node_that_starts_alone_waits_for_no_lease_and_still_asks_first(fresh: Fresh) {
    enqueue(&fresh, entry("k", json!({}))).await.unwrap();
    let dead = claim(&fresh, 10).await.remove(0);
    let released: Result<u64, StoreError> =
        fresh.db.write("release", |tx| Box::pin(idp_store::outbox::release(tx))).await;
    assert_eq!(released.unwrap(), 1);
    let taken = claim(&fresh, 11).await.remove(0);
    assert_eq!(taken.state, "sending", "nobody knows whether the first was carried out");
    assert!(!settle(&fresh, &dead, Settled::Sent(json!(1))).await, "the dead one is ignored");
    assert!(settle(&fresh, &taken, Settled::Sent(json!(2))).await);
}

async fn workers_side_by_side_share_the_rows(fresh: Fresh) {
    for n in 0..20 {
        enqueue(&fresh, entry(&format!("k{n}"), json!({}))).await.unwrap();
    }
    let (a, b) = tokio::join!(claim(&fresh, 10), claim(&fresh, 10));
    let mut ids: Vec<_> = a.iter().chain(&b).map(|row| row.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), a.len() + b.len(), "no row twice");
}

crate::on_both! {
    one_effect => super::the_same_key_is_one_effect_and_other_content_is_refused;
    releases => super::a_node_that_starts_alone_waits_for_no_lease_and_still_asks_first;
    lanes => super::notices_have_a_lane_of_their_own;
    leases => super::a_lease_holds_others_off_and_its_end_lets_them_ask;
    side_by_side => super::workers_side_by_side_share_the_rows;
}
