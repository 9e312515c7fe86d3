//! A sign-out and what is given under its session at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use idp_store::client::Registered;
use idp_store::consent::{self, Consent};
use idp_store::grant::{self, Detail, Grant};
use idp_store::session::{self, Stored};
use idp_store::{StoreError, args, statement};
use tokio::sync::Notify;

use crate::engines::Fresh;

const NOW: i64 = 1_000;

statement!(
    SOMEBODY_WAITS,
    // The one writer runs this unit to its end before it begins another.
    "select 1 as n",
    postgres: "select count(*) as n from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'"
);

fn signed_in(id: &str) -> Stored {
    Stored {
        id: id.to_owned(),
        secret_hash: "h".to_owned(),
        kind: "citizen".to_owned(),
        person_id: "p".to_owned(),
        auth_time: NOW,
        auth_level: 1,
        amr: "pwd".to_owned(),
        device: "a browser".to_owned(),
        created_at: NOW,
        seen_at: NOW,
        expires_at: NOW + 10_000,
    }
}

fn partner() -> Registered {
    let client = serde_json::json!({"client_id": "c", "client_name": "c",
        "redirect_uris": ["https://c.example/cb"]});
    let client = serde_json::from_value(client).unwrap();
    Registered { client, secret_hash: None, disabled: false, document: None }
}

pub(crate) fn given(session: &str) -> Grant {
    let detail = serde_json::json!({"scope": "openid", "auth_time": 1, "amr": ["pwd"], "acr": "a",
        "proofing": 3, "auth": 1, "offline": false});
    Grant {
        id: "g".to_owned(),
        client_id: "c".to_owned(),
        person_id: "p".to_owned(),
        kind: "citizen".to_owned(),
        session_id: Some(session.to_owned()),
        detail: serde_json::from_value::<Detail>(detail).unwrap(),
        created_at: NOW,
        expires_at: NOW + 5_000,
    }
}

/// Who ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Session,
    All,
    Consent,
}

/// Gives something under session and consent, and is not done before somebody waits for it or has ended
/// the session without waiting.
async fn give(fresh: &Fresh, held: Arc<Notify>, ended: Arc<AtomicBool>) -> bool {
    let unit = fresh.db.write::<_, StoreError, _>("give", move |tx| {
        let (held, ended) = (held.clone(), ended.clone());
        Box::pin(async move {
            if !session::hold(tx, "s", NOW).await? || !consent::hold(tx, "p", "c").await? {
                return Ok(false);
            }
            held.notify_one();
            while tx.one(&SOMEBODY_WAITS, args![]).await?.int("n")? == 0
                && !ended.load(Ordering::SeqCst)
            {}
            grant::create(tx, &given("s")).await?;
            Ok(true)
        })
    });
    unit.await.unwrap()
}

async fn raced(fresh: Fresh, how: End) {
    let fresh = Arc::new(fresh);
    let start = fresh.db.write::<_, StoreError, _>("start", |tx| {
        Box::pin(async move {
            session::start(tx, &signed_in("s")).await?;
            let consent = Consent {
                client_id: "c".to_owned(),
                scope: "openid".to_owned(),
                claims: String::new(),
                client_name: "c".to_owned(),
                granted_at: NOW,
            };
            consent::allow(tx, "p", &consent).await?;
            idp_store::client::create(tx, &partner(), NOW).await
        })
    });
    start.await.unwrap();
    let (held, ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let giving = {
        let (fresh, held, ended) = (fresh.clone(), held.clone(), ended.clone());
        tokio::spawn(async move { give(&fresh, held, ended).await })
    };
    held.notified().await;
    let end = fresh.db.write::<_, StoreError, _>("end", move |tx| {
        Box::pin(async move {
            if how == End::Consent {
                assert!(consent::withdraw(tx, "p", "c", NOW).await?);
                return Ok(1);
            }
            if how == End::All {
                session::hold_all(tx, "p").await?;
                let told = idp_store::logout::of_person(tx, "p").await?;
                session::end_all(tx, "p", NOW).await?;
                grant::revoke_of_person(tx, "p", NOW).await?;
                return Ok(told.len());
            }
            session::end(tx, "s", NOW).await?;
            let told = idp_store::logout::of_session(tx, "s").await?;
            grant::revoke_of_session(tx, "s", NOW).await?;
            Ok(told.len())
        })
    });
    let told = end.await.unwrap();
    ended.store(true, Ordering::SeqCst);
    assert!(giving.await.unwrap());
    let left = grant::of_token(&fresh.db, "g", "jti", NOW).await.unwrap();
    assert!(left.is_none(), "a grant outlived the sign-out");
    assert_eq!(told, 1, "the partner that got it is not told");
}

async fn nothing_given_meanwhile_outlives_a_sign_out(fresh: Fresh) {
    raced(fresh, End::Session).await;
}

async fn nothing_given_meanwhile_outlives_the_end_of_all_sessions(fresh: Fresh) {
    raced(fresh, End::All).await;
}

async fn nothing_given_meanwhile_outlives_the_withdrawal_of_a_consent(fresh: Fresh) {
    raced(fresh, End::Consent).await;
}

crate::on_both! {
    withdrawal => super::nothing_given_meanwhile_outlives_the_withdrawal_of_a_consent;
    sign_out => super::nothing_given_meanwhile_outlives_a_sign_out;
    all_sessions => super::nothing_given_meanwhile_outlives_the_end_of_all_sessions;
}
