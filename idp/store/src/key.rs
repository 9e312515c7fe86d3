//! Signing and encryption keys, sealed. `WHERE` decides which of several nodes changes one.

use idp_domain::key::{Life, Schedule};

use crate::{StoreError, Tx, args, statement};

statement!(
    LIST,
    "select kid, algorithm, private, public, state, created_at, signs_from, signs_until
     from signing_key order by created_at, kid"
);
statement!(
    ADD,
    "insert into signing_key (kid, algorithm, private, state, created_at, signs_from)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing"
);
statement!(
    SUCCEED,
    "update signing_key set signs_until = $1
     where algorithm = $2 and signs_until is null and signs_from <= $3 and state <> 'revoked'"
);
statement!(
    FIND,
    "select algorithm, signs_from, signs_until from signing_key
     where kid = $1 and state <> 'revoked'"
);
statement!(
    REVOKE,
    "update signing_key set state = 'revoked', private = $2, public = null,
     signs_until = case when signs_until < $3 then signs_until else $3 end
     where kid = $1 and state <> 'revoked'"
);
statement!(
    GO_ON,
    "update signing_key set signs_until = null
     where algorithm = $1 and signs_until = $2 and signs_until > $3 and state <> 'revoked'"
);
statement!(
    PROMOTE,
    "update signing_key set signs_from = $1, state = 'active'
     where algorithm = $2 and signs_until is null and signs_from > $1 and state <> 'revoked'"
);
statement!(
    BEGIN,
    "update signing_key set state = 'active'
     where kid = $1 and state = 'next' and signs_from <= $2"
);
statement!(
    RETIRE,
    "update signing_key set state = 'retired'
     where kid = $1 and state in ('next', 'active') and signs_until <= $2"
);
statement!(
    ERASE,
    "update signing_key set private = $2, public = $3
     where kid = $1 and length(private) > 0 and signs_until <= $4 and state <> 'revoked'"
);
statement!(REMOVE, "delete from signing_key where kid = $1 and signs_until <= $2");

/// A key as stored.
#[derive(Clone)]
pub struct Stored {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// PKCS#8, opened; none once it is erased.
    pub private: Option<Vec<u8>>,
    /// JWK, once the private half is erased.
    pub public: Option<String>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Its times.
    pub life: Life,
}

/// All keys, oldest first, revoked ones too until they are removed.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx) -> Result<Vec<Stored>, StoreError> {
    let rows = tx.all(&LIST, args![]).await?;
    rows.iter()
        .map(|row| {
            let sealed = row.blob("private")?;
            let private = match sealed.as_slice() {
                [] => None,
                sealed => Some(tx.vault().open("key.private", sealed)?),
            };
            Ok(Stored {
                kid: row.text("kid")?,
                algorithm: row.text("algorithm")?,
                private,
                public: row.text_opt("public")?,
                created_at: row.int("created_at")?,
                life: Life {
                    signs_from: row.int("signs_from")?,
                    signs_until: row.int_opt("signs_until")?,
                    revoked: row.text("state")? == "revoked",
                },
            })
        })
        .collect()
}

/// A key that was made and is not yet stored.
#[derive(Clone)]
pub struct Fresh {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// PKCS#8.
    pub private: zeroize::Zeroizing<Vec<u8>>,
}

async fn insert(tx: &mut Tx, key: &Fresh, now: i64, signs_from: i64) -> Result<bool, StoreError> {
    let sealed = tx.vault().seal("key.private", &key.private)?;
    let state = if signs_from > now { "next" } else { "active" };
    let (kid, algorithm) = (key.kid.as_str(), key.algorithm.as_str());
    let done = tx.execute(&ADD, args![kid, algorithm, sealed, state, now, signs_from]).await?;
    Ok(done == 1)
}

/// Adds the first key of an algorithm, which is in use from now on; false if there is one already.
///
/// # Errors
/// As the database says.
pub async fn first(tx: &mut Tx, key: &Fresh, now: i64) -> Result<bool, StoreError> {
    insert(tx, key, now, now).await
}

/// Adds the successor of a key that is in use since `since` or longer. False if there is none:
/// another node was faster, or a successor waits already.
///
/// # Errors
/// As the database says.
pub async fn succeed(
    tx: &mut Tx,
    key: &Fresh,
    schedule: &Schedule,
    since: i64,
    now: i64,
) -> Result<bool, StoreError> {
    let from = now + schedule.publish_ahead;
    if tx.execute(&SUCCEED, args![from, key.algorithm.as_str(), since]).await? != 1 {
        return Ok(false);
    }
    insert(tx, key, now, from).await
}

/// Takes a key out of use at once and overwrites its private half. Where it was in use, the one
/// that waits takes its place, or `spare` does; where it waited, the one in use goes on. False if
/// there is no such key, or it is revoked already.
///
/// # Errors
/// As the database says.
pub async fn revoke(tx: &mut Tx, kid: &str, spare: &Fresh, now: i64) -> Result<bool, StoreError> {
    let Some(row) = tx.optional(&FIND, args![kid]).await? else { return Ok(false) };
    let (algorithm, from) = (row.text("algorithm")?, row.int("signs_from")?);
    if tx.execute(&REVOKE, args![kid, Vec::<u8>::new(), now]).await? != 1 {
        return Ok(false);
    }
    if from > now {
        tx.execute(&GO_ON, args![algorithm.as_str(), from, now]).await?;
    } else if row.int_opt("signs_until")?.is_none_or(|until| until > now)
        && tx.execute(&PROMOTE, args![now, algorithm.as_str()]).await? == 0
    {
        insert(tx, spare, now, now).await?;
    }
    Ok(true)
}

/// Writes down that a key is in use; true for the node that did.
///
/// # Errors
/// As the database says.
pub async fn begin(tx: &mut Tx, kid: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&BEGIN, args![kid, now]).await? == 1)
}

/// Writes down that a key has retired; true for the node that did.
///
/// # Errors
/// As the database says.
pub async fn retire(tx: &mut Tx, kid: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&RETIRE, args![kid, now]).await? == 1)
}

/// Overwrites the private half of a key that retired at `before` or earlier; its public half, a
/// JWK, stays.
///
/// # Errors
/// As the database says.
pub async fn erase(tx: &mut Tx, kid: &str, public: &str, before: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&ERASE, args![kid, Vec::<u8>::new(), public, before]).await? == 1)
}

/// Removes a key that was last in use at `before` or earlier.
///
/// # Errors
/// As the database says.
pub async fn remove(tx: &mut Tx, kid: &str, before: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&REMOVE, args![kid, before]).await? == 1)
}
