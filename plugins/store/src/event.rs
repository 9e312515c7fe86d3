//! Events of cases, in order: what a plugin hears and what the timeline shows.

use idp_store::{Row, StoreError, Tx, args, statement};
use serde_json::Value as Json;

use crate::case::{opened, sealed};

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseEvent {
    /// Position in the case, from 1.
    pub seq: i64,
    /// Kind of the contract.
    pub kind: String,
    /// Milliseconds UTC.
    pub at: i64,
    /// `citizen`, `officer:ID`, `rule`, `system` or `counterpart`.
    pub actor: String,
    /// Facts and sentences; sealed.
    pub payload: Json,
    /// Who told us, for what came from outside.
    pub source: Option<(String, String)>,
}

statement!(
    INSERT,
    "insert into case_event (number, seq, kind, at, actor, payload, source, source_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8)"
);
statement!(
    LIST,
    "select seq, kind, at, actor, payload, source, source_id from case_event
     where number = $1 order by seq"
);
statement!(
    FIND,
    "select seq, kind, at, actor, payload, source, source_id from case_event
     where number = $1 and seq = $2"
);
statement!(
    CALL,
    "insert into case_call (number, seq, n, function, record) values ($1, $2, $3, $4, $5)"
);

const PAYLOAD: &str = "case_event.payload";

/// Writes an event.
///
/// # Errors
/// [`StoreError::Conflict`] if the position or the source's id is taken.
pub async fn insert(tx: &mut Tx, number: &str, event: &CaseEvent) -> Result<(), StoreError> {
    let payload = sealed(tx, PAYLOAD, &event.payload)?;
    let (source, source_id) = event.source.clone().unzip();
    let row =
        args![number, event.seq, &event.kind, event.at, &event.actor, payload, source, source_id];
    tx.execute(&INSERT, row).await.map(drop)
}

fn read(tx: &Tx, row: &Row) -> Result<CaseEvent, StoreError> {
    Ok(CaseEvent {
        seq: row.int("seq")?,
        kind: row.text("kind")?,
        at: row.int("at")?,
        actor: row.text("actor")?,
        payload: opened(tx, PAYLOAD, &row.blob("payload")?)?,
        source: row.text_opt("source")?.zip(row.text_opt("source_id")?),
    })
}

/// All events of a case, oldest first.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx, number: &str) -> Result<Vec<CaseEvent>, StoreError> {
    let rows = tx.all(&LIST, args![number]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// One event.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, number: &str, seq: i64) -> Result<Option<CaseEvent>, StoreError> {
    let row = tx.optional(&FIND, args![number, seq]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// Keeps what the host answered to the plugin during an event, so that it can be replayed.
///
/// # Errors
/// As the database says.
pub async fn keep_call(
    tx: &mut Tx,
    number: &str,
    seq: i64,
    n: i64,
    function: &str,
    record: &Json,
) -> Result<(), StoreError> {
    let record = sealed(tx, "case_call.record", record)?;
    tx.execute(&CALL, args![number, seq, n, function, record]).await.map(drop)
}
