//! Single statements of several requests under one commit: the flush of a commit costs as much as
//! the statement. Nobody waits for a group to fill; it is what came while the last one ran.

use std::cmp::Ordering;

use sqlx::{Acquire as _, PgPool};
use tokio::sync::{mpsc, oneshot};

use super::{execute, failed};
use crate::{Statement, StoreError, Value};

/// Statements of one group.
const GROUP: usize = 64;

struct Job {
    statement: &'static Statement,
    args: Vec<Value>,
    answer: oneshot::Sender<Result<u64, StoreError>>,
}

/// Where statements queue; the worker ends with the last sender.
#[derive(Clone)]
pub(super) struct Once(mpsc::UnboundedSender<Job>);

impl Once {
    pub(super) fn start(pool: PgPool, attempts: u32) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(pool, attempts, receiver));
        Self(sender)
    }

    pub(super) async fn execute(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Database(format!("{}: nobody runs it", statement.name));
        self.0.send(Job { statement, args, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn run(pool: PgPool, attempts: u32, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        // Two nodes that insert the same keys in another order would wait for each other.
        group.sort_by(in_order);
        if group.len() > 1
            && let Ok(counts) = together(&pool, &group).await
        {
            for (job, count) in group.drain(..).zip(counts) {
                // Nobody waits any more when the request was dropped.
                let _ = job.answer.send(Ok(count));
            }
        }
        // One alone, or a group in which one failed: that one's fault is not the others'.
        for job in group.drain(..) {
            let outcome = alone(&pool, attempts, &job).await;
            let _ = job.answer.send(outcome);
        }
    }
}

fn in_order(one: &Job, other: &Job) -> Ordering {
    let texts = |job: &Job| -> Vec<String> {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Int(_) | Value::Blob(_) => None,
        };
        job.args.iter().filter_map(text).collect()
    };
    one.statement.name.cmp(other.statement.name).then_with(|| texts(one).cmp(&texts(other)))
}

async fn together(pool: &PgPool, group: &[Job]) -> Result<Vec<u64>, StoreError> {
    let mut connection = pool.acquire().await.map_err(failed)?;
    let mut transaction = connection.begin().await.map_err(failed)?;
    let mut counts = Vec::with_capacity(group.len());
    for job in group {
        counts.push(execute(&mut transaction, job.statement, &job.args).await?);
    }
    transaction.commit().await.map_err(failed)?;
    Ok(counts)
}

/// A statement outside a transaction commits by itself.
async fn alone(pool: &PgPool, attempts: u32, job: &Job) -> Result<u64, StoreError> {
    let mut attempt = 1;
    loop {
        let mut connection = pool.acquire().await.map_err(failed)?;
        match execute(&mut connection, job.statement, &job.args).await {
            Err(StoreError::Retry) if attempt < attempts => attempt += 1,
            outcome => return outcome,
        }
    }
}
