//! Sessions of citizens and officers at the provider.

use crate::{Db, Row, StoreError, Tx, Vault, args, statement};

statement!(
    START,
    "insert into session (id, secret_hash, kind, person_id, auth_time, auth_level, amr, device,
     created_at, seen_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $5, $5, $9)"
);
statement!(
    FIND,
    "select id, secret_hash, kind, person_id, auth_time, auth_level, amr, device, created_at,
     seen_at, expires_at from session where id = $1 and ended_at is null and expires_at > $2",
    together: "select asked, session.id, secret_hash, kind, person_id, auth_time, auth_level, amr,
     device, created_at, seen_at, expires_at
     from unnest($1::text[], $2::bigint[]) with ordinality as sent (id, now, asked)
     join session on session.id = sent.id where ended_at is null and expires_at > now"
);
statement!(
    HOLD,
    "select id from session where id = $1 and ended_at is null and expires_at > $2",
    // Whoever ends it waits until what is given under it can be seen, and taken back.
    postgres: "select id from session where id = $1 and ended_at is null and expires_at > $2 for share"
);
statement!(
    HOLD_ALL,
    "select id from session where person_id = $1 and ended_at is null order by id",
    postgres: "select id from session where person_id = $1 and ended_at is null order by id for update"
);
statement!(
    RENEW,
    "update session set secret_hash = $2, auth_time = $3, auth_level = $4, amr = $5, seen_at = $3,
     expires_at = $6 where id = $1 and person_id = $7 and kind = $8 and ended_at is null"
);
statement!(
    ROTATE,
    "update session set secret_hash = $2, seen_at = $3 where id = $1 and ended_at is null"
);
statement!(SEEN, "update session set seen_at = $2 where id = $1 and ended_at is null");
statement!(
    OF_PERSON,
    "select id, secret_hash, kind, person_id, auth_time, auth_level, amr, device, created_at,
     seen_at, expires_at from session
     where person_id = $1 and ended_at is null and expires_at > $2 order by seen_at desc limit 50"
);
statement!(END, "update session set ended_at = $2 where id = $1 and ended_at is null");
statement!(END_ALL, "update session set ended_at = $2 where person_id = $1 and ended_at is null");
statement!(
    PRUNE,
    "delete from session where id in (select id from session where expires_at < $1 limit 200)"
);

/// A session as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Row id.
    pub id: String,
    /// Digest of the cookie's secret.
    pub secret_hash: String,
    /// `citizen` or `staff`.
    pub kind: String,
    /// The person, or the officer.
    pub person_id: String,
    /// Milliseconds UTC.
    pub auth_time: i64,
    /// 1–3.
    pub auth_level: u8,
    /// RFC 8176 values, separated by spaces.
    pub amr: String,
    /// What the browser says it is.
    pub device: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC.
    pub seen_at: i64,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

fn read(vault: &Vault, row: &Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        id: row.text("id")?,
        secret_hash: row.text("secret_hash")?,
        kind: row.text("kind")?,
        person_id: row.text("person_id")?,
        auth_time: row.int("auth_time")?,
        auth_level: u8::try_from(row.int("auth_level")?).unwrap_or(0),
        amr: row.text("amr")?,
        device: vault.open_text("session.device", &row.blob("device")?)?,
        created_at: row.int("created_at")?,
        seen_at: row.int("seen_at")?,
        expires_at: row.int("expires_at")?,
    })
}

/// Writes a new session.
///
/// # Errors
/// As the database says.
pub async fn start(tx: &mut Tx, session: &Stored) -> Result<(), StoreError> {
    let device = tx.vault().seal("session.device", &session.device)?;
    let row = args![
        &session.id,
        &session.secret_hash,
        &session.kind,
        &session.person_id,
        session.auth_time,
        session.auth_level,
        &session.amr,
        device,
        session.expires_at
    ];
    tx.execute(&START, row).await.map(drop)
}

/// Renews a session of the same person after they signed in again; false if it has ended.
///
/// # Errors
/// As the database says.
pub async fn renew(tx: &mut Tx, session: &Stored) -> Result<bool, StoreError> {
    let row = args![
        &session.id,
        &session.secret_hash,
        session.auth_time,
        session.auth_level,
        &session.amr,
        session.expires_at,
        &session.person_id,
        &session.kind
    ];
    Ok(tx.execute(&RENEW, row).await? == 1)
}

/// Replaces the secret of a session; false if it has ended.
///
/// # Errors
/// As the database says.
pub async fn rotate(tx: &mut Tx, id: &str, secret: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&ROTATE, args![id, secret, now]).await? == 1)
}

/// A session that has neither ended nor expired.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str, now: i64) -> Result<Option<Stored>, StoreError> {
    let row = tx.optional(&FIND, args![id, now]).await?;
    row.map(|row| read(tx.vault(), &row)).transpose()
}

/// The same, asked by itself.
///
/// # Errors
/// As the database says.
pub async fn standing(db: &Db, id: &str, now: i64) -> Result<Option<Stored>, StoreError> {
    let rows = db.ask(&FIND, args![id, now].to_vec()).await?;
    rows.first().map(|row| read(db.vault(), row)).transpose()
}

/// Whether a session stands, and keeps it standing until the unit is over: of a sign-out and what
/// is given at the same moment, the sign-out comes after it and ends it, or there is nothing given.
///
/// # Errors
/// As the database says.
pub async fn hold(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.optional(&HOLD, args![id, now]).await?.is_some())
}

/// Waits for whatever is being given under a person's sessions, and keeps more from being given
/// until the unit is over.
///
/// # Errors
/// As the database says.
pub async fn hold_all(tx: &mut Tx, person: &str) -> Result<(), StoreError> {
    tx.all(&HOLD_ALL, args![person]).await.map(drop)
}

/// Remembers that the session was used.
///
/// # Errors
/// As the database says.
pub async fn seen(tx: &mut Tx, id: &str, now: i64) -> Result<(), StoreError> {
    tx.execute(&SEEN, args![id, now]).await.map(drop)
}

/// Sessions of a person, most recently used first.
///
/// # Errors
/// As the database says.
pub async fn of_person(tx: &mut Tx, person: &str, now: i64) -> Result<Vec<Stored>, StoreError> {
    let rows = tx.all(&OF_PERSON, args![person, now]).await?;
    rows.iter().map(|row| read(tx.vault(), row)).collect()
}

/// Ends a session; false if it had ended.
///
/// # Errors
/// As the database says.
pub async fn end(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&END, args![id, now]).await? == 1)
}

/// Ends all sessions of a person.
///
/// # Errors
/// As the database says.
pub async fn end_all(tx: &mut Tx, person: &str, now: i64) -> Result<u64, StoreError> {
    tx.execute(&END_ALL, args![person, now]).await
}

/// Removes up to 200 sessions that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
