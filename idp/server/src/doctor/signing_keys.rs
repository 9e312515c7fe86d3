//! The age of the keys that sign: the same words before a start and while it runs.

use idp_domain::key::Stage;
use idp_store::key::{self, Stored};
use idp_store::{Db, StoreError};

use super::{Check, DAY, connect, finding, ok};
use crate::ambient;
use crate::config::Config;

/// Older keys are due to be rotated, where there is no schedule.
const KEY_AGE: i64 = 400 * DAY;
/// A schedule that is late by this is not kept.
const KEY_LATE: i64 = DAY;

/// Of a deployment that may not run. None where there is nothing to say: a database that does not
/// answer is a finding of its own, and one that was never started has no keys yet.
pub(crate) async fn standing(config: &Config) -> Option<Check> {
    let db = connect(config).await.ok()?;
    match list(&db).await {
        Ok(keys) if keys.is_empty() => None,
        Ok(keys) => Some(judged(config, &keys, ambient::system().now())),
        Err(StoreError::Database(_)) => None,
        Err(cause) => Some(finding("keys", cause.to_string())),
    }
}

/// Of a running deployment.
///
/// # Errors
/// As the database says.
pub(super) async fn running(config: &Config, db: &Db, now: i64) -> Result<Check, StoreError> {
    Ok(judged(config, &list(db).await?, now))
}

async fn list(db: &Db) -> Result<Vec<Stored>, StoreError> {
    db.read::<_, StoreError, _>("keys", |tx| Box::pin(key::list(tx))).await
}

fn judged(config: &Config, keys: &[Stored], now: i64) -> Check {
    let Ok(settings) = crate::app::web_settings(config) else {
        return finding("keys", "the configuration does not hold together: `tongban check`");
    };
    let schedule = settings.keys();
    let allowed = match schedule.rotate_after {
        0 => KEY_AGE,
        after => after + KEY_LATE,
    };
    let mut active =
        keys.iter().filter(|key| key.life.stage(now, schedule.overlap) == Stage::Active);
    // One that has a successor is being rotated.
    let old = |key: &&Stored| key.life.signs_until.is_none() && key.life.signs_from + allowed < now;
    if let Some(old) = active.clone().find(old) {
        let days = (now - old.life.signs_from) / DAY;
        let (kid, algorithm) = (&old.kid, &old.algorithm);
        return finding(
            "keys",
            format!(
                "the key {kid} is in use for {days} days.\nhint: `tongban key rotate --algorithm {algorithm}`"
            ),
        );
    }
    if active.next().is_none() {
        return finding("keys", "no key signs.\nhint: starting `tongban serve` makes the first");
    }
    ok("keys", "the master secret opens the signing keys")
}
