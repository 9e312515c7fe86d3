//! DPoP proofs that were used: each is good for one request (RFC 9449 §11.1).

use crate::{Db, StoreError, Tx, args, statement};

statement!(
    USE,
    "insert into used_proof (id, expires_at) values ($1, $2) on conflict (id) do nothing",
    together: "insert into used_proof (id, expires_at)
     select * from unnest($1::text[], $2::bigint[])
     on conflict (id) do nothing returning array_position($1, id)::bigint"
);
statement!(
    PRUNE,
    "delete from used_proof where id in
     (select id from used_proof where expires_at < $1 limit 200)"
);

/// Uses the proof `jti` of a key, which has to be remembered until `expires_at` (milliseconds UTC);
/// false if it was used before, whatever time it named then (attacks row 15).
///
/// # Errors
/// As the database says.
pub async fn spend(db: &Db, jkt: &str, jti: &str, expires_at: i64) -> Result<bool, StoreError> {
    // Rows live for minutes: the table stays small, and its keys need no order.
    let id = db.vault().blind("dpop.jti", &format!("{jkt} {jti}"));
    Ok(db.once("proof", &USE, args![id, expires_at].to_vec()).await? == 1)
}

/// Forgets up to 200 that nobody could use any more before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
