//! Sessions of the hall, which is a relying party of its own: one row a browser.
//!
//! The id in the cookie is a row key and a secret; only the secret's digest is here. Whatever names
//! the person or opens the provider (name, ID token, access token) is one sealed column.

use idp_store::{StoreError, Tx, args, statement};

const PURPOSE: &str = "hall_session.sealed";

/// A session's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HallSession {
    /// Key of the row, time-ordered.
    pub id: String,
    /// Digest of the secret part.
    pub secret: String,
    /// The hall's pairwise subject.
    pub subject: String,
    /// JSON of what the portal keeps about the session; sealed in the table.
    pub details: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// When the provider last confirmed that its session lives, milliseconds UTC.
    pub checked_at: i64,
    /// Milliseconds UTC; an expired row is as good as none.
    pub expires_at: i64,
}

statement!(
    INSERT,
    "insert into hall_session (id, secret, subject, sealed, created_at, checked_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)"
);
statement!(
    FIND,
    "select id, secret, subject, sealed, created_at, checked_at, expires_at
     from hall_session where id = $1 and expires_at > $2"
);
statement!(
    CONFIRM,
    "update hall_session set checked_at = $2, sealed = $3 where id = $1 and checked_at < $2"
);
statement!(DELETE, "delete from hall_session where id = $1");
statement!(REPLACE, "delete from hall_session where id = $1 and secret = $2");
statement!(
    PRUNE,
    "delete from hall_session where id in
     (select id from hall_session where expires_at <= $1 order by expires_at limit 100)"
);

/// Writes a new session.
///
/// # Errors
/// As the database says.
pub async fn insert(tx: &mut Tx, session: &HallSession) -> Result<(), StoreError> {
    let sealed = tx.vault().seal(PURPOSE, &session.details)?;
    let row = args![
        &session.id,
        &session.secret,
        &session.subject,
        sealed,
        session.created_at,
        session.checked_at,
        session.expires_at,
    ];
    tx.execute(&INSERT, row).await?;
    Ok(())
}

/// A session that has not expired at `now`. The caller compares the secret.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str, now: i64) -> Result<Option<HallSession>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id, now]).await? else { return Ok(None) };
    Ok(Some(HallSession {
        id: row.text("id")?,
        secret: row.text("secret")?,
        subject: row.text("subject")?,
        details: tx.vault().open_text(PURPOSE, &row.blob("sealed")?)?,
        created_at: row.int("created_at")?,
        checked_at: row.int("checked_at")?,
        expires_at: row.int("expires_at")?,
    }))
}

/// Records that the provider confirmed the session at `now`, with the details as they are since.
///
/// # Errors
/// As the database says.
pub async fn confirm(tx: &mut Tx, id: &str, now: i64, details: &str) -> Result<(), StoreError> {
    let sealed = tx.vault().seal(PURPOSE, details)?;
    tx.execute(&CONFIRM, args![id, now, sealed]).await?;
    Ok(())
}

/// Ends a session. Ending one twice is no error.
///
/// # Errors
/// As the database says.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute(&DELETE, args![id]).await?;
    Ok(())
}

/// Ends the session that a browser had before, if the digest shows that it really had it.
///
/// # Errors
/// As the database says.
pub async fn replace(tx: &mut Tx, id: &str, secret: &str) -> Result<(), StoreError> {
    tx.execute(&REPLACE, args![id, secret]).await?;
    Ok(())
}

/// Removes up to a hundred expired sessions; called at each sign-in, so that the table stays as
/// large as its use.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, now: i64) -> Result<(), StoreError> {
    tx.execute(&PRUNE, args![now]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use idp_store::{Db, Options, Vault};

    use super::*;

    async fn db() -> (tempfile::TempDir, Db) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("hall.db").display());
        let vault = Vault::new(&[&[3; 32]]).unwrap();
        (directory, Db::open(Options { url, connections: 2, vault }).await.unwrap())
    }

    fn session() -> HallSession {
        HallSession {
            id: "s1".to_owned(),
            secret: "digest".to_owned(),
            subject: "pairwise".to_owned(),
            details: r#"{"name":"林晓"}"#.to_owned(),
            created_at: 1_000,
            checked_at: 1_000,
            expires_at: 5_000,
        }
    }

    #[tokio::test]
    async fn a_session_is_found_until_it_expires_and_is_pruned_then() {
        let (_directory, db) = db().await;
        db.write("insert", |tx: &mut Tx| Box::pin(async move { insert(tx, &session()).await }))
            .await
            .unwrap();
        let found = |now| {
            let db = db.clone();
            async move {
                db.read("find", move |tx: &mut Tx| Box::pin(find(tx, "s1", now))).await.unwrap()
            }
        };
        assert_eq!(found(4_999).await, Some(session()));
        assert_eq!(found(5_000).await, None);
        db.write("prune", |tx: &mut Tx| Box::pin(prune(tx, 5_000))).await.unwrap();
        assert_eq!(found(4_999).await, None);
    }

    #[tokio::test]
    async fn a_confirmation_moves_forward_only() {
        let (_directory, db) = db().await;
        db.write("w", |tx: &mut Tx| {
            Box::pin(async move {
                insert(tx, &session()).await?;
                confirm(tx, "s1", 2_000, "{}").await?;
                confirm(tx, "s1", 1_500, r#"{"late":true}"#).await?;
                replace(tx, "s1", "another").await
            })
        })
        .await
        .unwrap();
        let row =
            db.read("r", |tx: &mut Tx| Box::pin(find(tx, "s1", 2_500))).await.unwrap().unwrap();
        assert_eq!((row.checked_at, row.details.as_str()), (2_000, "{}"));
        db.write("d", |tx: &mut Tx| Box::pin(delete(tx, "s1"))).await.unwrap();
        let gone = db.read("r", |tx: &mut Tx| Box::pin(find(tx, "s1", 2_500))).await.unwrap();
        assert_eq!(gone, None);
    }
}
