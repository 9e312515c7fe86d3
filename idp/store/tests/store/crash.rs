//! What was acknowledged survives the process, whenever it is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use idp_store::{Db, Options, StoreError, args, statement};

use crate::engines::vault;

const PLACE: &str = "TONGBAN_TEST_CRASH_FILE";

statement!(PUT, "insert into audit_head (person_id, n, hash, mac) values ($1, $2, 'h', '')");
statement!(SECOND, "update audit_head set mac = 'second' where person_id = $1");
statement!(ALL, "select person_id, mac from audit_head");

async fn open(path: &str) -> Db {
    let url = format!("sqlite://{path}");
    Db::open(Options { url, connections: 2, vault: vault() }).await.unwrap()
}

/// The child: sixteen tasks write units of two statements and print what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as the child of the test below"]
#[allow(clippy::disallowed_methods)] // The parent says where.
async fn writes_until_it_is_killed() {
    let path = std::env::var(PLACE).unwrap();
    let db = open(&path).await;
    let round = std::process::id();
    let tasks = (0..16).map(|task| {
        let db = db.clone();
        tokio::spawn(async move {
            for n in 0_u64.. {
                let id = format!("{round}-{task}-{n}");
                let key = id.clone();
                db.write::<_, StoreError, _>("two", move |tx| {
                    let key = key.clone();
                    Box::pin(async move {
                        tx.execute(&PUT, args![&key, 1_i64]).await?;
                        tx.execute(&SECOND, args![&key]).await
                    })
                })
                .await
                .unwrap();
                // One write call a line: lines of tasks must not mix.
                std::io::stdout().write_all(format!("acked {id}\n").as_bytes()).unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_half_a_unit_never_shows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crash.sqlite").display().to_string();
    drop(open(&path).await);
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines {
            let Ok(line) = line else { break };
            if let Some((_, id)) = line.split_once("acked ") {
                acknowledged.push(id.to_owned());
                seen += 1;
            }
            if seen == 40 * round {
                child.kill().unwrap(); // SIGKILL; the lines that are on their way are read too.
            }
        }
        child.wait().unwrap();
        assert!(seen >= 40 * round, "the child ended by itself after {seen}");
    }
    let rows = open(&path)
        .await
        .read::<_, StoreError, _>("all", |tx| Box::pin(async move { tx.all(&ALL, args![]).await }))
        .await
        .unwrap();
    let stored: std::collections::HashSet<_> =
        rows.iter().map(|row| row.text("person_id").unwrap()).collect();
    for id in &acknowledged {
        assert!(stored.contains(id), "{id} was acknowledged and is lost");
    }
    for row in &rows {
        assert_eq!(row.text("mac").unwrap(), "second", "half a unit");
    }
}
