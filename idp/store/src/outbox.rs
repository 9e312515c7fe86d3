//! Effects on their way outside: messages, parcels, money.
//!
//! `pending → sending (lease) → sent | unknown | failed | dead`. A row is written in the
//! transaction of what caused it and carried by the worker in plugins/engine. The same key with
//! other content is refused: at most one effect outside a key.

use serde_json::Value as Json;

use crate::{Row, StoreError, Tx, args, statement};

/// Who carries an effect: notices to partners, whose servers answer slowly or not at all, keep no
/// message and no parcel waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// To the house's own counterparts.
    House,
    /// To partners' servers.
    Notices,
}

/// An effect to be carried out under a key.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Row id, time-ordered.
    pub id: String,
    /// The key that the counterpart sees.
    pub key: String,
    /// `sms`, `express`, `payment`.
    pub interface: &'static str,
    /// What it belongs to: a case's number, or none.
    pub subject: Option<String>,
    /// What the counterpart is asked for; sealed.
    pub arguments: Json,
    /// Milliseconds UTC.
    pub at: i64,
}

/// A row that the worker holds under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Row id.
    pub id: String,
    /// The key that the counterpart sees.
    pub key: String,
    /// As [`Entry::interface`].
    pub interface: String,
    /// As [`Entry::subject`].
    pub subject: Option<String>,
    /// As [`Entry::arguments`].
    pub arguments: Json,
    /// The state before the claim: `pending`, `sending` (an expired lease: nobody knows) or
    /// `unknown`.
    pub state: String,
    /// Attempts before this one.
    pub attempts: i64,
    /// When the lease ends; settling names it, so that a late worker cannot overwrite.
    pub lease_until: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// Done, with the counterpart's answer.
    Sent(Json),
    /// Refused for good.
    Failed(String),
    /// Nobody knows: ask again at this time.
    Unknown(i64, String),
    /// It did not leave: send at this time.
    Again(i64, String),
    /// Given up; an operator must look.
    Dead(String),
}

statement!(
    ENQUEUE,
    "insert into outbox (id, key, interface, subject, arguments, fingerprint, state, next_at,
     created_at) values ($1, $2, $3, $4, $5, $6, 'pending', $7, $7) on conflict (key) do nothing"
);
statement!(FINGERPRINT, "select fingerprint from outbox where key = $1");
statement!(
    DUE,
    "select id, key, interface, subject, arguments, state, attempts from outbox
     where state in ('pending', 'sending', 'unknown') and next_at <= $1 and lease_until <= $1
     and interface not in ('backchannel-logout', 'ciba-ping') order by next_at limit $2",
    // Several workers must not wait for each other's rows.
    postgres: "select id, key, interface, subject, arguments, state, attempts from outbox
     where state in ('pending', 'sending', 'unknown') and next_at <= $1 and lease_until <= $1
     and interface not in ('backchannel-logout', 'ciba-ping')
     order by next_at limit $2 for update skip locked"
);
statement!(
    DUE_NOTICES,
    "select id, key, interface, subject, arguments, state, attempts from outbox
     where state in ('pending', 'sending', 'unknown') and next_at <= $1 and lease_until <= $1
     and interface in ('backchannel-logout', 'ciba-ping') order by next_at limit $2",
    postgres: "select id, key, interface, subject, arguments, state, attempts from outbox
     where state in ('pending', 'sending', 'unknown') and next_at <= $1 and lease_until <= $1
     and interface in ('backchannel-logout', 'ciba-ping')
     order by next_at limit $2 for update skip locked"
);
statement!(
    CLAIM,
    "update outbox set state = case when state = 'unknown' then 'unknown' else 'sending' end,
     lease_until = $2, attempts = attempts + 1 where id = $1"
);
statement!(
    SETTLE,
    "update outbox set state = $3, answer = $4, problem = $5, next_at = $6, lease_until = 0,
     settled_at = $7 where id = $1 and lease_until = $2"
);
statement!(
    NEXT,
    "select min(case when lease_until > next_at then lease_until else next_at end) as at
     from outbox where state in ('pending', 'sending', 'unknown')
     and interface not in ('backchannel-logout', 'ciba-ping')"
);
statement!(
    NEXT_NOTICE,
    "select min(case when lease_until > next_at then lease_until else next_at end) as at
     from outbox where state in ('pending', 'sending', 'unknown')
     and interface in ('backchannel-logout', 'ciba-ping')"
);
statement!(
    RELEASE,
    "update outbox set lease_until = 0
     where state in ('pending', 'sending', 'unknown') and lease_until > 0"
);
statement!(COUNTS, "select interface, state, count(*) as n from outbox group by interface, state");
statement!(
    OLDEST,
    "select min(created_at) as at from outbox where state in ('pending', 'sending', 'unknown')"
);
statement!(FIND, "select state, answer, problem from outbox where key = $1");
statement!(
    STUCK,
    "select id, interface, subject, state, attempts, problem, created_at, next_at from outbox
     where state in ('failed', 'dead') or (state in ('pending', 'unknown') and attempts > 0)
     order by id desc limit $1"
);
// What was being sent when it was given up may have arrived: only what may be sent twice is
// begun anew.
statement!(
    REVIVE,
    "update outbox set state = 'pending', attempts = 0, next_at = $2, settled_at = null
     where id = $1 and state in ('failed', 'dead')
     and interface in ('backchannel-logout', 'ciba-ping', 'sms')"
);

fn fingerprint(tx: &Tx, entry: &Entry) -> String {
    // Keyed, because arguments hold phone numbers that a plain digest would give away.
    tx.vault().blind("outbox.fingerprint", &format!("{} {}", entry.interface, entry.arguments))
}

/// Writes an effect. The same key with the same content is one effect.
///
/// # Errors
/// [`StoreError::Conflict`] for a used key with other content.
pub async fn enqueue(tx: &mut Tx, entry: Entry) -> Result<(), StoreError> {
    let print = fingerprint(tx, &entry);
    let sealed = tx.vault().seal("outbox.arguments", entry.arguments.to_string())?;
    let row = args![entry.id, &entry.key, entry.interface, entry.subject, sealed, &print, entry.at];
    if tx.execute(&ENQUEUE, row).await? == 0 {
        let known = tx.one(&FINGERPRINT, args![&entry.key]).await?.text("fingerprint")?;
        if known != print {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

/// Writes an effect that the caller carries out itself right after it is committed; from
/// `now + lease` milliseconds on, the worker takes it up.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_held(tx: &mut Tx, entry: Entry, lease: i64) -> Result<Claimed, StoreError> {
    let lease_until = entry.at + lease;
    let claimed = Claimed {
        id: entry.id.clone(),
        key: entry.key.clone(),
        interface: entry.interface.to_owned(),
        subject: entry.subject.clone(),
        arguments: entry.arguments.clone(),
        state: "pending".to_owned(),
        attempts: 0,
        lease_until,
    };
    enqueue(tx, entry).await?;
    tx.execute(&CLAIM, args![&claimed.id, lease_until]).await?;
    Ok(claimed)
}

/// Takes up to `limit` due rows of a lane under a lease of `lease` milliseconds.
///
/// # Errors
/// As the database says.
pub async fn claim(
    tx: &mut Tx,
    lane: Lane,
    now: i64,
    lease: i64,
    limit: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let due = if lane == Lane::House { &DUE } else { &DUE_NOTICES };
    let rows = tx.all(due, args![now, limit]).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.text("id")?;
        tx.execute(&CLAIM, args![&id, now + lease]).await?;
        claimed.push(opened(tx, &row, id, now + lease)?);
    }
    Ok(claimed)
}

fn opened(tx: &Tx, row: &Row, id: String, lease_until: i64) -> Result<Claimed, StoreError> {
    let arguments = tx.vault().open("outbox.arguments", &row.blob("arguments")?)?;
    Ok(Claimed {
        id,
        key: row.text("key")?,
        interface: row.text("interface")?,
        subject: row.text_opt("subject")?,
        arguments: serde_json::from_slice(&arguments)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        state: row.text("state")?,
        attempts: row.int("attempts")?,
        lease_until,
    })
}

/// Records how an attempt ended; false if the lease was lost in between.
///
/// # Errors
/// As the database says.
pub async fn settle(
    tx: &mut Tx,
    claimed: &Claimed,
    now: i64,
    settled: &Settled,
) -> Result<bool, StoreError> {
    let (state, answer, problem, next_at, done) = match settled {
        Settled::Sent(answer) => ("sent", Some(answer.to_string()), None, 0, Some(now)),
        Settled::Failed(code) => ("failed", None, Some(code.as_str()), 0, Some(now)),
        Settled::Unknown(at, code) => ("unknown", None, Some(code.as_str()), *at, None),
        Settled::Again(at, code) => ("pending", None, Some(code.as_str()), *at, None),
        Settled::Dead(code) => ("dead", None, Some(code.as_str()), 0, Some(now)),
    };
    let answer = answer.map(|text| tx.vault().seal("outbox.answer", text)).transpose()?;
    let row = args![&claimed.id, claimed.lease_until, state, answer, problem, next_at, done];
    Ok(tx.execute(&SETTLE, row).await? == 1)
}

/// Ends every lease, for a deployment of one node that starts: whoever held one is dead. The rows
/// keep their state, so that what was being sent is asked for first. Returns how many were held.
///
/// # Errors
/// As the database says.
pub async fn release(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.execute(&RELEASE, args![]).await
}

/// When the worker has to look at a lane again, milliseconds UTC; none if nothing waits.
///
/// # Errors
/// As the database says.
pub async fn next_at(tx: &mut Tx, lane: Lane) -> Result<Option<i64>, StoreError> {
    let next = if lane == Lane::House { &NEXT } else { &NEXT_NOTICE };
    tx.one(next, args![]).await?.int_opt("at")
}

/// Rows by interface and state.
///
/// # Errors
/// As the database says.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, String, i64)>, StoreError> {
    let rows = tx.all(&COUNTS, args![]).await?;
    rows.iter().map(|row| Ok((row.text("interface")?, row.text("state")?, row.int("n")?))).collect()
}

/// When the effect was asked for that waits longest, milliseconds UTC; none if none waits.
///
/// # Errors
/// As the database says.
pub async fn oldest(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    tx.one(&OLDEST, args![]).await?.int_opt("at")
}

/// Effects that did not reach their counterpart: given up or refused, and those that are tried
/// again and have failed at least once. Newest first; nothing of their arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Row id.
    pub id: String,
    /// As [`Entry::interface`].
    pub interface: String,
    /// As [`Entry::subject`].
    pub subject: Option<String>,
    /// `pending`, `unknown`, `failed` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// What the last try met.
    pub problem: Option<String>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// When it is tried again, milliseconds UTC; 0 if never.
    pub next_at: i64,
}

/// [`Stuck`] effects, up to `limit`.
///
/// # Errors
/// As the database says.
pub async fn stuck(tx: &mut Tx, limit: u32) -> Result<Vec<Stuck>, StoreError> {
    let rows = tx.all(&STUCK, args![limit]).await?;
    let read = |row: &Row| {
        Ok(Stuck {
            id: row.text("id")?,
            interface: row.text("interface")?,
            subject: row.text_opt("subject")?,
            state: row.text("state")?,
            attempts: row.int("attempts")?,
            problem: row.text_opt("problem")?,
            created_at: row.int("created_at")?,
            next_at: row.int("next_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Lets the worker try an effect once more that was given up or refused; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn revive(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&REVIVE, args![id, now]).await? == 1)
}

/// State, answer and problem of a key.
///
/// # Errors
/// As the database says.
pub async fn find(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<(String, Option<Json>, Option<String>)>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![key]).await? else { return Ok(None) };
    let answer = match row.blob_opt("answer")? {
        Some(sealed) => serde_json::from_slice(&tx.vault().open("outbox.answer", &sealed)?).ok(),
        None => None,
    };
    Ok(Some((row.text("state")?, answer, row.text_opt("problem")?)))
}
