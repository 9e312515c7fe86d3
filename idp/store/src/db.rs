//! The database without its engine's name: [`Db`] runs units of work over a [`Tx`].
//!
//! A unit awaits nothing but its own statements. On SQLite the one writer runs it whole inside a
//! savepoint and acknowledges it after the commit of the group; on PostgreSQL it is a transaction.
//! A unit may be run more than once when it lost against another, so it clones what it consumes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Row, Statement, StoreError, Value, Vault, postgres, sqlite};

/// The future of a unit of work.
pub type Unit<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// How to open a database.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Readers beside the writer (SQLite) or connections (PostgreSQL).
    pub connections: u32,
    /// Keys of sealed columns and blind indexes.
    pub vault: Vault,
}

#[derive(Clone)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// A database. Clones share it.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    vault: Arc<Vault>,
}

/// Which engine carries a database; for messages and for tests, never for rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Embedded.
    Sqlite,
    /// A server.
    Postgres,
}

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it cannot be reached, [`StoreError::Schema`] if its schema is
    /// newer than this program or was edited.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let db = Self::connect(options).await?;
        crate::migrate::run(&db).await?;
        Ok(db)
    }

    /// Opens the database as it is.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it cannot be reached.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        let vault = Arc::new(options.vault);
        let engine = if let Some(path) = options.url.strip_prefix("sqlite://") {
            Engine::Sqlite(sqlite::Sqlite::open(path, options.connections, vault.clone())?)
        } else if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://")
        {
            let pool = postgres::Postgres::open(&options.url, options.connections);
            Engine::Postgres(pool.await?)
        } else {
            return Err(StoreError::Database(
                "the address must begin with sqlite:// or postgres://".to_owned(),
            ));
        };
        Ok(Self { engine, vault })
    }

    /// The engine.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.engine {
            Engine::Sqlite(_) => Kind::Sqlite,
            Engine::Postgres(_) => Kind::Postgres,
        }
    }

    /// Keys of sealed columns and blind indexes.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn sqlite(&self) -> Option<&sqlite::Sqlite> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Some(sqlite),
            Engine::Postgres(_) => None,
        }
    }

    /// Runs a unit that may write; its effects are durable when this returns `Ok`, and there are
    /// none when it returns `Err`.
    ///
    /// # Errors
    /// What the unit returned, or a [`StoreError`] of the engine.
    pub async fn write<T, E, F>(&self, name: &'static str, unit: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(name, unit).await,
            Engine::Postgres(postgres) => postgres.write(name, &self.vault, unit).await,
        }
    }

    /// Asks one statement: on PostgreSQL, what several requests ask while the last answer is under
    /// way is asked together ([`Statement::together`]). Each sees what was committed before it
    /// asked.
    ///
    /// # Errors
    /// As [`Tx::all`].
    pub async fn ask(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(statement.name, move |tx: &mut Tx| {
                let args = args.clone();
                Box::pin(async move { tx.all(statement, &args).await })
            }),
            Engine::Postgres(postgres) => postgres.ask(statement, args).await,
        }
    }

    /// Runs one statement as a unit of work of its own, several requests' under one commit, and
    /// says how many rows it touched. If the connection breaks, nobody knows whether it ran, and
    /// it runs again: only for statements whose second run does no harm and is told by its count
    /// (`on conflict do nothing`).
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn once(
        &self,
        name: &'static str,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<u64, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => {
                let unit = sqlite.write(name, move |tx: &mut Tx| {
                    let args = args.clone();
                    Box::pin(async move { tx.execute(statement, &args).await })
                });
                unit.await
            }
            Engine::Postgres(postgres) => postgres.once(statement, args).await,
        }
    }

    /// Runs a unit that only reads.
    ///
    /// # Errors
    /// What the unit returned, or a [`StoreError`] of the engine; a write is one.
    pub async fn read<T, E, F>(&self, name: &'static str, unit: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a mut Tx) -> Unit<'a, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(name, unit),
            Engine::Postgres(postgres) => postgres.read(name, &self.vault, unit).await,
        }
    }

    /// Runs a text of several statements without arguments, for migrations.
    pub(crate) async fn script(&self, text: String) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.script(text).await,
            Engine::Postgres(postgres) => postgres.script(&text).await,
        }
    }

    /// Prepares a statement without running it.
    ///
    /// # Errors
    /// [`StoreError::Database`] with the engine's complaint.
    pub async fn prepare(&self, statement: &'static Statement) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.prepare(statement),
            Engine::Postgres(postgres) => postgres.prepare(statement).await,
        }
    }
}

/// The inside of a unit of work.
pub struct Tx {
    pub(crate) engine: TxEngine,
    pub(crate) vault: Arc<Vault>,
    /// A statement lost against another transaction: the whole unit may run again.
    pub(crate) lost: bool,
    /// A statement failed: the unit is over, whatever it makes of that.
    pub(crate) failed: bool,
}

pub(crate) enum TxEngine {
    Sqlite(rusqlite::Connection),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    PostgresRead(sqlx::pool::PoolConnection<sqlx::Postgres>),
}

impl Tx {
    /// Keys of sealed columns and blind indexes.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Runs a statement and says how many rows it touched.
    ///
    /// A statement that fails ends its unit: on either engine later statements are refused and the
    /// unit is undone, also if it returns `Ok`. Where a duplicate is expected, write `on conflict`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a uniqueness constraint, else as the engine says.
    pub async fn execute(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, StoreError> {
        self.usable(statement)?;
        let outcome = match &mut self.engine {
            TxEngine::Sqlite(connection) => sqlite::execute(connection, statement, args),
            TxEngine::Postgres(transaction) => {
                postgres::execute(transaction, statement, args).await
            }
            TxEngine::PostgresRead(connection) => {
                postgres::execute(connection, statement, args).await
            }
        };
        self.seen(outcome)
    }

    /// All rows of an answer.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn all(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        self.usable(statement)?;
        let outcome = match &mut self.engine {
            TxEngine::Sqlite(connection) => sqlite::all(connection, statement, args),
            TxEngine::Postgres(transaction) => postgres::all(transaction, statement, args).await,
            TxEngine::PostgresRead(connection) => postgres::all(connection, statement, args).await,
        };
        self.seen(outcome)
    }

    fn usable(&self, statement: &Statement) -> Result<(), StoreError> {
        if self.failed {
            let text = format!("{}: a statement of this unit has failed before", statement.name);
            return Err(StoreError::Database(text));
        }
        Ok(())
    }

    fn seen<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        self.failed |= outcome.is_err();
        self.lost |= matches!(outcome, Err(StoreError::Retry));
        outcome
    }

    /// What the unit's own outcome is worth. PostgreSQL answers a commit after a failed statement
    /// with a silent rollback, so a unit that swallowed the failure must not be acknowledged.
    pub(crate) fn judged<T, E: From<StoreError>>(
        &self,
        name: &'static str,
        outcome: Result<T, E>,
    ) -> Result<T, E> {
        match outcome {
            Ok(_) if self.failed => {
                let text = format!("{name} went on after a failed statement");
                Err(StoreError::Database(text).into())
            }
            other => other,
        }
    }

    /// Marks the unit as lost against another, so that it runs again where the engine lets units
    /// run side by side; returns the error to give back.
    pub fn lose(&mut self) -> StoreError {
        self.lost = true;
        StoreError::Retry
    }

    /// The first row of an answer, if any.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn optional(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.all(statement, args).await?.into_iter().next())
    }

    /// The first row of an answer that must have one.
    ///
    /// # Errors
    /// [`StoreError::Data`] if there is none, else as [`Tx::execute`].
    pub async fn one(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<Row, StoreError> {
        self.optional(statement, args)
            .await?
            .ok_or_else(|| StoreError::Data(format!("{}: no row", statement.name)))
    }
}
