//! Files that others renew while this program runs.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Shutdown;
use crate::config::ConfigError;

/// How often the files are looked at without a signal: renewal tools seldom send one.
const LOOK: Duration = Duration::from_secs(60);

/// Calls `take`, which says whether there was something new, at SIGHUP and each minute, until
/// `shutdown`; says in the log how that ended.
pub async fn renew(
    what: &'static str,
    mut take: impl FnMut() -> Result<bool, ConfigError>,
    shutdown: Shutdown,
) {
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut told = async move || match hangup.as_mut() {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    };
    loop {
        tokio::select! {
            _ = told() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.stopped() => return,
        }
        match take() {
            Ok(true) => tracing::info!(what, "a renewed file is in use"),
            Ok(false) => {}
            Err(cause) => tracing::error!(what, %cause, "a renewed file is not used"),
        }
    }
}
