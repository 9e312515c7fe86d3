//! Single statements of several requests as one: the way to the server and back, and the flush of
//! a commit, cost more than what the statement does. Nobody waits for a group to fill; it is what
//! came while the last ones ran.

mod bind;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::{error::Elapsed, timeout};

use super::{all, execute, failed, named, rows};
use crate::{Row, Statement, StoreError, Value};

/// Statements of one group.
const GROUP: usize = 64;

/// How long an answer is waited for. These statements find their rows by keys: a connection that
/// says nothing for so long has died without a word (a wall between forgot it, the server's machine
/// is gone), which TCP may find out a quarter of an hour later, while everybody waits behind it.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a worker waits that got no connection.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a connection waits for the next group. Then it is the pool's, which ends what nobody
/// uses before a wall between forgets it.
const KEPT: Duration = Duration::from_secs(60);

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

    fn fail(self, error: StoreError) {
        match self {
            Self::Ask(_, answer) => drop(answer.send(Err(error))),
            Self::Once(_, answer) => drop(answer.send(Err(error))),
        }
    }
}

/// Jobs of one statement.
struct Group {
    statement: &'static Statement,
    jobs: Vec<Job>,
}

#[derive(Default)]
struct Queue {
    groups: VecDeque<Group>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Notify,
    /// Workers that have a connection.
    served: AtomicUsize,
}

/// A connection of a worker's, counted.
struct Served {
    connection: PoolConnection<Postgres>,
    _counted: Counted,
}

struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.served.fetch_add(1, SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.served.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, statement: &'static Statement, job: Job) {
        let mut queue = self.queue();
        let groups = &mut queue.groups;
        match groups.iter_mut().find(|group| std::ptr::eq(group.statement, statement)) {
            Some(group) => group.jobs.push(job),
            None => groups.push_back(Group { statement, jobs: vec![job] }),
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Answers all who wait: what one of them waited for in vain the others need not wait for one
    /// after the other.
    fn fail(&self, cause: &str) {
        let groups = std::mem::take(&mut self.queue().groups);
        for job in groups.into_iter().flat_map(|group| group.jobs) {
            job.fail(StoreError::Database(cause.to_owned()));
        }
    }

    fn waits(&self) -> bool {
        !self.queue().groups.is_empty()
    }

    fn is_served(&self) -> bool {
        self.served.load(SeqCst) > 0
    }

    /// Until something waits, which stays where it is; false when nobody can ask any more.
    async fn something_waits(&self) -> bool {
        loop {
            if self.waits() {
                // The wake was meant for one who takes.
                self.wake.notify_one();
                if !self.is_served() {
                    return true;
                }
                tokio::task::yield_now().await;
                if self.waits() {
                    return true;
                }
            } else if self.queue().closed {
                return false;
            }
            self.wake.notified().await;
        }
    }

    /// What has waited longest, at most [`GROUP`] of it; none when nobody can ask any more.
    async fn take(&self) -> Option<Group> {
        loop {
            {
                let mut queue = self.queue();
                if let Some(mut group) = queue.groups.pop_front() {
                    if group.jobs.len() > GROUP {
                        let jobs = group.jobs.split_off(GROUP);
                        queue.groups.push_back(Group { statement: group.statement, jobs });
                    }
                    return Some(group);
                }
                if queue.closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }
}

/// Where statements queue. Its workers end with the last clone.
#[derive(Clone)]
pub(super) struct Together(Arc<Handle>);

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.queue().closed = true;
        self.0.wake.notify_waiters();
        // One that is between its look at the queue and its wait.
        self.0.wake.notify_one();
    }
}

impl Together {
    /// `pool` gives each worker a connection. More workers make smaller groups, fewer let one group
    /// wait for another.
    pub(super) fn start(pool: &PgPool, workers: u32, attempts: u32) -> Self {
        let shared = Arc::new(Shared::default());
        for _ in 0..workers {
            let pool = pool.clone();
            let shared = shared.clone();
            let worker = Worker { pool, attempts, shared, connection: None, silent: false };
            tokio::spawn(worker.run());
        }
        Self(Arc::new(Handle(shared)))
    }

    pub(super) async fn ask(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.0.0.put(statement, Job::Ask(args, answer));
        answered.await.map_err(|_| gone(statement))?
    }

    pub(super) async fn once(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.0.0.put(statement, Job::Once(args, answer));
        answered.await.map_err(|_| gone(statement))?
    }
}

fn silence(statement: &Statement) -> StoreError {
    StoreError::Database(format!("{}: the server says nothing", statement.name))
}

fn gone(statement: &Statement) -> StoreError {
    StoreError::Database(format!("{}: nobody runs it", statement.name))
}

struct Worker {
    pool: PgPool,
    attempts: u32,
    shared: Arc<Shared>,
    /// Kept from group to group: a pool would ask whether it lives each time it comes back.
    connection: Option<Served>,
    /// Nothing was said to one of this group.
    silent: bool,
}

impl Worker {
    async fn run(mut self) {
        while let Some(Group { statement, mut jobs }) = self.next().await {
            jobs.sort_by(in_order);
            self.silent = false;
            if let Some(text) = statement.together.filter(|_| jobs.len() > 1)
                && let Ok(answers) = self.together(statement, text, &jobs).await
            {
                for (job, rows) in jobs.drain(..).zip(answers) {
                    job.answer(rows);
                }
            }
            // One alone, or a group in which one failed: that one's fault is not the others'.
            while let Some(job) = jobs.pop() {
                if self.silent {
                    jobs.push(job);
                    jobs.drain(..).for_each(|job| job.fail(silence(statement)));
                    // The next group finds out on a new connection whether the server is away.
                    break;
                }
                if let Err(cause) = self.connected().await {
                    let cause = format!("{}: {cause}", statement.name);
                    jobs.push(job);
                    jobs.drain(..).for_each(|job| job.fail(StoreError::Database(cause.clone())));
                    break;
                }
                match job {
                    Job::Ask(args, answer) => drop(answer.send(self.asked(statement, &args).await)),
                    Job::Once(args, answer) => {
                        drop(answer.send(self.executed(statement, &args).await));
                    }
                }
            }
        }
    }

    /// The next group, taken with a connection in hand: one for whom the server has none keeps
    /// nobody from an answer.
    async fn next(&mut self) -> Option<Group> {
        loop {
            if self.connection.is_some() {
                if let Ok(taken) = timeout(KEPT, self.shared.take()).await {
                    return taken;
                }
                self.connection = None;
            }
            if !self.shared.something_waits().await {
                return None;
            }
            if let Err(cause) = self.connected().await.map(drop) {
                if !self.shared.is_served() {
                    self.shared.fail(&cause.to_string());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut PoolConnection<Postgres>, StoreError> {
        let served = match self.connection.take() {
            Some(served) => served,
            None => {
                let connection = self.pool.acquire().await.map_err(failed)?;
                Served { connection, _counted: Counted::new(&self.shared) }
            }
        };
        Ok(&mut self.connection.insert(served).connection)
    }

    /// A connection that broke is not used again, nor one that says nothing.
    fn seen<T>(
        &mut self,
        statement: &'static Statement,
        outcome: Result<Result<T, StoreError>, Elapsed>,
    ) -> Result<T, StoreError> {
        let Ok(outcome) = outcome else {
            self.silent = true;
            // Given back, it would keep its place in the pool until it has answered.
            drop(self.connection.take().map(|served| served.connection.detach()));
            return Err(silence(statement));
        };
        if matches!(outcome, Err(StoreError::Retry)) {
            self.connection = None;
        }
        outcome
    }

    async fn together(
        &mut self,
        statement: &'static Statement,
        text: &'static str,
        jobs: &[Job],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let connection = self.connected().await?;
        let found = sqlx::query_with(text, bind::arguments(jobs)?).fetch_all(&mut **connection);
        let found = timeout(SILENCE, found).await;
        let found = self
            .seen(statement, found.map(|found| found.map_err(|cause| named(statement, cause))))?;
        let mut answers: Vec<Vec<Row>> = jobs.iter().map(|_| Vec::new()).collect();
        for (found, row) in found.iter().zip(rows(statement, &found, 1)?) {
            let asked: i64 = found.try_get(0).map_err(|cause| named(statement, cause))?;
            let place = usize::try_from(asked - 1).ok().and_then(|place| answers.get_mut(place));
            place.ok_or_else(|| StoreError::Data(statement.name.to_owned()))?.push(row);
        }
        Ok(answers)
    }

    async fn asked(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let mut attempt = 1;
        loop {
            let answer = all(&mut **self.connected().await?, statement, args);
            let answer = timeout(SILENCE, answer).await;
            match self.seen(statement, answer) {
                Err(StoreError::Retry) if attempt < self.attempts => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// A statement outside a transaction commits by itself.
    async fn executed(
        &mut self,
        statement: &'static Statement,
        args: &[Value],
    ) -> Result<u64, StoreError> {
        let mut attempt = 1;
        loop {
            let answer = execute(&mut **self.connected().await?, statement, args);
            let answer = timeout(SILENCE, answer).await;
            match self.seen(statement, answer) {
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
