//! Whose pairwise subject is whose.

use crate::{StoreError, Tx, args, statement};

statement!(
    REMEMBER,
    "insert into subject (sector, sub, person_id, created_at) values ($1, $2, $3, $4)
     on conflict (sector, sub) do nothing"
);
statement!(PERSON, "select person_id from subject where sector = $1 and sub = $2");

/// Remembers a subject that a partner has been told.
///
/// # Errors
/// As the database says.
pub async fn remember(
    tx: &mut Tx,
    sector: &str,
    sub: &str,
    person: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(&REMEMBER, args![sector, sub, person, now]).await.map(drop)
}

/// The person behind a subject of a sector.
///
/// # Errors
/// As the database says.
pub async fn person(tx: &mut Tx, sector: &str, sub: &str) -> Result<Option<String>, StoreError> {
    tx.optional(&PERSON, args![sector, sub]).await?.map(|row| row.text("person_id")).transpose()
}
