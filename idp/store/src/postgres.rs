//! PostgreSQL through sqlx: a unit of work is a transaction, run again when it lost.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgColumn, PgPoolOptions, PgRow};
use sqlx::{
    Arguments as _, Column as _, Executor as _, PgConnection, PgPool, Row as _, Statement as _,
    TypeInfo as _,
};

use self::together::Together;
use crate::db::{Tx, TxEngine, Unit};
use crate::{Row, Statement, StoreError, Value, Vault};

mod together;

/// Connections of the pool that carry single statements: those that only read, and those that wait
/// for a commit. The others are for units of work; more of them at once only wait for each other.
const ASKS: u32 = 3;
const ONCES: u32 = 1;

/// How long those who ask together wait for a server that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// A plan made while a table was empty would read all of it when it is full: whatever runs
/// together finds its rows by their keys, and is planned once, not anew for each group because
/// another size promises a little less.
const BY_KEY: &str = "set enable_hashjoin = off; set enable_mergejoin = off; \
     set enable_seqscan = off; set plan_cache_mode = force_generic_plan";

/// How often a unit is run at least before a lost race is an error.
const ATTEMPTS: u32 = 8;

#[derive(Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    /// More than there are connections, all of which may have died with the server.
    attempts: u32,
    asks: Together,
    /// A commit waits for the disk: those who only ask do not wait with it.
    onces: Together,
}

impl Postgres {
    pub(crate) async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let units = connections.saturating_sub(ASKS + ONCES).max(2);
        let pool = options(units).connect(url).await.map_err(failed)?;
        let lines =
            options(ASKS + ONCES).acquire_timeout(PATIENCE).after_connect(|connection, _| {
                Box::pin(async move { connection.execute(BY_KEY).await.map(drop) })
            });
        let lines = lines.connect_lazy(url).map_err(failed)?;
        let attempts = ATTEMPTS.max(connections + 2);
        let asks = Together::start(&lines, ASKS, attempts);
        let onces = Together::start(&lines, ONCES, attempts);
        Ok(Self { asks, onces, pool, attempts })
    }

    pub(crate) async fn write<T, E, F>(
        &self,
        name: &'static str,
        vault: &Arc<Vault>,
        unit: F,
    ) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E> + Send + Sync,
        T: Send,
        E: From<StoreError> + Send,
    {
        let mut attempt = 1;
        loop {
            let transaction = match self.pool.begin().await.map_err(failed) {
                Err(StoreError::Retry) if attempt < self.attempts => {
                    attempt += 1;
                    continue;
                }
                other => other?,
            };
            let engine = TxEngine::Postgres(transaction);
            let mut tx = Tx { engine, vault: vault.clone(), lost: false, failed: false };
            let outcome = unit(&mut tx).await;
            let outcome = tx.judged(name, outcome);
            let mut lost = tx.lost;
            let TxEngine::Postgres(transaction) = tx.engine else {
                return Err(StoreError::Database("a unit changed its engine".to_owned()).into());
            };
            let outcome = match outcome {
                Ok(value) => match transaction.commit().await {
                    Ok(()) => Ok(value),
                    // Nobody knows whether it was committed: the unit must not run again.
                    Err(cause) if broken(&cause) => {
                        Err(StoreError::Database(format!("{name}: {cause}")).into())
                    }
                    Err(cause) => {
                        let cause = failed(cause);
                        lost = matches!(cause, StoreError::Retry);
                        Err(cause.into())
                    }
                },
                Err(error) => {
                    // A broken connection rolls back by itself.
                    let _ = transaction.rollback().await;
                    Err(error)
                }
            };
            if !lost || attempt >= self.attempts {
                return outcome;
            }
            tracing::debug!(name, attempt, "a unit of work lost a race and runs again");
            attempt += 1;
        }
    }

    pub(crate) async fn once(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<u64, StoreError> {
        self.onces.once(statement, args).await
    }

    pub(crate) async fn ask(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.asks.ask(statement, args).await
    }

    pub(crate) async fn read<T, E, F>(
        &self,
        name: &'static str,
        vault: &Arc<Vault>,
        unit: F,
    ) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E> + Send + Sync,
        E: From<StoreError>,
    {
        let mut attempt = 1;
        loop {
            let connection = self.pool.acquire().await.map_err(failed)?;
            let engine = TxEngine::PostgresRead(connection);
            let mut tx = Tx { engine, vault: vault.clone(), lost: false, failed: false };
            let outcome = unit(&mut tx).await;
            if !tx.lost || attempt >= self.attempts {
                return tx.judged(name, outcome);
            }
            attempt += 1;
        }
    }

    pub(crate) async fn script(&self, text: &str) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        // Several nodes may start at once: one migrates, the others wait here.
        let lock = "select pg_advisory_xact_lock(7236810)".to_owned();
        transaction.execute(sqlx::AssertSqlSafe(lock)).await.map_err(failed)?;
        transaction
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())))
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    pub(crate) async fn prepare(&self, statement: &'static Statement) -> Result<(), StoreError> {
        use sqlx::SqlSafeStr as _;
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let wrong = |text: String| StoreError::Database(format!("{}: {text}", statement.name));
        let alone = (&mut *connection)
            .prepare(statement.for_postgres().into_sql_str())
            .await
            .map_err(|cause| wrong(cause.to_string()))?;
        let Some(together) = statement.together else { return Ok(()) };
        let together = (&mut *connection)
            .prepare(together.into_sql_str())
            .await
            .map_err(|cause| wrong(cause.to_string()))?;
        // What answers alone and together must not differ, or one of them is read wrongly.
        let names =
            |columns: &[PgColumn]| Vec::from_iter(columns.iter().map(|c| c.name().to_owned()));
        let (alone, together) = (names(alone.columns()), names(together.columns()));
        if together.get(1..) != Some(&alone) {
            return Err(wrong(format!("{together:?} together, {alone:?} alone")));
        }
        Ok(())
    }
}

fn options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // A ping before every use costs a tenth to a half of the throughput.
        .test_before_acquire(false)
}

/// The connection is gone: the server was restarted, or ends (57P01), or the network is cut. What
/// was not committed is undone, so a unit that had not asked for its commit may run again.
fn broken(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(|error| error.code());
    matches!(cause, sqlx::Error::Io(_)) || code.is_some_and(|code| code == "57P01")
}

fn failed(cause: sqlx::Error) -> StoreError {
    if broken(&cause) {
        return StoreError::Retry;
    }
    let code = cause.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    match code.as_ref() {
        "23505" => StoreError::Conflict,
        "40001" | "40P01" => StoreError::Retry,
        _ => StoreError::Database(cause.to_string()),
    }
}

fn named(statement: &Statement, cause: sqlx::Error) -> StoreError {
    match failed(cause) {
        StoreError::Database(text) => StoreError::Database(format!("{}: {text}", statement.name)),
        other => other,
    }
}

fn arguments(args: &[Value]) -> Result<PgArguments, StoreError> {
    let mut bound = PgArguments::default();
    for value in args {
        let added = match value {
            Value::Text(text) => bound.add(text.as_deref()),
            Value::Int(number) => bound.add(*number),
            Value::Blob(bytes) => bound.add(bytes.as_deref()),
        };
        added.map_err(|cause| StoreError::Data(cause.to_string()))?;
    }
    Ok(bound)
}

pub(crate) async fn execute(
    connection: &mut PgConnection,
    statement: &'static Statement,
    args: &[Value],
) -> Result<u64, StoreError> {
    let done = sqlx::query_with(statement.for_postgres(), arguments(args)?)
        .execute(connection)
        .await
        .map_err(|cause| named(statement, cause))?;
    Ok(done.rows_affected())
}

pub(crate) async fn all(
    connection: &mut PgConnection,
    statement: &'static Statement,
    args: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let answer = sqlx::query_with(statement.for_postgres(), arguments(args)?)
        .fetch_all(connection)
        .await
        .map_err(|cause| named(statement, cause))?;
    rows(statement, &answer, 0)
}

/// Rows of an answer without their first `skipped` columns.
fn rows(
    statement: &'static Statement,
    answer: &[PgRow],
    skipped: usize,
) -> Result<Vec<Row>, StoreError> {
    let Some(first) = answer.first() else { return Ok(Vec::new()) };
    let names = || first.columns().iter().skip(skipped).map(sqlx::Column::name);
    let columns = statement.columns(names);
    let row = |row| {
        let indexes = skipped..skipped + columns.len();
        let values = indexes.map(|index| value(row, index)).collect::<Result<_, _>>()?;
        Ok(Row { columns: columns.clone(), values })
    };
    answer.iter().map(row).collect()
}

fn value(row: &PgRow, index: usize) -> Result<Value, StoreError> {
    let value = match row.column(index).type_info().name() {
        "INT8" => row.try_get(index).map(Value::Int),
        "INT4" => row.try_get::<Option<i32>, _>(index).map(|n| Value::Int(n.map(i64::from))),
        "BOOL" => row.try_get::<Option<bool>, _>(index).map(|b| Value::Int(b.map(i64::from))),
        "BYTEA" => row.try_get(index).map(Value::Blob),
        _ => row.try_get(index).map(Value::Text),
    };
    value.map_err(|cause| StoreError::Data(cause.to_string()))
}

/// Creates an empty database, dropping one of the same name that an earlier process left.
pub(crate) async fn create_database(server: &str, name: &str) -> Result<(), StoreError> {
    use sqlx::Connection as _;
    let mut connection = PgConnection::connect(server).await.map_err(failed)?;
    for text in [format!("drop database if exists {name}"), format!("create database {name}")] {
        connection.execute(sqlx::AssertSqlSafe(text)).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}

/// For tests: the rows of all tables, in binary.
pub(crate) async fn bytes(url: &str) -> Result<Vec<u8>, StoreError> {
    use futures_util::TryStreamExt as _;
    use sqlx::Connection as _;
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    let tables = "select tablename from pg_tables where schemaname = 'public'";
    let tables: Vec<String> =
        sqlx::query_scalar(tables).fetch_all(&mut connection).await.map_err(failed)?;
    let mut bytes = Vec::new();
    for table in tables {
        let copy = format!("copy \"{table}\" to stdout (format binary)");
        let rows = connection.copy_out_raw(&copy).await.map_err(failed)?;
        let rows: Vec<_> = rows.try_collect().await.map_err(failed)?;
        bytes.extend(rows.iter().flat_map(|row| row.iter().copied()));
    }
    connection.close().await.map_err(failed)?;
    Ok(bytes)
}
