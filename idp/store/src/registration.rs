//! Partners that register themselves (RFC 7591, RFC 7592): what they may begin with, and what they
//! manage themselves by.

use crate::{Row, StoreError, Tx, args, statement};

statement!(
    MANAGE,
    "insert into client_management (client_id, secret_hash, vouched, created_at)
     values ($1, $2, $3, $4)"
);
statement!(
    MANAGED,
    "select m.secret_hash, m.vouched, m.created_at from client_management m
     join client c on c.client_id = m.client_id
     where m.client_id = $1 and c.disabled_at is null"
);
statement!(FORGET, "delete from client_management where client_id = $1");
statement!(
    ADD_TOKEN,
    "insert into initial_access_token (id, secret_hash, uses, created_at, expires_at)
     values ($1, $2, $3, $4, $5)"
);
statement!(
    FIND_TOKEN,
    "select id, secret_hash, uses, created_at, expires_at from initial_access_token
     where id = $1 and uses > 0 and expires_at > $2"
);
statement!(
    USE_TOKEN,
    "update initial_access_token set uses = uses - 1
     where id = $1 and secret_hash = $2 and uses > 0 and expires_at > $3"
);
statement!(
    LIST_TOKENS,
    "select id, secret_hash, uses, created_at, expires_at from initial_access_token
     where uses > 0 and expires_at > $1 order by id"
);
statement!(REMOVE_TOKEN, "delete from initial_access_token where id = $1");
statement!(
    PRUNE,
    "delete from initial_access_token where id in
     (select id from initial_access_token where expires_at < $1 limit 200)"
);

/// What a partner that registered itself is managed by.
#[derive(Debug, Clone)]
pub struct Managed {
    /// Digest of its registration access token.
    pub secret_hash: String,
    /// It had an initial access token.
    pub vouched: bool,
    /// Milliseconds UTC.
    pub created_at: i64,
}

/// An initial access token that can still be used.
#[derive(Debug, Clone)]
pub struct InitialToken {
    /// Row id.
    pub id: String,
    /// Digest of its secret.
    pub secret_hash: String,
    /// Registrations that are left.
    pub uses: i64,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

fn token(row: &Row) -> Result<InitialToken, StoreError> {
    Ok(InitialToken {
        id: row.text("id")?,
        secret_hash: row.text("secret_hash")?,
        uses: row.int("uses")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

/// Lets a partner manage itself.
///
/// # Errors
/// As the database says.
pub async fn manage(tx: &mut Tx, client_id: &str, by: &Managed) -> Result<(), StoreError> {
    let row = args![client_id, &by.secret_hash, by.vouched, by.created_at];
    tx.execute(&MANAGE, row).await.map(drop)
}

/// What a partner is managed by; none for those of the operator's making, and for those that the
/// operator has disabled (attacks row 38).
///
/// # Errors
/// As the database says.
pub async fn managed(tx: &mut Tx, client_id: &str) -> Result<Option<Managed>, StoreError> {
    let Some(row) = tx.optional(&MANAGED, args![client_id]).await? else { return Ok(None) };
    Ok(Some(Managed {
        secret_hash: row.text("secret_hash")?,
        vouched: row.int("vouched")? == 1,
        created_at: row.int("created_at")?,
    }))
}

/// Forgets what a partner was managed by.
///
/// # Errors
/// As the database says.
pub async fn forget(tx: &mut Tx, client_id: &str) -> Result<(), StoreError> {
    tx.execute(&FORGET, args![client_id]).await.map(drop)
}

/// Keeps a new initial access token.
///
/// # Errors
/// As the database says.
pub async fn add_token(tx: &mut Tx, new: &InitialToken) -> Result<(), StoreError> {
    let row = args![&new.id, &new.secret_hash, new.uses, new.created_at, new.expires_at];
    tx.execute(&ADD_TOKEN, row).await.map(drop)
}

/// An initial access token that can still be used.
///
/// # Errors
/// As the database says.
pub async fn find_token(
    tx: &mut Tx,
    id: &str,
    now: i64,
) -> Result<Option<InitialToken>, StoreError> {
    tx.optional(&FIND_TOKEN, args![id, now]).await?.as_ref().map(token).transpose()
}

/// Uses it once; false if nothing was left of it.
///
/// # Errors
/// As the database says.
pub async fn use_token(
    tx: &mut Tx,
    id: &str,
    secret_hash: &str,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&USE_TOKEN, args![id, secret_hash, now]).await? == 1)
}

/// Those that can still be used, oldest first.
///
/// # Errors
/// As the database says.
pub async fn tokens(tx: &mut Tx, now: i64) -> Result<Vec<InitialToken>, StoreError> {
    tx.all(&LIST_TOKENS, args![now]).await?.iter().map(token).collect()
}

/// Takes one back; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn remove_token(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&REMOVE_TOKEN, args![id]).await? == 1)
}

/// Deletes up to 200 that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
