//! What is taken once, by many at the same moment, one by one and in groups.

use idp_store::code::{self, Code};
use idp_store::grant;
use idp_store::{Db, StoreError, proof, refresh, single_use};
use tokio::task::JoinSet;

use crate::engines::Fresh;
use crate::signout::given;

const NOW: i64 = 1_000;

async fn family(db: &Db, id: &'static str) {
    let unit = db.write::<_, StoreError, _>("family", move |tx| {
        Box::pin(async move {
            let mut grant = given("s");
            grant.id = format!("g{id}");
            grant::create(tx, &grant).await?;
            let code = Code {
                id: format!("c{id}"),
                secret_hash: "h".to_owned(),
                grant_id: grant.id.clone(),
                client_id: "c".to_owned(),
                redirect_uri: None,
                challenge: None,
                nonce: None,
                expires_at: NOW + 100,
                used_at: None,
            };
            code::create(tx, &code).await?;
            refresh::create(tx, id, "first", &grant.id, NOW, NOW + 1_000, None).await
        })
    });
    unit.await.unwrap();
}

async fn revoke(db: &Db, id: &'static str) {
    let unit = db.write::<_, StoreError, _>("revoke", move |tx| {
        Box::pin(async move { grant::revoke(tx, &format!("g{id}"), NOW).await })
    });
    assert!(unit.await.unwrap());
}

async fn consume(db: &Db, id: &'static str) -> bool {
    let unit = db.write::<_, StoreError, _>("consume", move |tx| {
        Box::pin(async move { code::consume(tx, &format!("c{id}"), "c", NOW).await })
    });
    unit.await.unwrap()
}

async fn of_many_rotations_of_a_token_one_wins(fresh: Fresh) {
    for id in ["a", "b", "c", "d"] {
        family(&fresh.db, id).await;
    }
    let mut rotations = JoinSet::new();
    for n in 0..80_usize {
        let (db, id) = (fresh.db.clone(), ["a", "b", "c", "d"][n % 4]);
        rotations.spawn(async move {
            let next = format!("next {n}");
            refresh::rotate(&db, id, "first", &next, NOW).await.unwrap().then_some((id, next))
        });
    }
    let mut won: Vec<_> = rotations.join_all().await.into_iter().flatten().collect();
    won.sort();
    assert_eq!(won.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    for (id, next) in won {
        let found = refresh::standing(&fresh.db, id, NOW).await.unwrap().unwrap();
        // The winner's, and not another's of the same group.
        assert_eq!(found.family.secret_hash, next);
        assert_eq!(found.family.previous_hash.as_deref(), Some("first"));
        assert_eq!(found.grant.id, format!("g{id}"));
    }
}

async fn nothing_is_taken_of_a_grant_that_has_ended(fresh: Fresh) {
    let db = &fresh.db;
    for id in ["a", "b"] {
        family(db, id).await;
    }
    revoke(db, "a").await;
    assert!(!refresh::rotate(db, "a", "first", "next", NOW).await.unwrap());
    assert!(!consume(db, "a").await);
    // In a group with one that stands.
    let mut rotations = JoinSet::new();
    for n in 0..40_usize {
        let (db, id) = (db.clone(), ["a", "b"][n % 2]);
        rotations.spawn(async move {
            let next = format!("next {n}");
            refresh::rotate(&db, id, "first", &next, NOW).await.unwrap().then_some(id)
        });
    }
    let won: Vec<_> = rotations.join_all().await.into_iter().flatten().collect();
    assert_eq!(won, ["b"]);
    assert!(consume(db, "b").await);
    // Nor of one that has expired, or of a family that has.
    family(db, "c").await;
    assert!(!refresh::rotate(db, "c", "first", "next", NOW + 5_000).await.unwrap());
    assert!(!refresh::rotate(db, "c", "first", "next", NOW + 1_000).await.unwrap());
}

async fn a_proof_and_an_assertion_are_good_for_one_of_many(fresh: Fresh) {
    let mut tries = JoinSet::new();
    for n in 0..120_usize {
        let db = fresh.db.clone();
        tries.spawn(async move {
            let jti = format!("{}", n % 3);
            // Two clients may use the same `jti`.
            let client = ["one", "two"][n / 3 % 2];
            let proof = proof::spend(&db, client, &jti, NOW).await.unwrap();
            let assertion = single_use::assertion(&db, client, &jti, NOW).await.unwrap();
            (usize::from(proof), usize::from(assertion))
        });
    }
    let won = tries.join_all().await.into_iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    assert_eq!(won, (6, 6));
}

crate::on_both! {
    rotations => super::of_many_rotations_of_a_token_one_wins;
    ended => super::nothing_is_taken_of_a_grant_that_has_ended;
    once => super::a_proof_and_an_assertion_are_good_for_one_of_many;
}
