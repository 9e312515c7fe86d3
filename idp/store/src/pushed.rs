//! Authorization requests that clients have pushed, until their sign-in completes.

use idp_protocol::authorize::AuthorizationRequest;

use crate::{Db, StoreError, Tx, Value, Vault, args, statement};

statement!(
    CREATE,
    "insert into pushed_request (id, secret_hash, client_id, request, expires_at)
     values ($1, $2, $3, $4, $5) on conflict (id) do nothing",
    together: "insert into pushed_request (id, secret_hash, client_id, request, expires_at)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
     on conflict (id) do nothing
     returning array_position($1, id)::bigint"
);
statement!(
    FIND,
    "select secret_hash, request from pushed_request
     where id = $1 and client_id = $2 and used_at is null and expires_at > $3"
);
statement!(CONSUME, "update pushed_request set used_at = $2 where id = $1 and used_at is null");
statement!(
    PRUNE,
    "delete from pushed_request where id in
     (select id from pushed_request where expires_at < $1 limit 200)"
);

/// A request as stored.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Digest of the secret part of its `request_uri`.
    pub secret_hash: String,
    /// The checked request.
    pub request: AuthorizationRequest,
}

/// Writes a request of a client, whose `id` nobody has used.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    id: &str,
    pushed: &Pushed,
    expires_at: i64,
) -> Result<(), StoreError> {
    let row = row(tx.vault(), id, pushed, expires_at)?;
    tx.execute(&CREATE, &row).await.map(drop)
}

/// The same by itself.
///
/// # Errors
/// As the database says.
pub async fn keep(db: &Db, id: &str, pushed: &Pushed, expires_at: i64) -> Result<(), StoreError> {
    let row = row(db.vault(), id, pushed, expires_at)?;
    db.once("push", &CREATE, row).await.map(drop)
}

fn row(
    vault: &Vault,
    id: &str,
    pushed: &Pushed,
    expires_at: i64,
) -> Result<Vec<Value>, StoreError> {
    let request =
        serde_json::to_vec(&pushed.request).map_err(|cause| StoreError::Data(cause.to_string()))?;
    // A login_hint may be a phone number.
    let sealed = vault.seal("pushed.request", request)?;
    let client_id = &pushed.request.client_id;
    Ok(args![id, &pushed.secret_hash, client_id, sealed, expires_at].to_vec())
}

/// A client's request that has neither expired nor been answered (attacks row 14).
///
/// # Errors
/// As the database says.
pub async fn find(
    tx: &mut Tx,
    id: &str,
    client_id: &str,
    now: i64,
) -> Result<Option<Pushed>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id, client_id, now]).await? else { return Ok(None) };
    let request = tx.vault().open("pushed.request", &row.blob("request")?)?;
    let request =
        serde_json::from_slice(&request).map_err(|cause| StoreError::Data(cause.to_string()))?;
    Ok(Some(Pushed { secret_hash: row.text("secret_hash")?, request }))
}

/// Takes it for the one answer: of two sign-ins that began with it, one gets true.
///
/// # Errors
/// As the database says.
pub async fn consume(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSUME, args![id, now]).await? == 1)
}

/// Removes up to 200 that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
