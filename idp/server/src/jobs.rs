//! Background work that sleeps until something is due.

use std::path::PathBuf;
use std::time::Duration;

use idp_domain::ambient::Ambient;
use idp_store::{Db, StoreError, prune};

use crate::checkpoint::{self, Outcome};
use crate::listen::Shutdown;

/// Longest sleep: a clock that was set, or a node that died, is noticed after this.
const LONGEST: Duration = Duration::from_secs(60);
/// Between two steps of the sweep: whoever waits for the writer has it first.
const BETWEEN: Duration = Duration::from_millis(20);

/// Removes what expired, a table and at most 200 rows a unit of work: nobody feels it. A table
/// that had something is asked again in the next round at once.
pub async fn prune(db: Db, ambient: Ambient, shutdown: Shutdown) {
    loop {
        let mut round = 0;
        for step in 0.. {
            let now = ambient.now();
            let removed = db
                .write::<_, StoreError, _>("prune", move |tx| Box::pin(prune::step(tx, step, now)));
            match removed.await {
                Ok(Some(0)) => {}
                Ok(Some(removed)) => {
                    round += removed;
                    if shutdown.comes_within(BETWEEN).await {
                        return;
                    }
                }
                Ok(None) => break,
                // Whatever is wrong is so for the other tables, too: the next round tries again.
                Err(cause) => {
                    tracing::error!(%cause, step, "expired rows could not be removed");
                    round = 0;
                    break;
                }
            }
        }
        if round == 0 && shutdown.comes_within(LONGEST * 10).await {
            return;
        }
    }
}

/// Lets keys age: successors, retirement, removal (attacks row 47). Every node does this; the
/// database decides which of them makes a change.
pub async fn keys(web: idp_web::State, shutdown: Shutdown) {
    let schedule = web.settings.keys();
    loop {
        match idp_web::keys::upkeep(&web.db, &web.ambient, schedule).await {
            Ok(changes) => {
                for change in changes {
                    let idp_web::keys::Changed { kid, algorithm, what } = change;
                    metrics::counter!("tongban_key_changes_total", "change" => what).increment(1);
                    tracing::info!(kid, algorithm, what, "a key changed");
                }
            }
            Err(cause) => tracing::error!(%cause, "the keys could not be looked after"),
        }
        if let Ok(all) = idp_web::keys::list(&web.db, &web.ambient, schedule).await {
            for key in all.into_iter().filter(|key| key.active) {
                let age = std::time::Duration::from_millis(
                    u64::try_from(web.now() - key.signs_from).unwrap_or(0),
                );
                metrics::gauge!("tongban_key_age_seconds", "algorithm" => key.algorithm)
                    .set(age.as_secs_f64());
            }
        }
        if shutdown.comes_within(LONGEST).await {
            return;
        }
    }
}

/// Seals the audit trail at every interval. A trail that the last checkpoint contradicts is told
/// every time, and its checkpoint is kept: it is the evidence.
pub async fn seal(db: Db, ambient: Ambient, path: PathBuf, interval: Duration, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shutdown.stopped() => return,
        }
        match checkpoint::write(&db, &path, ambient.now()).await {
            Ok(Outcome::Holds(_)) => {}
            Ok(Outcome::Broken(broken)) => {
                let idp_store::audit::Broken { person_id, n, fault } = broken;
                tracing::error!(person_id, n, fault, "the audit trail was tampered with");
            }
            Err(cause) => tracing::error!(%cause, "the audit trail's checkpoint failed"),
        }
    }
}
