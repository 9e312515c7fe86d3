//! Figures for Prometheus, on a listener of their own.
//!
//! Labels hold templates and states, whose values are few and known beforehand: never an address,
//! an id or anything of a person. Without a listener nothing is measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{Method, header};
use idp_store::{Db, StoreError, outbox};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use plugins_host::Host;

use crate::ambient;
use crate::cli::Failure;

/// Upper bounds of the durations, seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// How long counts of the outbox stand: they are counted over all of its rows.
const COUNTED: Duration = Duration::from_secs(60);
/// How often measured durations are gathered, so that they do not pile up while nobody asks.
const GATHERED: Duration = Duration::from_secs(5);
/// Every state of an effect: one that has none any more must say so.
const STATES: [&str; 6] = ["pending", "sending", "sent", "unknown", "failed", "dead"];
/// Ticks of a second in `/proc/PID/stat`: Linux shows programs 100 on every architecture.
const TICKS: f64 = 100.0;

/// What is asked when the figures are.
#[derive(Clone)]
struct Sources {
    handle: PrometheusHandle,
    db: Db,
    host: Arc<Host>,
    counted: Arc<Mutex<Option<Instant>>>,
}

/// Begins to measure; the figures' own router.
///
/// # Errors
/// [`Failure::No`] if this process measures already.
pub(crate) fn begin(db: Db, host: Arc<Host>) -> Result<Router, Failure> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|_| Failure::No("this process is measured already".to_owned()))?;
    gauge!("tongban_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("tongban_process_start_seconds").set(thousandth(ambient::system().now()));
    let gathered = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(GATHERED).await;
            gathered.run_upkeep();
        }
    });
    let sources = Sources { handle, db, host, counted: Arc::default() };
    Ok(Router::new().route("/metrics", get(show)).with_state(sources))
}

/// Measures every request of a router.
pub(crate) fn measured(router: Router) -> Router {
    router.layer(middleware::from_fn(measure))
}

/// Counted down also when the asker hangs up.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        gauge!("tongban_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("tongban_requests_in_flight").decrement(1.0);
    }
}

async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    // An address that matches no route is never a label: anybody can invent some.
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = method(request.method());
    let (_counted, begun) = (InFlight::begin(), Instant::now());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    histogram!("tongban_request_seconds", "method" => method, "route" => route.clone())
        .record(begun.elapsed());
    counter!("tongban_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response
}

/// Methods are free text to a client.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

async fn show(State(sources): State<Sources>) -> Response {
    if let Err(cause) = effects(&sources).await {
        tracing::error!(%cause, "the outbox cannot be counted");
    }
    if let Some(waiting) = sources.db.writes_waiting() {
        gauge!("tongban_write_queue").set(u32::try_from(waiting).unwrap_or(u32::MAX));
    }
    for plugin in sources.host.standing() {
        let quarantined = u8::from(plugin.quarantined);
        gauge!("tongban_plugin_quarantined", "plugin" => plugin.plugin).set(quarantined);
    }
    process();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, sources.handle.render()).into_response()
}

fn due(counted: &Mutex<Option<Instant>>) -> bool {
    let mut last = counted.lock().unwrap_or_else(PoisonError::into_inner);
    let due = last.is_none_or(|last| last.elapsed() >= COUNTED);
    if due {
        *last = Some(Instant::now());
    }
    due
}

async fn effects(sources: &Sources) -> Result<(), StoreError> {
    let oldest = sources
        .db
        .read::<_, StoreError, _>("outbox_oldest", |tx| Box::pin(outbox::oldest(tx)))
        .await?;
    let waits = oldest.map_or(0, |at| (ambient::system().now() - at).max(0));
    gauge!("tongban_outbox_oldest_seconds").set(thousandth(waits));
    if !due(&sources.counted) {
        return Ok(());
    }
    let counts = sources
        .db
        .read::<_, StoreError, _>("outbox_counts", |tx| Box::pin(outbox::counts(tx)))
        .await?;
    for (interface, ..) in &counts {
        for state in STATES {
            let found = counts.iter().find(|(one, is, _)| one == interface && is == state);
            let n = found.map_or(0, |(.., n)| *n);
            gauge!("tongban_outbox", "interface" => interface.clone(), "state" => state)
                .set(u32::try_from(n).unwrap_or(u32::MAX));
        }
    }
    Ok(())
}

/// Milliseconds as seconds. Exact far beyond any date.
#[allow(clippy::cast_precision_loss)]
fn thousandth(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// What the kernel says of this process; nothing where it says it otherwise than Linux.
fn process() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = memory(&status) {
        gauge!("tongban_process_memory_bytes").set(bytes);
    }
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(seconds) = processor(&stat) {
        gauge!("tongban_process_cpu_seconds_total").set(seconds);
    }
}

/// `VmRSS` of proc(5) `status`, bytes.
fn memory(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

/// `utime` and `stime` (fields 14 and 15) of proc(5) `stat`, seconds. The second field is the
/// program's name in parentheses, which may hold anything.
fn processor(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(memory("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(memory("Name:\tx\n"), None);
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 1 2 3";
        assert_eq!(processor(stat), Some(2.0));
        assert_eq!(processor("nonsense"), None);
        assert_eq!(method(&Method::from_bytes(b"INVENTED").unwrap()), "other");
    }
}
