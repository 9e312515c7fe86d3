//! What may be seen once: client assertions; and what may not be seen any more: revoked access
//! tokens.

use crate::{Db, StoreError, Tx, args, statement};

statement!(
    USE_ASSERTION,
    "insert into used_assertion (client_id, jti, expires_at) values ($1, $2, $3)
     on conflict (client_id, jti) do nothing",
    together: "with sent as (select * from unnest($1::text[], $2::text[], $3::bigint[])
       with ordinality as sent (client_id, jti, expires_at, asked)),
     kept as (insert into used_assertion (client_id, jti, expires_at)
       select client_id, jti, expires_at from sent order by asked
       on conflict (client_id, jti) do nothing returning client_id, jti)
     select min(asked) from sent join kept using (client_id, jti) group by client_id, jti"
);
statement!(
    REVOKE_TOKEN,
    "insert into revoked_token (jti, expires_at) values ($1, $2) on conflict (jti) do nothing"
);
statement!(IS_REVOKED, "select 1 as found from revoked_token where jti = $1");
statement!(
    PRUNE_ASSERTIONS,
    "delete from used_assertion where jti in
     (select jti from used_assertion where expires_at < $1 limit 200) and expires_at < $1"
);
statement!(
    PRUNE_TOKENS,
    "delete from revoked_token where jti in
     (select jti from revoked_token where expires_at < $1 limit 200)"
);

/// Uses an assertion; false if it was used before (RFC 7523 §3, item 7; attacks row 16).
///
/// # Errors
/// As the database says.
pub async fn assertion(
    db: &Db,
    client_id: &str,
    jti: &str,
    expires_at: i64,
) -> Result<bool, StoreError> {
    let hash = db.vault().blind("assertion.jti", jti);
    let row = args![client_id, hash, expires_at].to_vec();
    Ok(db.once("assertion", &USE_ASSERTION, row).await? == 1)
}

/// Revokes one access token until it would have expired.
///
/// # Errors
/// As the database says.
pub async fn revoke_token(tx: &mut Tx, jti: &str, expires_at: i64) -> Result<(), StoreError> {
    tx.execute(&REVOKE_TOKEN, args![jti, expires_at]).await.map(drop)
}

/// Whether an access token was revoked.
///
/// # Errors
/// As the database says.
pub async fn is_revoked(tx: &mut Tx, jti: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(&IS_REVOKED, args![jti]).await?.is_some())
}

/// Forgets what has expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    let assertions = tx.execute(&PRUNE_ASSERTIONS, args![before]).await?;
    Ok(assertions + tx.execute(&PRUNE_TOKENS, args![before]).await?)
}
