//! The audit trail shows what was changed, removed or cut.

use idp_store::audit::{self, Line};
use idp_store::{StoreError, args, statement};
use serde_json::json;

use crate::engines::Fresh;

statement!(ALTER, "update audit_line set actor = 'someone' where n = $1");
statement!(REMOVE, "delete from audit_line where n = $1");
statement!(ERASE, "update audit_line set details = $2 where n = $1");

async fn three_lines(fresh: &Fresh) {
    for at in 1..=3 {
        fresh
            .db
            .write::<_, StoreError, _>("line", move |tx| {
                Box::pin(async move {
                    let details = json!({ "partner": "闽政通" });
                    let line = Line { at, kind: "sign_in", actor: "self".into(), details };
                    audit::append(tx, "p", line).await
                })
            })
            .await
            .unwrap();
    }
}

async fn verify(fresh: &Fresh) -> Option<audit::Broken> {
    let (_, broken) = fresh
        .db
        .read::<_, StoreError, _>("verify", |tx| {
            Box::pin(async move { audit::verify(tx, "").await })
        })
        .await
        .unwrap();
    broken
}

async fn run(
    fresh: &Fresh,
    statement: &'static idp_store::Statement,
    values: Vec<idp_store::Value>,
) {
    fresh
        .db
        .write::<_, StoreError, _>("tamper", move |tx| {
            let values = values.clone();
            Box::pin(async move { tx.execute(statement, &values).await })
        })
        .await
        .unwrap();
}

async fn an_altered_line_is_named(fresh: Fresh) {
    three_lines(&fresh).await;
    assert_eq!(verify(&fresh).await, None);
    run(&fresh, &ALTER, args![2_i64].to_vec()).await;
    let broken = verify(&fresh).await.unwrap();
    assert_eq!((broken.n, broken.fault), (2, "altered"));
}

async fn a_removed_line_is_named(fresh: Fresh) {
    three_lines(&fresh).await;
    run(&fresh, &REMOVE, args![2_i64].to_vec()).await;
    let broken = verify(&fresh).await.unwrap();
    assert_eq!((broken.n, broken.fault), (2, "missing"));
}

async fn a_cut_tail_is_named(fresh: Fresh) {
    three_lines(&fresh).await;
    run(&fresh, &REMOVE, args![3_i64].to_vec()).await;
    let broken = verify(&fresh).await.unwrap();
    assert_eq!((broken.n, broken.fault), (3, "cut"));
}

async fn erasure_leaves_the_chain_whole(fresh: Fresh) {
    three_lines(&fresh).await;
    run(&fresh, &ERASE, args![2_i64, Vec::<u8>::new()].to_vec()).await;
    assert_eq!(verify(&fresh).await, None);
}

async fn writers_side_by_side_make_one_chain(fresh: Fresh) {
    let writers = (0..24).map(|at| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            db.write::<_, StoreError, _>("line", move |tx| {
                Box::pin(async move {
                    let details = json!({});
                    let line = Line { at, kind: "sign_in", actor: "self".into(), details };
                    audit::append(tx, "p", line).await
                })
            })
            .await
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(verify(&fresh).await, None);
    let length = fresh
        .db
        .read::<_, StoreError, _>("n", |tx| Box::pin(async move { audit::length(tx, "p").await }))
        .await
        .unwrap();
    assert_eq!(length, 24);
}

crate::on_both! {
    altered => super::an_altered_line_is_named;
    removed => super::a_removed_line_is_named;
    cut => super::a_cut_tail_is_named;
    erased => super::erasure_leaves_the_chain_whole;
    side_by_side => super::writers_side_by_side_make_one_chain;
}
