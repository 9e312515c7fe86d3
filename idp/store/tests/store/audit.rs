//! The audit trail shows what was changed, removed or cut.

use idp_store::audit::{self, Line};
use idp_store::checkpoint::{self, Head, Reader, Summary, Unusable, Writer};
use idp_store::{StoreError, args, statement};
use serde_json::json;

use crate::engines::Fresh;

statement!(ALTER, "update audit_line set actor = 'someone' where n = $1");
statement!(REMOVE, "delete from audit_line where n = $1");
statement!(BEHEAD, "delete from audit_head where n = $1");
statement!(DELETE_CHAIN, "delete from audit_line where person_id = $1");
statement!(DELETE_HEAD, "delete from audit_head where person_id = $1");
statement!(CUT, "delete from audit_line where person_id = $1 and n > $2");
statement!(OLD_HEAD, "select n, hash, mac from audit_head where person_id = $1");
statement!(PUT_BACK, "update audit_head set n = $2, hash = $3, mac = $4 where person_id = $1");
statement!(FORGE, "update audit_head set hash = 'forged' where person_id = $1");
statement!(ERASE, "update audit_line set details = $2 where n = $1");

async fn three_lines(fresh: &Fresh) {
    lines(fresh, "p", 3).await;
}

async fn lines(fresh: &Fresh, person: &'static str, many: i64) {
    for at in 1..=many {
        fresh
            .db
            .write::<_, StoreError, _>("line", move |tx| {
                Box::pin(async move {
                    let details = json!({ "partner": "闽政通" });
                    let line = Line { at, kind: "sign_in", actor: "self".into(), details };
                    audit::append(tx, person, line).await
                })
            })
            .await
            .unwrap();
    }
}

async fn verify(fresh: &Fresh) -> Option<audit::Broken> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let (last, broken) = fresh
            .db
            .read::<_, StoreError, _>("verify", move |tx| {
                let from = from.clone();
                Box::pin(async move { audit::verify(tx, &from).await })
            })
            .await
            .unwrap();
        match last {
            Some(last) => after = last,
            None => return broken,
        }
    }
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

/// A checkpoint of now, as a file would hold it.
async fn sealed(fresh: &Fresh) -> Result<(Vec<u8>, Summary), audit::Broken> {
    let mut writer = Writer::begin(Vec::new(), fresh.db.vault(), 7).unwrap();
    let mut after = String::new();
    loop {
        let from = after.clone();
        let heads = fresh.db.read::<_, StoreError, _>("heads", move |tx| {
            let from = from.clone();
            Box::pin(async move { checkpoint::heads(tx, &from).await })
        });
        let heads = heads.await.unwrap()?;
        let Some(last) = heads.last() else { return Ok(writer.seal().unwrap()) };
        after.clone_from(&last.person_id);
        writer.add(&heads).unwrap();
    }
}

fn read(fresh: &Fresh, bytes: &[u8]) -> Result<Vec<Head>, Unusable> {
    let mut reader = Reader::begin(bytes, fresh.db.vault())?;
    let mut heads = Vec::new();
    loop {
        let some = reader.heads(2)?;
        if some.is_empty() {
            return Ok(heads);
        }
        heads.extend(some);
    }
}

async fn against(fresh: &Fresh, bytes: &[u8]) -> Option<(String, i64, &'static str)> {
    let heads = read(fresh, bytes).unwrap();
    let found = fresh.db.read::<_, StoreError, _>("compare", move |tx| {
        let heads = heads.clone();
        Box::pin(async move { checkpoint::compare(tx, &heads).await })
    });
    found.await.unwrap().map(|broken| (broken.person_id, broken.n, broken.fault))
}

async fn a_chain_deleted_whole_shows_against_the_checkpoint(fresh: Fresh) {
    for person in ["a", "b", "c", "d", "e"] {
        lines(&fresh, person, 2).await;
    }
    let (bytes, summary) = sealed(&fresh).await.unwrap();
    assert_eq!((summary.at, summary.chains, summary.lines), (7, 5, 10));
    // What was added since is no fault.
    lines(&fresh, "c", 1).await;
    lines(&fresh, "f", 1).await;
    assert_eq!(against(&fresh, &bytes).await, None);
    run(&fresh, &DELETE_CHAIN, args!["d"].to_vec()).await;
    run(&fresh, &DELETE_HEAD, args!["d"].to_vec()).await;
    // The database alone looks whole.
    assert_eq!(verify(&fresh).await, None);
    assert_eq!(against(&fresh, &bytes).await, Some(("d".to_owned(), 1, "deleted")));
}

async fn a_head_put_back_to_its_old_copy_shows_against_the_checkpoint(fresh: Fresh) {
    lines(&fresh, "a", 2).await;
    let old = fresh
        .db
        .read::<_, StoreError, _>("old", |tx| {
            Box::pin(async move {
                let row = tx.one(&OLD_HEAD, args!["a"]).await?;
                Ok((row.int("n")?, row.text("hash")?, row.text("mac")?))
            })
        })
        .await
        .unwrap();
    lines(&fresh, "a", 2).await;
    let (bytes, _) = sealed(&fresh).await.unwrap();
    run(&fresh, &CUT, args!["a", 2].to_vec()).await;
    run(&fresh, &PUT_BACK, args!["a", old.0, old.1, old.2].to_vec()).await;
    assert_eq!(verify(&fresh).await, None);
    assert_eq!(against(&fresh, &bytes).await, Some(("a".to_owned(), 3, "rolled back")));
    // Grown again with other lines, it is another chain.
    lines(&fresh, "a", 1).await;
    lines(&fresh, "a", 2).await;
    assert_eq!(verify(&fresh).await, None);
    assert_eq!(against(&fresh, &bytes).await, Some(("a".to_owned(), 4, "replaced")));
}

async fn a_chain_without_its_head_is_named(fresh: Fresh) {
    three_lines(&fresh).await;
    run(&fresh, &BEHEAD, args![3_i64].to_vec()).await;
    let broken = verify(&fresh).await.unwrap();
    assert_eq!((broken.person_id.as_str(), broken.fault), ("p", "headless"));
}

async fn a_forged_head_is_not_signed(fresh: Fresh) {
    three_lines(&fresh).await;
    run(&fresh, &FORGE, args!["p"].to_vec()).await;
    assert_eq!(sealed(&fresh).await.unwrap_err().fault, "altered");
}

async fn a_changed_checkpoint_is_no_checkpoint(fresh: Fresh) {
    for person in ["a", "b", "c"] {
        lines(&fresh, person, 2).await;
    }
    let (bytes, _) = sealed(&fresh).await.unwrap();
    assert_eq!(read(&fresh, &bytes).unwrap().len(), 3);
    let text = String::from_utf8(bytes.clone()).unwrap();
    let without_b: String =
        text.lines().filter(|l| !l.starts_with("b ")).fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        });
    let other = text.replace("chains 3 lines 6", "chains 2 lines 4");
    let hidden = without_b.replace("chains 3 lines 6", "chains 2 lines 4");
    for wrong in [
        String::new(),
        "x".repeat(10_000),
        without_b,
        other,
        hidden,
        text.replace("at 7", "at 8"),
        format!("{text}more\n"),
        text.replace("signature ", "signature 00"),
        text.trim_end().to_owned(),
    ] {
        assert!(read(&fresh, wrong.as_bytes()).is_err(), "{wrong}");
    }
    // Every byte counts, and no shortening is whole.
    for n in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[n] ^= 1;
        assert!(read(&fresh, &changed).is_err(), "byte {n}");
        assert!(read(&fresh, &bytes[..n]).is_err(), "{n} bytes");
    }
}

async fn an_export_has_all_that_its_hashes_are_made_of(fresh: Fresh) {
    lines(&fresh, "a", 3).await;
    lines(&fresh, "b", 2).await;
    let export = async |from: (&'static str, i64), alone: bool| {
        let lines = fresh.db.read::<_, StoreError, _>("export", move |tx| {
            Box::pin(async move { audit::export(tx, from, alone).await })
        });
        let lines = lines.await.unwrap();
        let ids: Vec<String> =
            lines.iter().map(|line| format!("{}{}", line.person_id, line.shown.n)).collect();
        (lines, ids)
    };
    let (lines, ids) = export(("", 0), false).await;
    assert_eq!(ids, ["a1", "a2", "a3", "b1", "b2"]);
    assert_eq!(lines[0].shown.details["partner"], "闽政通");
    assert!(lines[0].previous.is_empty());
    assert_eq!(lines[1].previous, lines[0].shown.hash);
    assert_eq!(export(("a", 2), false).await.1, ["a3", "b1", "b2"]);
    assert_eq!(export(("a", 2), true).await.1, ["a3"]);
}

crate::on_both! {
    deleted => super::a_chain_deleted_whole_shows_against_the_checkpoint;
    rolled_back => super::a_head_put_back_to_its_old_copy_shows_against_the_checkpoint;
    headless => super::a_chain_without_its_head_is_named;
    forged => super::a_forged_head_is_not_signed;
    changed => super::a_changed_checkpoint_is_no_checkpoint;
    exported => super::an_export_has_all_that_its_hashes_are_made_of;
    altered => super::an_altered_line_is_named;
    removed => super::a_removed_line_is_named;
    cut => super::a_cut_tail_is_named;
    erased => super::erasure_leaves_the_chain_whole;
    side_by_side => super::writers_side_by_side_make_one_chain;
}
