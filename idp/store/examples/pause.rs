//! How long a step of pruning keeps others waiting: expired rows are removed in the product's own
//! steps, from a database that holds many more, while neighbours write. The figures of
//! docs/benchmarks.md come from here.
//!
//! `cargo run --release -p idp-store --example pause -- FILE [ROWS]` fills the file first if it
//! does not exist (2 000 000 sessions, grants and refresh tokens each, unless told otherwise).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // A tool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use idp_store::{Db, Options, StoreError, Tx, Vault, args, prune, statement};

statement!(PUT, "insert into used_assertion (client_id, jti, expires_at) values ($1, $2, $3)");

/// Between two steps, as `tongban serve` waits.
const BETWEEN: Duration = Duration::from_millis(20);
/// Rows expire one a millisecond.
const FIRST: i64 = 1_000_000;
/// Long after everything has expired.
const NOW: i64 = 9_000_000_000_000;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Rows in the shape of real ones: ids ordered by time, people spread.
fn fill(file: &str, rows: u64) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let text = format!(
        "pragma synchronous = off; pragma cache_size = -1000000; begin;
         create temp table n as with recursive c(n) as
           (select 1 union all select n + 1 from c where n < {rows})
           select n, printf('%016x', n) || lower(hex(randomblob(8))) as id,
                  lower(hex(randomblob(16))) as person, lower(hex(randomblob(32))) as hash from c;
         insert into session select id, hash, 'citizen', person, n, 2, 'pwd', randomblob(180), n, n,
           {FIRST} + n, null from n;
         insert into issued_grant select id, 'partner-' || (n % 100), person, 'code', id, 0,
           '{{\"scope\":\"openid profile\",\"claims\":{{}},\"auth_time\":1700000000,\"acr\":\"2\"}}',
           n, {FIRST} + n, null from n;
         insert into refresh_token (id, secret_hash, grant_id, created_at, rotated_at, expires_at)
           select id, hash, id, n, n, {FIRST} + n from n;
         commit; pragma wal_checkpoint(truncate);"
    );
    connection.execute_batch(&text).unwrap();
}

async fn neighbour(db: Db, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let jti = format!("{}-{:016x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let from = Instant::now();
        db.write::<_, StoreError, _>("put", move |tx: &mut Tx| {
            let row = args!["a-client", &jti, i64::MAX].to_vec();
            Box::pin(async move { tx.execute(&PUT, &row).await })
        })
        .await
        .unwrap();
        waits.push(from.elapsed());
    }
    waits
}

fn line(label: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 1000].as_secs_f64() * 1000.0;
    println!(
        "{label:<16} {:>7} times  p50 {:>6.2} ms  p99 {:>6.2} ms  p99.9 {:>6.2} ms  most {:>6.2} ms",
        waits.len(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut given = std::env::args().skip(1);
    let file = given.next().unwrap();
    let rows = given.next().map_or(2_000_000, |rows| rows.parse().unwrap());
    let new = !std::path::Path::new(&file).exists();
    let vault = Vault::new(&[&[7; 32]]).unwrap();
    let url = format!("sqlite://{file}");
    let db = Db::open(Options { url, connections: 4, vault }).await.unwrap();
    if new {
        fill(&file, rows);
    }
    for (neighbours, steps) in [(0, 300), (4, 300)] {
        let stop = Arc::new(AtomicBool::new(false));
        let beside: Vec<_> =
            (0..neighbours).map(|_| tokio::spawn(neighbour(db.clone(), stop.clone()))).collect();
        for (name, step) in [("sessions", 6), ("refresh tokens", 8), ("grants", 9)] {
            let (mut waits, mut gone) = (Vec::new(), 0);
            for _ in 0..steps {
                let from = Instant::now();
                let removed = db
                    .write::<_, StoreError, _>("prune", move |tx| {
                        Box::pin(prune::step(tx, step, NOW))
                    })
                    .await
                    .unwrap();
                waits.push(from.elapsed());
                gone += removed.unwrap();
                tokio::time::sleep(BETWEEN).await;
            }
            assert_eq!(gone, steps * 200, "each step had its 200 rows");
            line(name, waits);
        }
        stop.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for one in beside {
            waits.extend(one.await.unwrap());
        }
        if neighbours > 0 {
            line("their neighbours", waits);
        }
    }
}
