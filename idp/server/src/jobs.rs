//! Background work that sleeps until something is due.

use std::time::Duration;

use idp_domain::ambient::Ambient;
use idp_store::{Db, StoreError};
use plugins_engine::Engine;

use crate::listen::Shutdown;

/// Longest sleep: a clock that was set, or a node that died, is noticed after this.
const LONGEST: Duration = Duration::from_secs(60);
/// Lets the cases' clocks tick at the times that they name.
pub async fn clock(engine: Engine, ambient: Ambient, shutdown: Shutdown) {
    loop {
        let now = ambient.now();
        let next = engine.tick(now).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "the clock of the cases could not tick");
            None
        });
        let wait = next.map_or(LONGEST, |at| {
            Duration::from_millis(u64::try_from(at - now).unwrap_or(0)).min(LONGEST)
        });
        tokio::select! {
            () = tokio::time::sleep(wait.max(Duration::from_millis(200))) => {}
            () = shutdown.stopped() => return,
        }
    }
}

/// Removes what expired, in steps too small to be felt.
pub async fn prune(db: Db, ambient: Ambient, shutdown: Shutdown) {
    loop {
        let now = ambient.now();
        let removed = db.write::<_, StoreError, _>("prune", move |tx| {
            Box::pin(idp_store::prune::step(tx, now))
        });
        let removed = removed.await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "expired rows could not be removed");
            0
        });
        let wait = if removed > 0 { Duration::from_millis(100) } else { LONGEST * 10 };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.stopped() => return,
        }
    }
}
