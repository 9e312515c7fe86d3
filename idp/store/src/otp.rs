//! One-time codes. Single use, expiry and the number of tries stand in the `WHERE` clause
//! (attacks row 28); the code lies under a keyed digest, since six digits are soon tried out.

use subtle::ConstantTimeEq as _;

use crate::{StoreError, Tx, args, statement};

/// Wrong tries after which a code is dead.
pub const TRIES: i64 = 5;

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// Right, and now used.
    Accepted,
    /// Wrong; further tries are left.
    Wrong,
    /// Used, expired, tried too often, or never sent: a new one is needed.
    Dead,
}

statement!(ISSUE, "insert into otp (id, code, attempts, expires_at) values ($1, $2, 0, $3)");
statement!(
    TRY,
    "update otp set attempts = attempts + 1
     where id = $1 and used_at is null and attempts < $2 and expires_at > $3
     returning code, attempts"
);
statement!(USE, "update otp set used_at = $2 where id = $1 and used_at is null");
statement!(KILL, "update otp set used_at = $2 where id = $1 and used_at is null");
statement!(
    PRUNE,
    "delete from otp where id in (select id from otp where expires_at < $1 limit 200)"
);

fn digest(tx: &Tx, id: &str, code: &str) -> String {
    tx.vault().blind("otp.code", &format!("{id} {code}"))
}

/// Keeps a code until `expires_at`.
///
/// # Errors
/// As the database says.
pub async fn issue(tx: &mut Tx, id: &str, code: &str, expires_at: i64) -> Result<(), StoreError> {
    let digest = digest(tx, id, code);
    tx.execute(&ISSUE, args![id, digest, expires_at]).await?;
    Ok(())
}

/// Tries a code. The outcome is a value: a wrong try must be kept, so it is no error.
///
/// # Errors
/// As the database says.
pub async fn redeem(tx: &mut Tx, id: &str, code: &str, now: i64) -> Result<Redeemed, StoreError> {
    let Some(row) = tx.optional(&TRY, args![id, TRIES, now]).await? else {
        return Ok(Redeemed::Dead);
    };
    let digest = digest(tx, id, code);
    // Attacks row 44.
    if bool::from(digest.as_bytes().ct_eq(row.text("code")?.as_bytes())) {
        let used = tx.execute(&USE, args![id, now]).await?;
        return Ok(if used == 1 { Redeemed::Accepted } else { Redeemed::Dead });
    }
    Ok(if row.int("attempts")? >= TRIES { Redeemed::Dead } else { Redeemed::Wrong })
}

/// Ends a code, because a newer one was sent.
///
/// # Errors
/// As the database says.
pub async fn kill(tx: &mut Tx, id: &str, now: i64) -> Result<(), StoreError> {
    tx.execute(&KILL, args![id, now]).await?;
    Ok(())
}

/// Deletes up to 200 codes that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
