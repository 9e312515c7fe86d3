//! Single statements of several requests as one: the way to the server and back, and the flush of
//! a commit, cost more than what the statement does. Nobody waits for a group to fill; it is what
//! came while the last one ran.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, PgPool, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::{all, execute, failed, named, rows};
use crate::{Row, Statement, StoreError, Value};

/// Statements of one group.
const GROUP: usize = 64;

/// Groups of one statement that may be under way: one that waits for the disk holds up one lane.
const LANES: usize = 2;

enum Job {
    Ask(Vec<Value>, oneshot::Sender<Result<Vec<Row>, StoreError>>),
    Once(Vec<Value>, oneshot::Sender<Result<u64, StoreError>>),
}

impl Job {
    fn args(&self) -> &[Value] {
        match self {
            Self::Ask(args, _) | Self::Once(args, _) => args,
        }
    }

    /// Nobody waits any more when the request was dropped.
    fn answer(self, rows: Vec<Row>) {
        match self {
            Self::Ask(_, answer) => drop(answer.send(Ok(rows))),
            Self::Once(_, answer) => drop(answer.send(Ok(rows.len() as u64))),
        }
    }

    async fn alone(self, line: &Line) {
        match self {
            Self::Ask(args, answer) => drop(answer.send(line.asked(&args).await)),
            Self::Once(args, answer) => drop(answer.send(line.executed(&args).await)),
        }
    }
}

/// Where statements queue, a line each. Workers end with the last clone.
#[derive(Clone)]
pub(super) struct Together {
    pool: PgPool,
    attempts: u32,
    lines: Arc<Mutex<HashMap<&'static str, mpsc::UnboundedSender<Job>>>>,
}

impl Together {
    pub(super) fn new(pool: PgPool, attempts: u32) -> Self {
        Self { pool, attempts, lines: Arc::default() }
    }

    pub(super) async fn ask(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue(statement, Job::Ask(args, answer))?;
        answered.await.map_err(|_| gone(statement))?
    }

    pub(super) async fn once(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue(statement, Job::Once(args, answer))?;
        answered.await.map_err(|_| gone(statement))?
    }

    fn queue(&self, statement: &'static Statement, job: Job) -> Result<(), StoreError> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(statement.name).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let (pool, attempts) = (self.pool.clone(), self.attempts);
            let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
            for _ in 0..LANES {
                tokio::spawn(
                    Line { statement, pool: pool.clone(), attempts }.run(receiver.clone()),
                );
            }
            sender
        });
        line.send(job).map_err(|_| gone(statement))
    }
}

fn gone(statement: &Statement) -> StoreError {
    StoreError::Database(format!("{}: nobody runs it", statement.name))
}

struct Line {
    statement: &'static Statement,
    pool: PgPool,
    attempts: u32,
}

impl Line {
    async fn run(self, jobs: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>>) {
        let mut group = Vec::with_capacity(GROUP);
        while jobs.lock().await.recv_many(&mut group, GROUP).await > 0 {
            group.sort_by(in_order);
            if let Some(text) = self.statement.together.filter(|_| group.len() > 1)
                && let Ok(answers) = self.together(text, &group).await
            {
                for (job, rows) in group.drain(..).zip(answers) {
                    job.answer(rows);
                }
            }
            // One alone, or a group in which one failed: that one's fault is not the others'.
            for job in group.drain(..) {
                job.alone(&self).await;
            }
        }
    }

    async fn together(
        &self,
        text: &'static str,
        group: &[Job],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let found = sqlx::query_with(text, arguments(group)?)
            .fetch_all(&mut *connection)
            .await
            .map_err(|cause| named(self.statement, cause))?;
        let mut answers: Vec<Vec<Row>> = group.iter().map(|_| Vec::new()).collect();
        for (found, row) in found.iter().zip(rows(self.statement, &found, 1)?) {
            let asked: i64 = found.try_get(0).map_err(|cause| named(self.statement, cause))?;
            let place = usize::try_from(asked - 1).ok().and_then(|place| answers.get_mut(place));
            place.ok_or_else(|| StoreError::Data(self.statement.name.to_owned()))?.push(row);
        }
        Ok(answers)
    }

    async fn asked(&self, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut attempt = 1;
        loop {
            let mut connection = self.pool.acquire().await.map_err(failed)?;
            match all(&mut connection, self.statement, args).await {
                Err(StoreError::Retry) if attempt < self.attempts => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// A statement outside a transaction commits by itself.
    async fn executed(&self, args: &[Value]) -> Result<u64, StoreError> {
        let mut attempt = 1;
        loop {
            let mut connection = self.pool.acquire().await.map_err(failed)?;
            match execute(&mut connection, self.statement, args).await {
                Err(StoreError::Retry) if attempt < self.attempts => attempt += 1,
                outcome => return outcome,
            }
        }
    }
}

/// Two nodes that wrote the same keys in another order would wait for each other.
fn in_order(one: &Job, other: &Job) -> Ordering {
    fn texts(job: &Job) -> impl Iterator<Item = &str> {
        job.args().iter().filter_map(|value| match value {
            Value::Text(text) => text.as_deref(),
            Value::Int(_) | Value::Blob(_) => None,
        })
    }
    texts(one).cmp(texts(other))
}

/// An array of each argument.
fn arguments(group: &[Job]) -> Result<PgArguments, StoreError> {
    let mut bound = PgArguments::default();
    for (index, kind) in group.first().map(Job::args).unwrap_or_default().iter().enumerate() {
        let column = group.iter().filter_map(|job| job.args().get(index));
        let added = match kind {
            Value::Text(_) => bound.add(column.map(text).collect::<Result<Vec<_>, _>>()?),
            Value::Int(_) => bound.add(column.map(int).collect::<Result<Vec<_>, _>>()?),
            Value::Blob(_) => bound.add(column.map(blob).collect::<Result<Vec<_>, _>>()?),
        };
        added.map_err(|cause| StoreError::Data(cause.to_string()))?;
    }
    Ok(bound)
}

fn text(value: &Value) -> Result<Option<&str>, StoreError> {
    if let Value::Text(text) = value { Ok(text.as_deref()) } else { Err(mixed()) }
}

fn int(value: &Value) -> Result<Option<i64>, StoreError> {
    if let Value::Int(number) = value { Ok(*number) } else { Err(mixed()) }
}

fn blob(value: &Value) -> Result<Option<&[u8]>, StoreError> {
    if let Value::Blob(bytes) = value { Ok(bytes.as_deref()) } else { Err(mixed()) }
}

fn mixed() -> StoreError {
    StoreError::Data("an argument is of another kind than its neighbours'".to_owned())
}
