//! Authorization codes: one row each, consumed by one conditional update.

use crate::{StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into code (id, secret_hash, grant_id, client_id, redirect_uri, challenge, nonce,
     expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)"
);
statement!(
    FIND,
    "select secret_hash, grant_id, client_id, redirect_uri, challenge, nonce, expires_at, used_at
     from code where id = $1"
);
statement!(
    CONSUME,
    "update code set used_at = $2
     where id = $1 and client_id = $3 and used_at is null and expires_at > $2"
);
statement!(
    PRUNE,
    "delete from code where id in (select id from code where expires_at < $1 limit 200)"
);

/// A code as stored.
#[derive(Debug, Clone)]
pub struct Code {
    /// Row id.
    pub id: String,
    /// Digest of its secret.
    pub secret_hash: String,
    /// What it redeems.
    pub grant_id: String,
    /// Whom it was made for.
    pub client_id: String,
    /// The redirect URI, where the request named one: the token request must name the same.
    pub redirect_uri: Option<String>,
    /// PKCE.
    pub challenge: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Milliseconds UTC; set once.
    pub used_at: Option<i64>,
}

/// Writes a new code.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, code: &Code) -> Result<(), StoreError> {
    let row = args![
        &code.id,
        &code.secret_hash,
        &code.grant_id,
        &code.client_id,
        code.redirect_uri.as_deref(),
        code.challenge.as_deref(),
        code.nonce.as_deref(),
        code.expires_at
    ];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A code, used or not.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Code>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id]).await? else { return Ok(None) };
    Ok(Some(Code {
        id: id.to_owned(),
        secret_hash: row.text("secret_hash")?,
        grant_id: row.text("grant_id")?,
        client_id: row.text("client_id")?,
        redirect_uri: row.text_opt("redirect_uri")?,
        challenge: row.text_opt("challenge")?,
        nonce: row.text_opt("nonce")?,
        expires_at: row.int("expires_at")?,
        used_at: row.int_opt("used_at")?,
    }))
}

/// Takes the code for the one redemption: of two parallel ones, one gets true (attacks row 2).
///
/// # Errors
/// As the database says.
pub async fn consume(tx: &mut Tx, id: &str, client_id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSUME, args![id, now, client_id]).await? == 1)
}

/// Removes up to 200 codes that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
