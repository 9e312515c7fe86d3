//! Families of refresh tokens: one row a family. A rotation replaces the secret and remembers the
//! digest of the one before, so that a retry can be told from a reuse.

use crate::grant::Grant;
use crate::{Db, Row, StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into refresh_token (id, secret_hash, grant_id, created_at, rotated_at, expires_at, jkt)
     values ($1, $2, $3, $4, $4, $5, $6)"
);
statement!(
    FIND,
    "select secret_hash, previous_hash, grant_id, rotated_at, expires_at, jkt from refresh_token
     where id = $1"
);
// One statement, because every refresh asks it.
statement!(
    STANDING,
    "select r.secret_hash, r.previous_hash, r.grant_id, r.rotated_at, r.expires_at as until, r.jkt,
     g.id, g.client_id, g.person_id, g.kind, g.session_id, g.detail, g.created_at, g.expires_at,
     a.state, p.status, s.state as staff_state
     from refresh_token r join issued_grant g on g.id = r.grant_id
     left join account a on a.person_id = g.person_id and g.kind = 'citizen'
     left join person p on p.id = a.person_id
     left join staff s on s.id = g.person_id and g.kind = 'staff'
     where r.id = $1 and g.revoked_at is null and g.expires_at > $2",
    together: "select asked, r.secret_hash, r.previous_hash, r.grant_id, r.rotated_at,
     r.expires_at as until, r.jkt,
     g.id, g.client_id, g.person_id, g.kind, g.session_id, g.detail, g.created_at, g.expires_at,
     a.state, p.status, s.state as staff_state
     from unnest($1::text[], $2::bigint[]) with ordinality as sent (id, now, asked)
     join refresh_token r on r.id = sent.id join issued_grant g on g.id = r.grant_id
     left join account a on a.person_id = g.person_id and g.kind = 'citizen'
     left join person p on p.id = a.person_id
     left join staff s on s.id = g.person_id and g.kind = 'staff'
     where g.revoked_at is null and g.expires_at > now"
);
statement!(
    ROTATE,
    "update refresh_token set previous_hash = secret_hash, secret_hash = $3, rotated_at = $4
     where id = $1 and secret_hash = $2 and expires_at > $4
     and (select g.expires_at from issued_grant g where g.id = grant_id and g.revoked_at is null) > $4",
    together: "update refresh_token r
     set previous_hash = r.secret_hash, secret_hash = sent.next, rotated_at = sent.now
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
       with ordinality as sent (id, held, next, now, asked)
     where r.id = sent.id and r.secret_hash = sent.held and r.expires_at > sent.now
     and (select g.expires_at from issued_grant g
       where g.id = r.grant_id and g.revoked_at is null) > sent.now
     returning sent.asked"
);
statement!(
    PRUNE,
    "delete from refresh_token where id in
     (select id from refresh_token where expires_at < $1 limit 200)"
);

/// A family as stored.
#[derive(Debug, Clone)]
pub struct Family {
    /// Digest of the current secret.
    pub secret_hash: String,
    /// Digest of the secret before the last rotation.
    pub previous_hash: Option<String>,
    /// The grant that it refreshes.
    pub grant_id: String,
    /// When it last rotated, milliseconds UTC.
    pub rotated_at: i64,
    /// Milliseconds UTC; no rotation moves it (attacks row 10).
    pub expires_at: i64,
    /// Thumbprint of the key to which it is bound (RFC 9449 §5).
    pub jkt: Option<String>,
}

/// Writes a new family.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    id: &str,
    secret_hash: &str,
    grant_id: &str,
    now: i64,
    expires_at: i64,
    jkt: Option<&str>,
) -> Result<(), StoreError> {
    let row = args![id, secret_hash, grant_id, now, expires_at, jkt];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A family, expired or not.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Family>, StoreError> {
    tx.optional(&FIND, args![id]).await?.map(|row| read(&row, "expires_at")).transpose()
}

fn read(row: &Row, until: &str) -> Result<Family, StoreError> {
    Ok(Family {
        secret_hash: row.text("secret_hash")?,
        previous_hash: row.text_opt("previous_hash")?,
        grant_id: row.text("grant_id")?,
        rotated_at: row.int("rotated_at")?,
        expires_at: row.int(until)?,
        jkt: row.text_opt("jkt")?,
    })
}

/// A family with the grant that it refreshes.
pub struct Standing {
    /// The family, expired or not.
    pub family: Family,
    /// Neither revoked nor expired.
    pub grant: Grant,
    /// Whether whose it is may have tokens now (attacks row 26).
    pub open: bool,
}

/// A family whose grant stands.
///
/// # Errors
/// As the database says.
pub async fn standing(db: &Db, id: &str, now: i64) -> Result<Option<Standing>, StoreError> {
    let rows = db.ask(&STANDING, args![id, now].to_vec()).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (grant, open) = crate::grant::read_with_gate(row)?;
    Ok(Some(Standing { family: read(row, "until")?, grant, open }))
}

/// Replaces the secret whose digest is `from`, as long as its grant stands; of two parallel
/// rotations, one gets true. If the connection breaks, whoever rotated may be told false: the
/// family says who it was.
///
/// # Errors
/// As the database says.
pub async fn rotate(db: &Db, id: &str, from: &str, to: &str, now: i64) -> Result<bool, StoreError> {
    Ok(db.once("rotate", &ROTATE, args![id, from, to, now].to_vec()).await? == 1)
}

/// Removes up to 200 families that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
