//! Families of refresh tokens: one row a family. A rotation replaces the secret and remembers the
//! digest of the one before, so that a retry can be told from a reuse.

use crate::{StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into refresh_token (id, secret_hash, grant_id, created_at, rotated_at, expires_at, jkt)
     values ($1, $2, $3, $4, $4, $5, $6)"
);
statement!(
    FIND,
    "select secret_hash, previous_hash, grant_id, rotated_at, expires_at, jkt from refresh_token
     where id = $1"
);
statement!(
    ROTATE,
    "update refresh_token set previous_hash = secret_hash, secret_hash = $3, rotated_at = $4
     where id = $1 and secret_hash = $2 and expires_at > $4"
);
statement!(
    PRUNE,
    "delete from refresh_token where id in
     (select id from refresh_token where expires_at < $1 limit 200)"
);

/// A family as stored.
#[derive(Debug, Clone)]
pub struct Family {
    /// Digest of the current secret.
    pub secret_hash: String,
    /// Digest of the secret before the last rotation.
    pub previous_hash: Option<String>,
    /// The grant that it refreshes.
    pub grant_id: String,
    /// When it last rotated, milliseconds UTC.
    pub rotated_at: i64,
    /// Milliseconds UTC; no rotation moves it (attacks row 10).
    pub expires_at: i64,
    /// Thumbprint of the key to which it is bound (RFC 9449 §5).
    pub jkt: Option<String>,
}

/// Writes a new family.
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
    jkt: Option<&str>,
) -> Result<(), StoreError> {
    let row = args![id, secret_hash, grant_id, now, expires_at, jkt];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A family, expired or not.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Family>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id]).await? else { return Ok(None) };
    Ok(Some(Family {
        secret_hash: row.text("secret_hash")?,
        previous_hash: row.text_opt("previous_hash")?,
        grant_id: row.text("grant_id")?,
        rotated_at: row.int("rotated_at")?,
        expires_at: row.int("expires_at")?,
        jkt: row.text_opt("jkt")?,
    }))
}

/// Replaces the secret whose digest is `from`; of two parallel rotations, one gets true.
///
/// # Errors
/// As the database says.
pub async fn rotate(
    tx: &mut Tx,
    id: &str,
    from: &str,
    to: &str,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&ROTATE, args![id, from, to, now]).await? == 1)
}

/// Removes up to 200 families that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
