//! Signing keys, sealed.

use crate::{StoreError, Tx, args, statement};

statement!(
    LIST,
    "select kid, algorithm, private, state, created_at from signing_key
     where state <> 'revoked' order by created_at, kid"
);
statement!(
    ADD,
    "insert into signing_key (kid, algorithm, private, state, created_at)
     values ($1, $2, $3, 'active', $4)"
);
statement!(
    RETIRE,
    "update signing_key set state = 'retired' where algorithm = $1 and state = 'active' and kid <> $2"
);
statement!(REVOKE, "update signing_key set state = 'revoked' where kid = $1");

/// A key as stored.
#[derive(Clone)]
pub struct Stored {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// PKCS#8, opened.
    pub private: Vec<u8>,
    /// Signs; a retired key only verifies.
    pub active: bool,
    /// Milliseconds UTC.
    pub created_at: i64,
}

/// All keys that are not revoked, oldest first.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx) -> Result<Vec<Stored>, StoreError> {
    let rows = tx.all(&LIST, args![]).await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                kid: row.text("kid")?,
                algorithm: row.text("algorithm")?,
                private: tx.vault().open("key.private", &row.blob("private")?)?,
                active: row.text("state")? == "active",
                created_at: row.int("created_at")?,
            })
        })
        .collect()
}

/// Adds a key that signs from now on; the algorithm's other keys retire.
///
/// # Errors
/// As the database says.
pub async fn add(
    tx: &mut Tx,
    kid: &str,
    algorithm: &str,
    private: &[u8],
    now: i64,
) -> Result<(), StoreError> {
    let sealed = tx.vault().seal("key.private", private)?;
    tx.execute(&ADD, args![kid, algorithm, sealed, now]).await?;
    tx.execute(&RETIRE, args![algorithm, kid]).await.map(drop)
}

/// Takes a key out of use at once; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn revoke(tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&REVOKE, args![kid]).await? == 1)
}
