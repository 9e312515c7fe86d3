//! SQLite: one writer thread that gathers waiting units into one transaction, and readers that
//! run on the calling thread.
//!
//! Spoken to directly and not through a worker thread per connection, which costs 20 to 29 times
//! the read (docs/decisions/0001).

mod log;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::{mpsc, oneshot};

use crate::db::{Tx, TxEngine, Unit};
use crate::{Row, Statement, StoreError, Value, Vault};

/// Units that one transaction takes at most, so that the first never waits long for the last.
const GROUP: usize = 256;
/// How long another process (a command beside the server) may hold the write lock.
const BUSY: Duration = Duration::from_secs(10);

/// A unit; called without a transaction when there is none to run it in.
type Job = Box<dyn FnOnce(Result<&mut Tx, StoreError>) -> Acknowledge + Send>;
/// Called with the outcome of the group's commit.
type Acknowledge = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

#[derive(Clone)]
pub(crate) struct Sqlite {
    writer: mpsc::UnboundedSender<Job>,
    /// Units that have been sent to the writer and not begun.
    waiting: Arc<AtomicUsize>,
    readers: Arc<Readers>,
}

struct Readers {
    path: String,
    idle: Mutex<Vec<Tx>>,
    keep: usize,
    vault: Arc<Vault>,
}

impl Sqlite {
    pub(crate) fn open(path: &str, readers: u32, vault: Arc<Vault>) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection
            .execute_batch(
                "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
                 pragma journal_size_limit = 67108864; pragma temp_store = memory;
                 pragma cache_size = -8192; pragma wal_autocheckpoint = 0;",
            )
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(512);
        let (writer, jobs) = mpsc::unbounded_channel();
        let engine = TxEngine::Sqlite(connection);
        let tx = Tx { engine, vault: vault.clone(), lost: false, failed: false };
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn({
                let path = path.to_owned();
                move || write_groups(tx, jobs, path)
            })
            .map_err(|cause| StoreError::Database(cause.to_string()))?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::default(),
            keep: readers as usize,
            vault,
        };
        Ok(Self { writer, waiting: Arc::default(), readers: Arc::new(readers) })
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Counts the job while it waits, and sends it.
    fn send(&self, job: Job) -> Result<(), StoreError> {
        let waiting = self.waiting.clone();
        waiting.fetch_add(1, Ordering::Relaxed);
        let counted: Job = Box::new(move |tx| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            job(tx)
        });
        self.writer.send(counted).map_err(|_| gone())
    }

    /// A copy as of now, by a connection of its own: the writer goes on meanwhile.
    pub(crate) fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let connection = self.beside()?;
        let path = file.to_string_lossy();
        connection.execute("vacuum into $1", [path.as_ref()]).map(drop).map_err(failed)
    }

    pub(crate) fn faults(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.beside()?;
        let mut check = connection.prepare("pragma integrity_check").map_err(failed)?;
        let lines = check.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        let lines: Result<Vec<String>, _> = lines.collect();
        Ok(lines.map_err(failed)?.into_iter().filter(|line| line != "ok").collect())
    }

    fn beside(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.readers.path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        Ok(connection)
    }

    pub(crate) async fn write<T, E, F>(&self, name: &'static str, unit: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let outcome =
                tx.map_err(E::from).and_then(|tx| in_savepoint(tx, |tx| run(name, tx, &unit)));
            Box::new(move |committed| {
                let outcome = match (outcome, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(cause)) => Err(E::from(cause)),
                    (Err(error), _) => Err(error),
                };
                // Nobody waits any more when the request was dropped; what is done is done.
                let _ = answer.send(outcome);
            })
        });
        self.send(job)?;
        answered.await.map_err(|_| gone())?
    }

    pub(crate) fn read<T, E, F>(&self, name: &'static str, unit: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E>,
        E: From<StoreError>,
    {
        let mut tx = self.readers.take()?;
        let outcome = run(name, &mut tx, &unit);
        self.readers.give_back(tx);
        outcome
    }

    pub(crate) async fn script(&self, text: String) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let outcome = tx.and_then(|tx| in_savepoint(tx, |tx| batch(tx, &text)));
            Box::new(move |committed| {
                let _ = answer.send(outcome.and(committed));
            })
        });
        self.send(job)?;
        answered.await.map_err(|_| gone())?
    }

    pub(crate) fn prepare(&self, statement: &Statement) -> Result<(), StoreError> {
        let tx = self.readers.take()?;
        let outcome = connection(&tx)?
            .prepare(statement.for_sqlite())
            .map(drop)
            .map_err(|cause| StoreError::Database(format!("{}: {cause}", statement.name)));
        self.readers.give_back(tx);
        outcome
    }
}

impl Readers {
    fn take(&self) -> Result<Tx, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(tx) = idle {
            return Ok(tx);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection
            .execute_batch("pragma query_only = on; pragma cache_size = -4096;")
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(512);
        let engine = TxEngine::Sqlite(connection);
        Ok(Tx { engine, vault: self.vault.clone(), lost: false, failed: false })
    }

    fn give_back(&self, tx: Tx) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(tx);
        }
    }
}

fn gone() -> StoreError {
    StoreError::Database("the writer has stopped".to_owned())
}

/// Takes what is queued, never waits for more: waiting makes sixteen clients two to four times
/// slower (docs/decisions/0001).
fn write_groups(mut tx: Tx, mut jobs: mpsc::UnboundedReceiver<Job>, path: String) {
    let Ok(mut log) = connection(&tx).map(|connection| log::Log::new(path, connection)) else {
        return;
    };
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut usable = batch(&tx, "begin immediate");
        let mut acknowledgements = Vec::with_capacity(group.len());
        for job in group.drain(..) {
            acknowledgements.push(job(usable.clone().map(|()| &mut tx)));
            usable = usable.and_then(|()| still_open(&tx));
        }
        let committed = usable.and_then(|()| batch(&tx, "commit"));
        if let Err(cause) = &committed {
            tracing::error!(%cause, units = acknowledgements.len(), "a group was not committed");
            // Fails when the engine has rolled back already, which is what is wanted.
            let _ = batch(&tx, "rollback");
        }
        for acknowledge in acknowledgements {
            acknowledge(committed.clone());
        }
        if let Ok(connection) = connection(&tx) {
            log.committed(connection);
        }
    }
}

/// The engine rolls a whole transaction back by itself when the disk is full or fails. A savepoint
/// of the next unit would then be a transaction of its own, and commit what nobody acknowledges.
fn still_open(tx: &Tx) -> Result<(), StoreError> {
    if connection(tx)?.is_autocommit() {
        return Err(StoreError::Database("the engine gave the transaction up".to_owned()));
    }
    Ok(())
}

/// Runs one unit so that its failure, even a panic, undoes its own writes and nobody else's.
fn in_savepoint<T, E: From<StoreError>>(
    tx: &mut Tx,
    unit: impl FnOnce(&mut Tx) -> Result<T, E>,
) -> Result<T, E> {
    batch(tx, "savepoint unit")?;
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| unit(tx)))
        .unwrap_or_else(|_| Err(StoreError::Database("a unit of work panicked".to_owned()).into()));
    let end = if outcome.is_ok() { "release unit" } else { "rollback to unit; release unit" };
    batch(tx, end)?;
    outcome
}

/// Drives a unit that awaits its own statements only, which are complete when polled.
fn run<T, E, F>(name: &'static str, tx: &mut Tx, unit: &F) -> Result<T, E>
where
    F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E>,
    E: From<StoreError>,
{
    (tx.lost, tx.failed) = (false, false);
    let polled = unit(tx).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    match polled {
        Poll::Ready(outcome) => tx.judged(name, outcome),
        Poll::Pending => {
            Err(StoreError::Database(format!("{name} awaits something that is not a statement"))
                .into())
        }
    }
}

fn connection(tx: &Tx) -> Result<&Connection, StoreError> {
    match &tx.engine {
        TxEngine::Sqlite(connection) => Ok(connection),
        _ => Err(StoreError::Database("not a SQLite connection".to_owned())),
    }
}

fn batch(tx: &Tx, text: &str) -> Result<(), StoreError> {
    connection(tx)?.execute_batch(text).map_err(failed)
}

fn failed(cause: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match cause.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => match cause {
            rusqlite::Error::SqliteFailure(code, _)
                if matches!(code.extended_code, 1555 | 2067 | 2579) =>
            {
                StoreError::Conflict
            }
            other => StoreError::Database(other.to_string()),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Retry,
        _ => StoreError::Database(cause.to_string()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Int(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

fn prepared<'c>(
    connection: &'c Connection,
    statement: &'static Statement,
) -> Result<rusqlite::CachedStatement<'c>, StoreError> {
    connection.prepare_cached(statement.for_sqlite()).map_err(|cause| named(statement, cause))
}

fn named(statement: &Statement, cause: rusqlite::Error) -> StoreError {
    match failed(cause) {
        StoreError::Database(text) => StoreError::Database(format!("{}: {text}", statement.name)),
        other => other,
    }
}

pub(crate) fn execute(
    connection: &Connection,
    statement: &'static Statement,
    args: &[Value],
) -> Result<u64, StoreError> {
    let mut prepared = prepared(connection, statement)?;
    let touched = prepared
        .execute(rusqlite::params_from_iter(args))
        .map_err(|cause| named(statement, cause))?;
    Ok(touched as u64)
}

pub(crate) fn all(
    connection: &Connection,
    statement: &'static Statement,
    args: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut prepared = prepared(connection, statement)?;
    let columns = statement.columns(|| prepared.column_names());
    let mut answer = prepared
        .query(rusqlite::params_from_iter(args))
        .map_err(|cause| named(statement, cause))?;
    let mut rows = Vec::new();
    while let Some(row) = answer.next().map_err(|cause| named(statement, cause))? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            values.push(match row.get_ref(index).map_err(|cause| named(statement, cause))? {
                ValueRef::Null => Value::Text(None),
                ValueRef::Integer(number) => Value::Int(Some(number)),
                ValueRef::Text(text) => {
                    Value::Text(Some(String::from_utf8_lossy(text).into_owned()))
                }
                ValueRef::Blob(bytes) => Value::Blob(Some(bytes.to_vec())),
                ValueRef::Real(_) => {
                    return Err(StoreError::Data(format!("{}: a real", statement.name)));
                }
            });
        }
        rows.push(Row { columns: columns.clone(), values });
    }
    Ok(rows)
}
