//! Authorization codes: one row each, consumed by one conditional update.

use crate::grant::Grant;
use crate::{Db, StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into code (id, secret_hash, grant_id, client_id, redirect_uri, challenge, nonce,
     expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)"
);
statement!(
    FIND,
    "select c.id as code, c.secret_hash, c.grant_id, c.client_id as holder, c.redirect_uri,
     c.challenge, c.nonce, c.expires_at as until, c.used_at,
     g.id, g.client_id, g.person_id, g.kind, g.session_id, g.detail, g.created_at, g.expires_at,
     a.state, p.status, s.state as staff_state
     from code c left join issued_grant g
       on g.id = c.grant_id and g.revoked_at is null and g.expires_at > $2
     left join account a on a.person_id = g.person_id and g.kind = 'citizen'
     left join person p on p.id = a.person_id
     left join staff s on s.id = g.person_id and g.kind = 'staff'
     where c.id = $1",
    together: "select asked, c.id as code, c.secret_hash, c.grant_id, c.client_id as holder,
     c.redirect_uri, c.challenge, c.nonce, c.expires_at as until, c.used_at,
     g.id, g.client_id, g.person_id, g.kind, g.session_id, g.detail, g.created_at, g.expires_at,
     a.state, p.status, s.state as staff_state
     from unnest($1::text[], $2::bigint[]) with ordinality as sent (id, now, asked)
     join code c on c.id = sent.id left join issued_grant g
       on g.id = c.grant_id and g.revoked_at is null and g.expires_at > now
     left join account a on a.person_id = g.person_id and g.kind = 'citizen'
     left join person p on p.id = a.person_id
     left join staff s on s.id = g.person_id and g.kind = 'staff'"
);
// A value, not `exists`: PostgreSQL would make a join of that, and read all grants while they are
// few.
statement!(
    CONSUME,
    "update code set used_at = $2
     where id = $1 and client_id = $3 and used_at is null and expires_at > $2
     and (select g.expires_at from issued_grant g where g.id = grant_id and g.revoked_at is null) > $2"
);
statement!(
    PRUNE,
    "delete from code where id in (select id from code where expires_at < $1 limit 200)"
);

/// A code as stored.
#[derive(Debug, Clone)]
pub struct Code {
    /// Row id.
    pub id: String,
    /// Digest of its secret.
    pub secret_hash: String,
    /// What it redeems.
    pub grant_id: String,
    /// Whom it was made for.
    pub client_id: String,
    /// The redirect URI, where the request named one: the token request must name the same.
    pub redirect_uri: Option<String>,
    /// PKCE.
    pub challenge: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Milliseconds UTC; set once.
    pub used_at: Option<i64>,
}

/// Writes a new code.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, code: &Code) -> Result<(), StoreError> {
    let row = args![
        &code.id,
        &code.secret_hash,
        &code.grant_id,
        &code.client_id,
        code.redirect_uri.as_deref(),
        code.challenge.as_deref(),
        code.nonce.as_deref(),
        code.expires_at
    ];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A code with what it redeems.
pub struct Found {
    /// The code, used or not, expired or not.
    pub code: Code,
    /// Its grant, and whether whose it is may have tokens now (attacks row 26); none if it was
    /// revoked or has expired.
    pub grant: Option<(Grant, bool)>,
}

/// A code.
///
/// # Errors
/// As the database says.
pub async fn find(db: &Db, id: &str, now: i64) -> Result<Option<Found>, StoreError> {
    let rows = db.ask(&FIND, args![id, now].to_vec()).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let code = Code {
        id: row.text("code")?,
        secret_hash: row.text("secret_hash")?,
        grant_id: row.text("grant_id")?,
        client_id: row.text("holder")?,
        redirect_uri: row.text_opt("redirect_uri")?,
        challenge: row.text_opt("challenge")?,
        nonce: row.text_opt("nonce")?,
        expires_at: row.int("until")?,
        used_at: row.int_opt("used_at")?,
    };
    let stands = row.text_opt("id")?.is_some();
    let grant = stands.then(|| crate::grant::read_with_gate(row)).transpose()?;
    Ok(Some(Found { code, grant }))
}

/// Takes the code for the one redemption, while its grant stands: of two parallel ones, one gets
/// true (attacks row 2).
///
/// # Errors
/// As the database says.
pub async fn consume(tx: &mut Tx, id: &str, client_id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSUME, args![id, now, client_id]).await? == 1)
}

/// Removes up to 200 codes that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
