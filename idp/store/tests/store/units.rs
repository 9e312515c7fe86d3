//! What a unit of work promises.

use idp_store::{StoreError, args, statement};

use crate::engines::Fresh;

statement!(PUT, "insert into audit_head (person_id, n, hash, mac) values ($1, $2, $3, '')");
statement!(GET, "select n from audit_head where person_id = $1");
statement!(TAKE, "update audit_head set n = n + 1 where person_id = $1 and n = $2");

async fn put(fresh: &Fresh, id: &'static str, fail: bool) -> Result<(), StoreError> {
    fresh
        .db
        .write("put", move |tx| {
            Box::pin(async move {
                tx.execute(&PUT, args![id, 1_i64, "h"]).await?;
                if fail { Err(StoreError::Data("wanted".into())) } else { Ok(()) }
            })
        })
        .await
}

async fn get(fresh: &Fresh, id: &'static str) -> Option<i64> {
    fresh
        .db
        .read("get", move |tx| {
            Box::pin(async move {
                tx.optional(&GET, args![id]).await?.map(|row| row.int("n")).transpose()
            })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"))
}

async fn what_is_acknowledged_is_there_and_what_failed_is_not(fresh: Fresh) {
    put(&fresh, "a", false).await.unwrap();
    assert!(put(&fresh, "b", true).await.is_err());
    assert_eq!(get(&fresh, "a").await, Some(1));
    assert_eq!(get(&fresh, "b").await, None);
    assert!(matches!(put(&fresh, "a", false).await, Err(StoreError::Conflict)));
}

async fn of_many_takers_one_wins(fresh: Fresh) {
    put(&fresh, "a", false).await.unwrap();
    let takers = (0..16).map(|_| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            db.write("take", |tx| {
                Box::pin(async move { tx.execute(&TAKE, args!["a", 1_i64]).await })
            })
            .await
            .unwrap()
        })
    });
    let mut won = 0;
    for taker in takers.collect::<Vec<_>>() {
        won += taker.await.unwrap();
    }
    assert_eq!(won, 1);
}

async fn a_panic_in_a_unit_hurts_nobody_else(fresh: Fresh) {
    let db = fresh.db.clone();
    let panicked = tokio::spawn(async move {
        db.write::<(), StoreError, _>("panics", |_| Box::pin(async move { panic!("wanted") })).await
    })
    .await;
    assert!(!matches!(panicked, Ok(Ok(()))));
    put(&fresh, "after", false).await.unwrap();
}

async fn a_reader_cannot_write(fresh: Fresh) {
    if fresh.file.is_none() {
        return; // PostgreSQL's readers are held off by review: a read unit has no transaction.
    }
    let refused = fresh
        .db
        .read("put", |tx| Box::pin(async move { tx.execute(&PUT, args!["x", 1_i64, "h"]).await }))
        .await;
    assert!(Result::<u64, StoreError>::is_err(&refused));
}

async fn a_swallowed_failure_is_not_acknowledged(fresh: Fresh) {
    put(&fresh, "a", false).await.unwrap();
    let swallowed = fresh
        .db
        .write::<_, StoreError, _>("swallows", |tx| {
            Box::pin(async move {
                tx.execute(&PUT, args!["b", 1_i64, "h"]).await?;
                let _ = tx.execute(&PUT, args!["a", 1_i64, "h"]).await;
                let later = tx.execute(&PUT, args!["c", 1_i64, "h"]).await;
                assert!(later.is_err(), "a unit is over after a failed statement");
                Ok(())
            })
        })
        .await;
    assert!(swallowed.is_err());
    assert_eq!(get(&fresh, "b").await, None);
    put(&fresh, "b", false).await.unwrap();
}

async fn a_unit_that_waits_for_the_world_is_an_error_and_not_a_hang(fresh: Fresh) {
    if fresh.file.is_none() {
        return; // PostgreSQL would wait, which only costs the waiter.
    }
    let waits =
        fresh.db.write::<(), StoreError, _>("waits", |_| Box::pin(std::future::pending())).await;
    assert!(waits.unwrap_err().to_string().contains("waits awaits something"));
    put(&fresh, "after", false).await.unwrap();
}

statement!(
    CUT,
    "select n from audit_head where person_id = 'nobody'",
    // There is nobody to cut in an embedded database.
    postgres: "select count(pg_terminate_backend(pid)) as n from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()"
);

/// Ends every connection of the pool, as a server that restarts does.
async fn cut(fresh: &Fresh) {
    fresh
        .db
        .read::<_, StoreError, _>("cut", |tx| Box::pin(async move { tx.all(&CUT, args![]).await }))
        .await
        .unwrap();
}

/// Six writes at once, which take all connections of the pool.
async fn side_by_side(fresh: &Fresh, from: usize) {
    let tasks = (from..from + 6).map(|id| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            db.write::<_, StoreError, _>("put", move |tx| {
                let id = id.to_string();
                Box::pin(async move { tx.execute(&PUT, args![id, 1_i64, "h"]).await })
            })
            .await
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
}

async fn a_restarted_server_is_met_again_without_an_error(fresh: Fresh) {
    side_by_side(&fresh, 0).await;
    cut(&fresh).await;
    side_by_side(&fresh, 6).await;
    assert_eq!(get(&fresh, "11").await, Some(1));
}

statement!(
    ONCE,
    "insert into audit_head (person_id, n, hash, mac) values ($1, $2, 'h', '')
     on conflict (person_id) do nothing",
    together: "insert into audit_head (person_id, n, hash, mac)
     select id, n, 'h', '' from unnest($1::text[], $2::bigint[]) as sent (id, n)
     on conflict (person_id) do nothing returning array_position($1, person_id)::bigint"
);
statement!(
    ONE,
    "select $1 as n",
    together: "select asked, n from unnest($1::bigint[]) with ordinality as sent (n, asked)"
);
statement!(
    ASK,
    "select person_id, n from audit_head where person_id = $1",
    together: "select asked, person_id, n from unnest($1::text[]) with ordinality as sent (id, asked)
     join audit_head on person_id = id"
);

/// Many single statements at once, some of the same key, some that the engine refuses.
async fn single_statements_share_a_commit_and_no_fault(fresh: Fresh) {
    let tasks = (0..60_usize).map(|n| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            let number = (n % 20 != 7).then_some(1_i64);
            db.once("once", &ONCE, args![format!("{}", n % 30), number].to_vec()).await
        })
    });
    let (mut first, mut again, mut refused) = (0, 0, 0);
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(1) => first += 1,
            Ok(_) => again += 1,
            Err(_) => refused += 1,
        }
    }
    // Each key has two; of the three refused ones the other counts alone.
    assert_eq!((first, again, refused), (30, 27, 3));
    assert_eq!((get(&fresh, "17").await, get(&fresh, "7").await), (Some(1), Some(1)));
}

/// Many questions at once, the same ones too, some without an answer.
async fn each_gets_the_answer_to_its_own_question(fresh: Fresh) {
    for id in 0..20_i64 {
        fresh.db.once("once", &ONCE, args![id.to_string(), id * 7].to_vec()).await.unwrap();
    }
    let tasks = (0..200_i64).map(|n| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            let id = n * 13 % 40;
            (id, db.ask(&ASK, args![id.to_string()].to_vec()).await.unwrap())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let (id, rows) = task.await.unwrap();
        let found = rows.first().map(|row| (row.text("person_id").unwrap(), row.int("n").unwrap()));
        assert_eq!(found, (id < 20).then(|| (id.to_string(), id * 7)));
    }
}

/// Whoever asks after an acknowledged write sees it, however many ask meanwhile.
async fn an_answer_is_not_older_than_its_question(fresh: Fresh) {
    let tasks = (0..8).map(|task| {
        let db = fresh.db.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let id = format!("{task} {n}");
                db.once("once", &ONCE, args![&id, 1_i64].to_vec()).await.unwrap();
                let rows = db.ask(&ASK, args![&id].to_vec()).await.unwrap();
                assert_eq!(rows.len(), 1, "{id}");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn a_restarted_server_is_asked_again(fresh: Fresh) {
    let ask = |id: &str| fresh.db.ask(&ASK, args![id].to_vec());
    put(&fresh, "a", false).await.unwrap();
    let warm = tokio::join!(ask("a"), ask("a"), ask("a"), ask("b"));
    assert_eq!(warm.0.unwrap().len(), 1);
    cut(&fresh).await;
    let (one, two, three, none) = tokio::join!(ask("a"), ask("a"), ask("a"), ask("b"));
    assert_eq!((one.unwrap().len(), two.unwrap().len(), three.unwrap().len()), (1, 1, 1));
    assert!(none.unwrap().is_empty());
}

async fn a_restarted_server_takes_single_statements_again(fresh: Fresh) {
    side_by_side(&fresh, 0).await;
    cut(&fresh).await;
    let tasks = (6..12).map(|n| {
        let db = fresh.db.clone();
        tokio::spawn(
            async move { db.once("once", &ONCE, args![n.to_string(), 1_i64].to_vec()).await },
        )
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
}

/// A way to a server that can be taken away.
async fn way(to: String) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut ways = tokio::task::JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(&to).await.unwrap();
            ways.spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (port, task)
}

/// Nobody waits behind others for a server that is away, and all are answered when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_to_all_at_once() {
    let Some(server) = crate::engines::server() else { return };
    let (address, _) = server.split_once("://").unwrap().1.rsplit_once('/').unwrap();
    let (user, host) = address.rsplit_once('@').unwrap();
    let (port, away) = way(host.to_owned()).await;
    let url = format!("postgres://{user}@127.0.0.1:{port}/postgres");
    let options = idp_store::Options { url, connections: 4, vault: crate::engines::vault() };
    let db = idp_store::Db::connect(options).await.unwrap();
    db.ask(&ONE, args![1_i64].to_vec()).await.unwrap();
    away.abort();
    assert!(away.await.unwrap_err().is_cancelled());
    let asks = (0..5_000_i64).map(|n| {
        let db = db.clone();
        tokio::spawn(async move { db.ask(&ONE, args![n].to_vec()).await })
    });
    let asks = asks.collect::<Vec<_>>();
    let all = async {
        for ask in asks {
            assert!(matches!(ask.await.unwrap(), Err(StoreError::Database(_))));
        }
    };
    // Eighty groups that waited one after the other would take two minutes.
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.unwrap();
}

/// Where the server of a database listens.
fn host(url: &str) -> String {
    let rest = url.rsplit_once('@').unwrap().1;
    rest.split_once('/').unwrap().0.to_owned()
}

/// The database behind a port of this machine that leads to its server.
async fn by_way_of(url: &str, port: u16) -> idp_store::Db {
    let url = url.replace(&host(url), &format!("127.0.0.1:{port}"));
    let options = idp_store::Options { url, connections: 4, vault: crate::engines::vault() };
    idp_store::Db::open(options).await.unwrap()
}

/// A way to a server on which nothing comes through any more, though nobody has hung up: a wall
/// between forgot the connections, or the machine lost its power. What is opened later comes
/// through.
async fn silent(to: String) -> (u16, tokio::sync::watch::Sender<bool>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (fall, fallen) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(&to).await.unwrap();
            let mut fallen = fallen.clone();
            fallen.mark_unchanged();
            tokio::spawn(async move {
                let fell = tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
                    fell = fallen.changed() => fell.is_ok(),
                };
                if fell {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (port, fall)
}

/// A connection that has died without a word holds up neither who asked on it nor who comes after.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fell_silent_holds_nobody_up() {
    let Some(server) = crate::engines::server() else { return };
    let url = idp_store::testing::fresh_postgres_url(&server).await.unwrap();
    let (port, fall) = silent(host(&url)).await;
    let db = by_way_of(&url, port).await;
    let ask = |n: i64| db.ask(&ONE, args![n].to_vec());
    let once = |id: &str| db.once("once", &ONCE, args![id, 1_i64].to_vec());
    let (one, two, three, first) = tokio::join!(ask(1), ask(2), ask(3), once("a"));
    assert_eq!((one.unwrap().len(), two.unwrap().len(), three.unwrap().len()), (1, 1, 1));
    assert_eq!(first.unwrap(), 1);
    fall.send(true).unwrap();
    // Who asks on a dead one may be told so; who asks then is served.
    let asked =
        async { while !matches!(tokio::join!(ask(1), ask(2), ask(3)), (Ok(_), Ok(_), Ok(_))) {} };
    let kept = async { while once("b").await.is_err() {} };
    let both = async { tokio::join!(asked, kept) };
    tokio::time::timeout(std::time::Duration::from_secs(60), both).await.unwrap();
    assert_eq!(once("b").await.unwrap(), 0);
}

/// A way to a server that has room for some connections only (53300, `too_many_connections`).
async fn narrow(to: String, room: usize) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for count in 1.. {
            let (mut near, _) = listener.accept().await.unwrap();
            let to = to.clone();
            tokio::spawn(async move {
                if count <= room {
                    let mut far = tokio::net::TcpStream::connect(&to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    return;
                }
                let mut asked = [0; 1024];
                // Whether it speaks TLS comes first.
                if near.read(&mut asked).await.unwrap() == 8 {
                    near.write_all(b"N").await.unwrap();
                    let _ = near.read(&mut asked).await;
                }
                let refused = b"E\0\0\0\x28SFATAL\0VFATAL\0C53300\0Mno room here\0\0";
                near.write_all(refused).await.unwrap();
            });
        }
    });
    port
}

/// A worker for which the server has no connection leaves the work to those that have one.
#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_connection_keeps_nobody_from_an_answer() {
    let Some(server) = crate::engines::server() else { return };
    let url = idp_store::testing::fresh_postgres_url(&server).await.unwrap();
    let port = narrow(host(&url), 3).await;
    let db = by_way_of(&url, port).await;
    // One alone: the wake of a worker that cannot answer goes on to one that can. Then many: none of
    // them waits with what such a worker took.
    for askers in [1_i64, 8] {
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        let tasks = (0..askers).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                while tokio::time::Instant::now() < until {
                    let asked = db.ask(&ONE, args![n].to_vec());
                    let patience = std::time::Duration::from_secs(2);
                    let answer = tokio::time::timeout(patience, asked).await.unwrap();
                    assert_eq!(answer.unwrap().len(), 1);
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
}

async fn two_processes_share_a_file(fresh: Fresh) {
    let Some(directory) = &fresh.file else { return };
    let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
    let vault = crate::engines::vault();
    let options = idp_store::Options { url, connections: 2, vault };
    let other = idp_store::Db::open(options).await.unwrap();
    let writers = (0..40).map(|n| {
        let db = if n % 2 == 0 { fresh.db.clone() } else { other.clone() };
        tokio::spawn(async move {
            db.write::<_, StoreError, _>("put", move |tx| {
                Box::pin(async move { tx.execute(&PUT, args![format!("{n}"), 1_i64, "h"]).await })
            })
            .await
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
}

async fn every_statement_is_understood(fresh: Fresh) {
    for statement in idp_store::statement::STATEMENTS {
        fresh.db.prepare(statement).await.unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(idp_store::statement::STATEMENTS.len() > 10);
}

crate::on_both! {
    acknowledged => super::what_is_acknowledged_is_there_and_what_failed_is_not;
    takers => super::of_many_takers_one_wins;
    panics => super::a_panic_in_a_unit_hurts_nobody_else;
    readers => super::a_reader_cannot_write;
    swallowed => super::a_swallowed_failure_is_not_acknowledged;
    waiting => super::a_unit_that_waits_for_the_world_is_an_error_and_not_a_hang;
    restarted => super::a_restarted_server_is_met_again_without_an_error;
    single => super::single_statements_share_a_commit_and_no_fault;
    own_answers => super::each_gets_the_answer_to_its_own_question;
    fresh_answers => super::an_answer_is_not_older_than_its_question;
    asked_again => super::a_restarted_server_is_asked_again;
    single_restarted => super::a_restarted_server_takes_single_statements_again;
    shared => super::two_processes_share_a_file;
    statements => super::every_statement_is_understood;
}
