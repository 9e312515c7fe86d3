//! Background work that sleeps until something is due.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

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

/// How long a process that starts waits for its first seal: the interval counts from the last one,
/// or a server that is restarted often never seals. `now` is milliseconds UTC.
fn due(path: &Path, now: i64, interval: Duration) -> Duration {
    let sealed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let sealed = sealed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let now = Duration::from_millis(u64::try_from(now).unwrap_or(0));
    let age = sealed.map_or(interval, |at| now.saturating_sub(at));
    interval.saturating_sub(age).max(LONGEST.min(interval))
}

/// Seals the audit trail at every interval. A trail that the last checkpoint contradicts is told
/// every time, and its checkpoint is kept: it is the evidence.
pub async fn seal(db: Db, ambient: Ambient, path: PathBuf, interval: Duration, shutdown: Shutdown) {
    let mut wait = due(&path, ambient.now(), interval);
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.stopped() => return,
        }
        wait = interval;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_restarted_often_seals_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.checkpoint");
        let (now, hour) = (1_900_000_000_000, Duration::from_secs(3600));
        let sealed = |minutes: u64| {
            let file = std::fs::File::create(&path).unwrap();
            let ago = Duration::from_secs(60 * minutes);
            let now = Duration::from_millis(u64::try_from(now).unwrap());
            file.set_modified(UNIX_EPOCH + now - ago).unwrap();
        };
        // Never sealed: once it runs.
        assert_eq!(due(&path, now, hour), LONGEST);
        for (minutes, wait) in [(0, 60), (50, 10), (59, 1), (60, 1), (100_000, 1)] {
            sealed(minutes);
            assert_eq!(due(&path, now, hour), Duration::from_secs(60 * wait), "{minutes}");
        }
        // A clock that was set back.
        assert_eq!(due(&path, 0, hour), hour);
    }
}
