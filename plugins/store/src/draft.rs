//! Forms not yet handed in, one a person and item.

use idp_store::{StoreError, Tx, args, statement};
use serde_json::Value as Json;

use crate::case::{opened, sealed};

/// A saved form.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Submitting it twice makes one case.
    pub transaction: String,
    /// As typed; sealed.
    pub form: Json,
    /// Milliseconds UTC.
    pub saved_at: i64,
}

statement!(
    SAVE,
    "insert into hall_draft (subject, item, transaction_id, form, saved_at)
     values ($1, $2, $3, $4, $5)
     on conflict (subject, item) do update set form = excluded.form, saved_at = excluded.saved_at"
);
statement!(
    LOAD,
    "select transaction_id, form, saved_at from hall_draft where subject = $1 and item = $2"
);
statement!(REMOVE, "delete from hall_draft where subject = $1 and item = $2");

const FORM: &str = "hall_draft.form";

/// Saves a form; an existing draft keeps its transaction.
///
/// # Errors
/// As the database says.
pub async fn save(tx: &mut Tx, subject: &str, item: &str, draft: &Draft) -> Result<(), StoreError> {
    let form = sealed(tx, FORM, &draft.form)?;
    let row = args![subject, item, &draft.transaction, form, draft.saved_at];
    tx.execute(&SAVE, row).await.map(drop)
}

/// The saved form.
///
/// # Errors
/// As the database says.
pub async fn load(tx: &mut Tx, subject: &str, item: &str) -> Result<Option<Draft>, StoreError> {
    let Some(row) = tx.optional(&LOAD, args![subject, item]).await? else { return Ok(None) };
    Ok(Some(Draft {
        transaction: row.text("transaction_id")?,
        form: opened(tx, FORM, &row.blob("form")?)?,
        saved_at: row.int("saved_at")?,
    }))
}

/// Forgets it.
///
/// # Errors
/// As the database says.
pub async fn remove(tx: &mut Tx, subject: &str, item: &str) -> Result<(), StoreError> {
    tx.execute(&REMOVE, args![subject, item]).await.map(drop)
}
