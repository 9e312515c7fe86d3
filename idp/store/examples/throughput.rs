//! What the store carries: durable inserts and reads by key in a second, through [`Db`] as the
//! product uses it. The figures of docs/decisions/0001 come from here.
//!
//! `cargo run --release -p idp-store --example throughput [ADDRESS]`, where the address is
//! `sqlite://FILE` or `postgres://…`; without one, SQLite in a file that is removed afterwards.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // A tool.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use idp_store::{Db, Options, StoreError, Tx, Vault, args, statement};

statement!(PUT, "insert into audit_head (person_id, n, hash, mac) values ($1, $2, $3, $4)");
statement!(GET, "select n, hash, mac from audit_head where person_id = $1");

/// A row of about 300 bytes.
const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static NEXT: AtomicU64 = AtomicU64::new(0);

fn key(n: u64) -> String {
    // Ordered first, then spread, as our ids are.
    format!("{n:016x}{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

async fn put(db: &Db) {
    let key = key(NEXT.fetch_add(1, Ordering::Relaxed));
    db.write::<_, StoreError, _>("put", move |tx: &mut Tx| {
        let row = args![&key, 1_i64, HASH.repeat(3), HASH].to_vec();
        Box::pin(async move { tx.execute(&PUT, &row).await })
    })
    .await
    .unwrap();
}

async fn get(db: &Db, n: u64) {
    let key = key(n);
    let row = db
        .read::<_, StoreError, _>("get", move |tx: &mut Tx| {
            let key = key.clone();
            Box::pin(async move { tx.one(&GET, args![key]).await })
        })
        .await
        .unwrap();
    assert_eq!(row.int("n").unwrap(), 1);
}

async fn measured(label: &str, db: &Db, tasks: u64, write: bool) {
    let until = Instant::now() + Duration::from_secs(4);
    let stored = NEXT.load(Ordering::Relaxed).max(1);
    let waits = Arc::new(std::sync::Mutex::new(Vec::new()));
    let started = Instant::now();
    let running = (0..tasks).map(|task| {
        let (db, waits) = (db.clone(), waits.clone());
        tokio::spawn(async move {
            let (mut own, mut n) = (Vec::new(), task);
            while Instant::now() < until {
                let from = Instant::now();
                if write {
                    put(&db).await
                } else {
                    get(&db, n % stored).await
                }
                own.push(from.elapsed());
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if !write && own.len() % 64 == 0 {
                    tokio::task::yield_now().await; // Reads of SQLite never wait by themselves.
                }
            }
            waits.lock().unwrap().extend(own);
        })
    });
    for task in running.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut waits = waits.lock().unwrap();
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    let rate = waits.len() as f64 / seconds;
    println!(
        "{label:<8} {tasks:>3} tasks {rate:>9.0}/s  p50 {:.2} ms  p99 {:.2} ms",
        at(50),
        at(99)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| format!("sqlite://{}", directory.path().join("t.sqlite").display()));
    let vault = Vault::new(&[&[7; 32]]).unwrap();
    let url = if url.starts_with("postgres") {
        idp_store::testing::fresh_postgres_url(&url).await.unwrap()
    } else {
        url
    };
    let db = Db::open(Options { url, connections: 16, vault }).await.unwrap();
    for tasks in [1, 16, 64] {
        measured("inserts", &db, tasks, true).await;
    }
    for tasks in [1, 2, 16] {
        measured("reads", &db, tasks, false).await;
    }
}
