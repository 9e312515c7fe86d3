//! What waits to be applied to cases: notices and answers are stored first, then applied once.

use idp_store::{Row, StoreError, Tx, args, statement};
use serde_json::Value as Json;

use crate::case::{opened, sealed};

/// Something that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Row id, time-ordered.
    pub id: String,
    /// Who told us: `engine`, `payment`, `express`, `outbox`.
    pub source: String,
    /// Their id: the same one twice is one.
    pub source_id: String,
    /// The case.
    pub number: String,
    /// What it is: a kind of event, or `turn`.
    pub kind: String,
    /// Sealed.
    pub payload: Json,
    /// Attempts so far.
    pub tries: i64,
}

statement!(
    INSERT,
    "insert into hall_inbox (id, source, source_id, number, kind, payload, state, next_at,
     created_at) values ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
     on conflict (source, source_id) do nothing"
);
statement!(
    DUE,
    "select id, source, source_id, number, kind, payload, tries from hall_inbox
     where state = 'waiting' and next_at <= $1 order by next_at, id limit $2"
);
statement!(DONE, "update hall_inbox set state = 'applied' where id = $1 and state = 'waiting'");
statement!(
    POSTPONE,
    "update hall_inbox set tries = tries + 1, next_at = $2 where id = $1 and state = 'waiting'"
);
statement!(NEXT, "select min(next_at) as at from hall_inbox where state = 'waiting'");
statement!(CASE_OF, "select subject from outbox where key = $1");

const PAYLOAD: &str = "hall_inbox.payload";

/// Stores it; false if it was told before.
///
/// # Errors
/// As the database says.
pub async fn insert(tx: &mut Tx, waiting: &Waiting, at: i64) -> Result<bool, StoreError> {
    let payload = sealed(tx, PAYLOAD, &waiting.payload)?;
    let row = args![
        &waiting.id,
        &waiting.source,
        &waiting.source_id,
        &waiting.number,
        &waiting.kind,
        payload,
        at
    ];
    Ok(tx.execute(&INSERT, row).await? == 1)
}

fn read(tx: &Tx, row: &Row) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        id: row.text("id")?,
        source: row.text("source")?,
        source_id: row.text("source_id")?,
        number: row.text("number")?,
        kind: row.text("kind")?,
        payload: opened(tx, PAYLOAD, &row.blob("payload")?)?,
        tries: row.int("tries")?,
    })
}

/// What is due, the oldest first.
///
/// # Errors
/// As the database says.
pub async fn due(tx: &mut Tx, now: i64, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    let rows = tx.all(&DUE, args![now, limit]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Marks it as applied, in the transaction that applies it; false if somebody was first.
///
/// # Errors
/// As the database says.
pub async fn done(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&DONE, args![id]).await? == 1)
}

/// Tries again later.
///
/// # Errors
/// As the database says.
pub async fn postpone(tx: &mut Tx, id: &str, at: i64) -> Result<(), StoreError> {
    tx.execute(&POSTPONE, args![id, at]).await.map(drop)
}

/// When something is due next.
///
/// # Errors
/// As the database says.
pub async fn next_at(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    tx.one(&NEXT, args![]).await?.int_opt("at")
}

/// The case to which an effect belongs.
///
/// # Errors
/// As the database says.
pub async fn case_of(tx: &mut Tx, key: &str) -> Result<Option<String>, StoreError> {
    let row = tx.optional(&CASE_OF, args![key]).await?;
    row.map_or(Ok(None), |row| row.text_opt("subject"))
}
