//! The write-ahead log goes into the database beside the writer, so that nobody's commit waits for
//! a thousand pages of others.
//!
//! The engine's own way is that the commit which fills the log also empties it: 25 ms and more for
//! whoever happens to be that one. Here a thread of its own copies the pages, with a connection of
//! its own. While it copies, the writer adds to the log, and the log begins again from its start
//! only when nothing in it is left to copy; so the writer copies the last few pages itself, between
//! two groups.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

use super::{BUSY, failed};
use crate::StoreError;

/// Pages in the log from which on it is copied.
const FULL: i32 = 2_000;
/// Pages that the writer copies itself: a fraction of a millisecond, and one flush.
const TAIL: i32 = 64;
/// Times in a row that the copy follows a writer who is faster before it leaves him the rest.
const FOLLOWS: usize = 8;

thread_local! {
    /// Pages in the log after the last commit of this thread's connection.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// What the writer holds.
pub(super) struct Log {
    path: String,
    /// The copying thread, from the first full log on: most databases of tests never have one.
    copier: Option<SyncSender<()>>,
    /// That thread is done, but for what was written meanwhile.
    rest: Arc<AtomicBool>,
}

impl Log {
    /// Takes the log of the writer's connection over. To be called on the writer's thread.
    pub(super) fn new(path: String, connection: &Connection) -> Self {
        connection.wal_hook(Some(|_, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        Self { path, copier: None, rest: Arc::default() }
    }

    /// After a commit: wakes the copying thread, or finishes what it began.
    pub(super) fn committed(&mut self, connection: &Connection) {
        if PAGES.get() < FULL {
            return;
        }
        if self.rest.swap(false, Ordering::AcqRel) {
            match copy(connection) {
                Ok(_) => return,
                Err(cause) => tracing::error!(%cause, "the log's last pages were not copied"),
            }
        }
        let copier = match self.copier.take().map_or_else(|| self.start(), Ok) {
            Ok(copier) => copier,
            Err(cause) => {
                tracing::error!(%cause, "no thread for the log: the writer copies it itself");
                let _ = copy(connection);
                return;
            }
        };
        // Full when it has been told already.
        let _ = copier.try_send(());
        self.copier = Some(copier);
    }

    fn start(&self) -> Result<SyncSender<()>, StoreError> {
        let connection = Connection::open(&self.path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection.execute_batch("pragma synchronous = full;").map_err(failed)?;
        let (sender, told) = sync_channel(1);
        let rest = self.rest.clone();
        std::thread::Builder::new()
            .name("sqlite-log".to_owned())
            .spawn(move || follow(&connection, &told, &rest))
            .map_err(|cause| StoreError::Database(cause.to_string()))?;
        Ok(sender)
    }
}

fn follow(connection: &Connection, told: &Receiver<()>, rest: &AtomicBool) {
    while told.recv().is_ok() {
        for _ in 0..FOLLOWS {
            match copy(connection) {
                Ok(left) if left <= TAIL => break,
                Ok(_) => {}
                Err(cause) => {
                    tracing::error!(%cause, "the log was not copied");
                    break;
                }
            }
        }
        rest.store(true, Ordering::Release);
    }
}

/// Copies what no reader holds, without waiting for anybody; gives how many pages are left.
fn copy(connection: &Connection) -> Result<i32, StoreError> {
    connection
        .query_row("pragma wal_checkpoint(passive)", [], |row| {
            Ok(row.get::<_, i32>(1)? - row.get::<_, i32>(2)?)
        })
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Db, Options, StoreError, Vault, args, statement};

    statement!(PUT, "insert into audit_head (person_id, n, hash, mac) values ($1, $2, $3, $4)");
    statement!(COUNT, "select count(*) as n from audit_head where n >= $1");

    /// How often the log has begun again (SQLite's file format, §4.1, bytes 12 to 15).
    fn begun(log: &Path) -> u32 {
        let mut bytes = [0; 16];
        let mut file = std::fs::File::open(log).unwrap();
        std::io::Read::read_exact(&mut file, &mut bytes).unwrap();
        u32::from_be_bytes(bytes[12..16].try_into().unwrap())
    }

    async fn open(file: &Path) -> Db {
        let url = format!("sqlite://{}", file.display());
        let vault = Vault::new(&[&[3; 32]]).unwrap();
        Db::open(Options { url, connections: 1, vault }).await.unwrap()
    }

    #[tokio::test]
    async fn the_log_begins_again_while_it_is_written_and_nothing_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("one");
        let log = directory.path().join("one-wal");
        let db = open(&file).await;
        let at_first = begun(&log);
        // Twice, and then some: what is written while it begins again is written, too.
        let (mut written, mut more) = (0, 50);
        while more > 0 {
            assert!(written < 4_000, "80 000 pages, and the log has not begun again twice");
            db.write::<_, StoreError, _>("put", move |tx| {
                let row = args![written.to_string(), written, "x".repeat(80_000), ""].to_vec();
                Box::pin(async move { tx.execute(&PUT, &row).await })
            })
            .await
            .unwrap();
            written += 1;
            if begun(&log) >= at_first + 2 {
                more -= 1;
            }
        }
        drop(db);
        let again = open(&file).await;
        assert_eq!(again.faults().await.unwrap(), Vec::<String>::new());
        let stored = again
            .read::<_, StoreError, _>("count", |tx| {
                Box::pin(async move { tx.one(&COUNT, args![0_i64]).await })
            })
            .await
            .unwrap();
        assert_eq!(stored.int("n").unwrap(), written);
    }
}
