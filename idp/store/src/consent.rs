//! What a person allowed a partner to learn.

use idp_domain::citizen::account::Shut;

use crate::{Db, Row, StoreError, Tx, args, statement};

statement!(
    ALLOW,
    "insert into consent (person_id, client_id, scope, claims, client_name, granted_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (person_id, client_id) do update set scope = excluded.scope,
     claims = excluded.claims, client_name = excluded.client_name,
     granted_at = excluded.granted_at, withdrawn_at = null"
);
statement!(
    FIND,
    "select client_id, scope, claims, client_name, granted_at from consent
     where person_id = $1 and client_id = $2 and withdrawn_at is null"
);
statement!(
    HOLD,
    "select granted_at from consent
     where person_id = $1 and client_id = $2 and withdrawn_at is null",
    // Whoever withdraws it waits until what is given under it can be seen, and taken back.
    postgres: "select granted_at from consent
     where person_id = $1 and client_id = $2 and withdrawn_at is null for share"
);
// One statement, because every authorization request asks it.
statement!(
    STANDING,
    "select a.state, p.status, p.proofing, c.client_id, c.scope, c.claims, c.client_name, c.granted_at
     from account a join person p on p.id = a.person_id
     left join consent c
       on c.person_id = a.person_id and c.client_id = $2 and c.withdrawn_at is null
     where a.person_id = $1",
    together: "select asked, a.state, p.status, p.proofing, c.client_id, c.scope, c.claims,
     c.client_name, c.granted_at
     from unnest($1::text[], $2::text[]) with ordinality as sent (person_id, client_id, asked)
     join account a on a.person_id = sent.person_id join person p on p.id = a.person_id
     left join consent c
       on c.person_id = a.person_id and c.client_id = sent.client_id and c.withdrawn_at is null"
);
statement!(
    LIST,
    "select client_id, scope, claims, client_name, granted_at from consent
     where person_id = $1 and withdrawn_at is null order by granted_at desc limit 200"
);
statement!(
    WITHDRAW,
    "update consent set withdrawn_at = $3
     where person_id = $1 and client_id = $2 and withdrawn_at is null"
);

/// A consent that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The partner.
    pub client_id: String,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Claims asked for by name, separated by spaces.
    pub claims: String,
    /// The partner's name when it was given: another name asks again (attacks row 34).
    pub client_name: String,
    /// Milliseconds UTC.
    pub granted_at: i64,
}

fn read(row: &Row) -> Result<Consent, StoreError> {
    Ok(Consent {
        client_id: row.text("client_id")?,
        scope: row.text("scope")?,
        claims: row.text("claims")?,
        client_name: row.text("client_name")?,
        granted_at: row.int("granted_at")?,
    })
}

/// What an authorization asks about a person.
pub struct Standing {
    /// Whether the account may be used (attacks row 26).
    pub gate: Result<(), Shut>,
    /// Proofing level of the person, 1 to 5.
    pub proofing: i64,
    /// What they allowed the partner.
    pub given: Option<Consent>,
}

/// A person with the consent to a partner; none without an account.
///
/// # Errors
/// As the database says.
pub async fn standing(
    db: &Db,
    person: &str,
    client_id: &str,
) -> Result<Option<Standing>, StoreError> {
    let rows = db.ask(&STANDING, args![person, client_id].to_vec()).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let given = row.text_opt("client_id")?.is_some();
    Ok(Some(Standing {
        gate: crate::account::read_gate(&row.text("state")?, &row.text("status")?)?,
        proofing: row.int("proofing")?,
        given: given.then(|| read(row)).transpose()?,
    }))
}

/// Writes a consent over an earlier one.
///
/// # Errors
/// As the database says.
pub async fn allow(tx: &mut Tx, person: &str, consent: &Consent) -> Result<(), StoreError> {
    let row = args![
        person,
        &consent.client_id,
        &consent.scope,
        &consent.claims,
        &consent.client_name,
        consent.granted_at
    ];
    tx.execute(&ALLOW, row).await.map(drop)
}

/// The consent of a person to a partner.
///
/// # Errors
/// As the database says.
pub async fn find(
    tx: &mut Tx,
    person: &str,
    client_id: &str,
) -> Result<Option<Consent>, StoreError> {
    tx.optional(&FIND, args![person, client_id]).await?.as_ref().map(read).transpose()
}

/// All consents of a person, newest first.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx, person: &str) -> Result<Vec<Consent>, StoreError> {
    tx.all(&LIST, args![person]).await?.iter().map(read).collect()
}

/// Whether a consent stands, and keeps it standing until the unit is over: what is withdrawn at the
/// same moment ends what the unit gave, or the unit gives nothing.
///
/// # Errors
/// As the database says.
pub async fn hold(tx: &mut Tx, person: &str, client_id: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(&HOLD, args![person, client_id]).await?.is_some())
}

/// Withdraws a consent, ends what was issued under it and has the partner told; false if there
/// was none.
///
/// # Errors
/// As the database says.
pub async fn withdraw(
    tx: &mut Tx,
    person: &str,
    client_id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let withdrawn = tx.execute(&WITHDRAW, args![person, client_id, now]).await? == 1;
    let held = crate::logout::of_client(tx, person, client_id).await?;
    crate::logout::tell(tx, &held, now, None).await?;
    crate::grant::revoke_of_client(tx, person, client_id, now).await?;
    Ok(withdrawn)
}
