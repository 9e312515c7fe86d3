//! Counters of tries in windows of time (attacks rows 27, 28, 30). A key is a keyed digest, so
//! that the table names no phone and no number.

use crate::{StoreError, Tx, args, statement};

/// One limit: so many tries in so long a window for one subject.
#[derive(Debug, Clone)]
pub struct Limit {
    /// What is counted, such as `signin.network`.
    pub scope: &'static str,
    /// Whose tries; digested before it is kept.
    pub subject: String,
    /// How many tries a window holds.
    pub tries: i64,
    /// Length of the window in milliseconds.
    pub window: i64,
}

/// A limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Which.
    pub scope: &'static str,
    /// When its window ends, milliseconds UTC.
    pub until: i64,
}

statement!(
    COUNT,
    "insert into throttle (key, tries, window_end) values ($1, 1, $2)
     on conflict (key) do update set
       tries = case when throttle.window_end <= $3 then 1 else throttle.tries + 1 end,
       window_end = case when throttle.window_end <= $3 then excluded.window_end
                         else throttle.window_end end
     returning tries, window_end"
);
statement!(
    RELEASE,
    "update throttle set tries = tries - 1 where key = $1 and tries > 0 and window_end > $2"
);
statement!(CLEAR, "delete from throttle where key = $1");
statement!(
    PRUNE,
    "delete from throttle where key in (select key from throttle where window_end < $1 limit 200)"
);

fn key(tx: &Tx, limit: &Limit) -> String {
    tx.vault().blind("throttle", &format!("{} {}", limit.scope, limit.subject))
}

/// Counts one try against each limit; the first that is passed, if any. Counting comes before
/// the work that it guards, so that parallel tries cannot slip through.
///
/// # Errors
/// As the database says.
pub async fn count(tx: &mut Tx, limits: &[Limit], now: i64) -> Result<Option<Passed>, StoreError> {
    let mut passed = None;
    for limit in limits {
        let key = key(tx, limit);
        let row = tx.one(&COUNT, args![key, now + limit.window, now]).await?;
        if row.int("tries")? > limit.tries && passed.is_none() {
            passed = Some(Passed { scope: limit.scope, until: row.int("window_end")? });
        }
    }
    Ok(passed)
}

/// Takes one try back: it was no attack, or the counterpart was to blame.
///
/// # Errors
/// As the database says.
pub async fn release(tx: &mut Tx, limits: &[Limit], now: i64) -> Result<(), StoreError> {
    for limit in limits {
        let key = key(tx, limit);
        tx.execute(&RELEASE, args![key, now]).await?;
    }
    Ok(())
}

/// Forgets the tries against a limit.
///
/// # Errors
/// As the database says.
pub async fn clear(tx: &mut Tx, limit: &Limit) -> Result<(), StoreError> {
    let key = key(tx, limit);
    tx.execute(&CLEAR, args![key]).await?;
    Ok(())
}

/// Deletes up to 200 counters whose window ended before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
