//! Refresh tokens: each is used once and names its successor.

use crate::{StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into refresh_token (id, secret_hash, grant_id, created_at, expires_at)
     values ($1, $2, $3, $4, $5)"
);
statement!(
    FIND,
    "select secret_hash, grant_id, expires_at, used_at, successor from refresh_token where id = $1"
);
statement!(
    USE,
    "update refresh_token set used_at = $2, successor = $3
     where id = $1 and used_at is null and expires_at > $2"
);
statement!(
    PRUNE,
    "delete from refresh_token where id in
     (select id from refresh_token where expires_at < $1 limit 200)"
);

/// A refresh token as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Digest of its secret.
    pub secret_hash: String,
    /// The grant that it refreshes.
    pub grant_id: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Milliseconds UTC; set once.
    pub used_at: Option<i64>,
    /// Row id of the token that replaced it.
    pub successor: Option<String>,
}

/// Writes a new token.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    id: &str,
    secret_hash: &str,
    grant_id: &str,
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    tx.execute(&CREATE, args![id, secret_hash, grant_id, now, expires_at]).await.map(drop)
}

/// A token, used or not.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Stored>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id]).await? else { return Ok(None) };
    Ok(Some(Stored {
        secret_hash: row.text("secret_hash")?,
        grant_id: row.text("grant_id")?,
        expires_at: row.int("expires_at")?,
        used_at: row.int_opt("used_at")?,
        successor: row.text_opt("successor")?,
    }))
}

/// Takes the token for the one rotation; of two parallel ones, one gets true.
///
/// # Errors
/// As the database says.
pub async fn rotate(tx: &mut Tx, id: &str, successor: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&USE, args![id, now, successor]).await? == 1)
}

/// Removes up to 200 tokens that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
