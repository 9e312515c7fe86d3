//! The load generator: one scenario after another against a running deployment, from a process of
//! its own, each worker with one connection and the next step when the last has been answered.
//!
//! The figure to compare is operations per CPU second of the server: it says what a core carries
//! and is little disturbed by what else the machine does. Latencies hold for this load only: a
//! closed loop asks less often of a server that answers slowly.

mod browser;
mod places;
mod process;
mod provider;
mod sample;
mod scenario;
mod secured;
mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use browser::Transport;
pub use places::Places;
pub use process::Server;
pub use provider::Provider;
pub use scenario::Scenario;
pub use target::{Form, Hall, Signing, Target};

use crate::cli::talk;

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Workers, each with one connection.
    pub connections: usize,
    /// What is measured.
    pub span: Duration,
    /// What runs before and is not counted.
    pub warm_up: Duration,
}

/// What one scenario gave.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// Name of the provider.
    pub provider: String,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that did not.
    pub errors: u64,
    /// The first error's sentence, if there was one.
    pub first_error: Option<String>,
    /// Successful operations in a second.
    pub per_second: f64,
    /// Median, microseconds.
    pub p50_us: u32,
    /// 99th percentile, microseconds.
    pub p99_us: u32,
    /// CPU seconds of the server while it was measured; none if the process is not known.
    pub cpu_seconds: Option<f64>,
    /// Successful operations per CPU second of the server.
    pub per_cpu_second: Option<f64>,
    /// Resident memory of the server at the end, bytes.
    pub rss: Option<u64>,
}

/// Counts of one measured span, shared by the workers.
#[derive(Default)]
struct Tally {
    counts: AtomicBool,
    stop: AtomicBool,
    done: AtomicU64,
}

/// What one worker brings home.
struct Haul {
    micros: Vec<u32>,
    errors: u64,
    first: Option<String>,
}

async fn work(target: Arc<Target>, scenario: Scenario, tally: Arc<Tally>) -> Haul {
    let mut haul = Haul { micros: Vec::new(), errors: 0, first: None };
    let mut worker = match scenario.prepare(&target).await {
        Ok(worker) => worker,
        Err(cause) => {
            haul.errors = 1;
            haul.first = Some(format!("before the first step: {cause}"));
            return haul;
        }
    };
    while !tally.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let answer = scenario.step(&target, &mut worker).await;
        let counted = tally.counts.load(Ordering::Relaxed);
        match answer {
            Ok(()) if counted => {
                haul.micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                tally.done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(()) => {}
            Err(cause) => {
                haul.errors += u64::from(counted);
                haul.first.get_or_insert(cause);
                // A server that refuses is not to be measured by how fast it refuses.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    haul
}

/// Says how it goes while a person looks on.
async fn watch(scenario: Scenario, tally: Arc<Tally>, whole: Duration) {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return;
    }
    let begun = Instant::now();
    while !tally.stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let left = whole.saturating_sub(begun.elapsed()).as_secs();
        let done = tally.done.load(Ordering::Relaxed);
        talk(format_args!("{}: {done} operations, {left} s left", scenario.name()));
    }
}

/// Runs one scenario.
pub async fn run(target: &Arc<Target>, scenario: Scenario, plan: Plan, server: Server) -> Figures {
    let tally = Arc::new(Tally::default());
    let workers: Vec<_> = (0..plan.connections)
        .map(|_| tokio::spawn(work(target.clone(), scenario, tally.clone())))
        .collect();
    let watcher = tokio::spawn(watch(scenario, tally.clone(), plan.warm_up + plan.span));
    tokio::time::sleep(plan.warm_up).await;
    let before = server.cpu_seconds();
    tally.counts.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(plan.span).await;
    tally.counts.store(false, Ordering::Relaxed);
    let (span, after) = (begun.elapsed().as_secs_f64(), server.cpu_seconds());
    tally.stop.store(true, Ordering::Relaxed);
    let (mut micros, mut errors, mut first_error) = (Vec::new(), 0, None);
    for worker in workers {
        match worker.await {
            Ok(haul) => {
                micros.extend(haul.micros);
                errors += haul.errors;
                first_error = first_error.or(haul.first);
            }
            Err(cause) => first_error = Some(cause.to_string()),
        }
    }
    watcher.abort();
    let sample = sample::Sample::new(micros);
    let cpu_seconds = before.zip(after).map(|(before, after)| after - before);
    #[allow(clippy::cast_precision_loss)] // Counts of a run are far below 2^52.
    let operations = sample.len() as f64;
    Figures {
        scenario: scenario.name(),
        provider: target.name.clone(),
        operations: sample.len() as u64,
        errors,
        first_error,
        per_second: operations / span,
        p50_us: sample.percentile(50),
        p99_us: sample.percentile(99),
        cpu_seconds,
        per_cpu_second: cpu_seconds.filter(|spent| *spent > 0.0).map(|spent| operations / spent),
        rss: server.rss(),
    }
}
