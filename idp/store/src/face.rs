//! Face checks of a step-up: which person a check was opened for, and whether it served.

use crate::{StoreError, Tx, args, statement};

/// A check that is open.
#[derive(Debug, Clone)]
pub struct FaceCheck {
    /// Our reference.
    pub id: String,
    /// For whom it was opened.
    pub person_id: String,
    /// The counterpart's id of it.
    pub counterpart_id: String,
    /// The flow that it belongs to, if any.
    pub flow: Option<String>,
}

statement!(
    CREATE,
    "insert into face_check (id, person_id, counterpart_id, state, flow, created_at, expires_at)
     values ($1, $2, $3, 'open', $4, $5, $6)"
);
statement!(
    FIND,
    "select id, person_id, counterpart_id, flow from face_check
     where id = $1 and person_id = $2 and state = 'open' and expires_at > $3
     and counterpart_id is not null"
);
statement!(
    SETTLE,
    "update face_check set state = $3 where id = $1 and person_id = $2 and state = 'open'"
);
statement!(
    PRUNE,
    "delete from face_check where id in (select id from face_check where expires_at < $1 limit 200)"
);

/// Keeps an opened check.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    check: &FaceCheck,
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    let row = args![
        &check.id,
        &check.person_id,
        &check.counterpart_id,
        check.flow.clone(),
        now,
        expires_at
    ];
    tx.execute(&CREATE, row).await?;
    Ok(())
}

/// An open check of this person; another person's is not found.
///
/// # Errors
/// As the database says.
pub async fn find(
    tx: &mut Tx,
    id: &str,
    person: &str,
    now: i64,
) -> Result<Option<FaceCheck>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id, person, now]).await? else { return Ok(None) };
    Ok(Some(FaceCheck {
        id: row.text("id")?,
        person_id: row.text("person_id")?,
        counterpart_id: row.text("counterpart_id")?,
        flow: row.text_opt("flow")?,
    }))
}

/// Ends a check as `matched` or `failed`; false if it had ended: one check raises a level once.
///
/// # Errors
/// As the database says.
pub async fn settle(
    tx: &mut Tx,
    id: &str,
    person: &str,
    matched: bool,
) -> Result<bool, StoreError> {
    let state = if matched { "matched" } else { "failed" };
    Ok(tx.execute(&SETTLE, args![id, person, state]).await? == 1)
}

/// Deletes up to 200 checks that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
