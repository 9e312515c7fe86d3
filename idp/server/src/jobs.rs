//! Background work that sleeps until something is due.

use std::time::Duration;

use idp_domain::ambient::Ambient;
use idp_store::{Db, StoreError};

use crate::listen::Shutdown;

/// Longest sleep: a clock that was set, or a node that died, is noticed after this.
const LONGEST: Duration = Duration::from_secs(60);
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
