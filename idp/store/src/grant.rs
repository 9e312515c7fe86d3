//! What came from one authorization, and its end.

use serde::{Deserialize, Serialize};

use crate::{Db, Row, StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into issued_grant (id, client_id, person_id, kind, session_id, detail, created_at,
     expires_at, offline) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    FIND,
    "select id, client_id, person_id, kind, session_id, detail, created_at, expires_at
     from issued_grant where id = $1 and revoked_at is null and expires_at > $2"
);
statement!(
    FIND_FOR_TOKEN,
    "select id, client_id, person_id, kind, session_id, detail, created_at, expires_at
     from issued_grant where id = $1 and revoked_at is null and expires_at > $3
     and not exists (select 1 from revoked_token where jti = $2)",
    together: "select asked, g.id, client_id, person_id, kind, session_id, detail, created_at, expires_at
     from unnest($1::text[], $2::text[], $3::bigint[])
       with ordinality as sent (id, jti, now, asked)
     join issued_grant g on g.id = sent.id
     where revoked_at is null and expires_at > now
     and not exists (select 1 from revoked_token where jti = sent.jti)"
);
statement!(REVOKE, "update issued_grant set revoked_at = $2 where id = $1 and revoked_at is null");
statement!(
    REVOKE_OF_CLIENT,
    "update issued_grant set revoked_at = $3
     where person_id = $1 and client_id = $2 and revoked_at is null"
);
statement!(
    REVOKE_ALL_OF_CLIENT,
    "update issued_grant set revoked_at = $2 where client_id = $1 and revoked_at is null"
);
statement!(
    REVOKE_OF_SESSION,
    "update issued_grant set revoked_at = $2
     where session_id = $1 and revoked_at is null and offline = 0"
);
statement!(
    REVOKE_OF_PERSON,
    "update issued_grant set revoked_at = $2 where person_id = $1 and revoked_at is null"
);
// As long as a session stands, whom to tell of its end is read here.
statement!(
    PRUNE,
    "delete from issued_grant where id in
     (select g.id from issued_grant g where g.expires_at < $1 and not exists
       (select 1 from session s
        where s.id = g.session_id and s.ended_at is null and s.expires_at >= $1) limit 200)"
);

/// What tokens of a grant say of the sign-in that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Granted scopes, separated by spaces.
    pub scope: String,
    /// Claims asked for by name.
    #[serde(default)]
    pub claims: idp_protocol::claims::ClaimsRequest,
    /// Seconds UTC.
    pub auth_time: i64,
    /// RFC 8176 values.
    pub amr: Vec<String>,
    /// The `acr` claim.
    pub acr: String,
    /// Proofing level of the person then.
    pub proofing: u8,
    /// Authentication level of the session then.
    pub auth: u8,
    /// Outlives the session (`offline_access`).
    pub offline: bool,
    /// Resources for which it has tokens; none: our own (RFC 8707 §2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// What was allowed in particular (RFC 9396 §7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<serde_json::Value>,
    /// Thumbprint of the key to which the code is bound (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_jkt: Option<String>,
}

/// A grant that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Row id.
    pub id: String,
    /// The partner.
    pub client_id: String,
    /// The person, or the officer.
    pub person_id: String,
    /// `citizen` or `staff`.
    pub kind: String,
    /// The session that it came from.
    pub session_id: Option<String>,
    /// What tokens say.
    pub detail: Detail,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC; nothing of it lives longer (attacks row 10).
    pub expires_at: i64,
}

fn read(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: row.text("id")?,
        client_id: row.text("client_id")?,
        person_id: row.text("person_id")?,
        kind: row.text("kind")?,
        session_id: row.text_opt("session_id")?,
        detail: serde_json::from_str(&row.text("detail")?)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

/// A grant in the row of a statement that selects `state` and `status` of its citizen's account and
/// record and `staff_state` of its officer, and whether whose it is may have tokens.
pub(crate) fn read_with_gate(row: &Row) -> Result<(Grant, bool), StoreError> {
    let open = match (row.text_opt("state")?, row.text_opt("status")?) {
        (Some(state), Some(status)) => crate::account::read_gate(&state, &status)?.is_ok(),
        _ => row.text_opt("staff_state")?.as_deref() == Some("active"),
    };
    Ok((read(row)?, open))
}

/// Writes a new grant.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, grant: &Grant) -> Result<(), StoreError> {
    let detail = serde_json::to_string(&grant.detail)
        .map_err(|cause| StoreError::Data(cause.to_string()))?;
    let row = args![
        &grant.id,
        &grant.client_id,
        &grant.person_id,
        &grant.kind,
        grant.session_id.as_deref(),
        detail,
        grant.created_at,
        grant.expires_at,
        grant.detail.offline
    ];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A grant that is neither revoked nor expired.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str, now: i64) -> Result<Option<Grant>, StoreError> {
    tx.optional(&FIND, args![id, now]).await?.as_ref().map(read).transpose()
}

/// The grant of an access token, if neither has ended.
///
/// # Errors
/// As the database says.
pub async fn find_for_token(
    tx: &mut Tx,
    id: &str,
    jti: &str,
    now: i64,
) -> Result<Option<Grant>, StoreError> {
    tx.optional(&FIND_FOR_TOKEN, args![id, jti, now]).await?.as_ref().map(read).transpose()
}

/// The same, asked by itself: every call of a resource does.
///
/// # Errors
/// As the database says.
pub async fn of_token(db: &Db, id: &str, jti: &str, now: i64) -> Result<Option<Grant>, StoreError> {
    let rows = db.ask(&FIND_FOR_TOKEN, args![id, jti, now].to_vec()).await?;
    rows.first().map(read).transpose()
}

/// Ends a grant and with it every token of it.
///
/// # Errors
/// As the database says.
pub async fn revoke(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&REVOKE, args![id, now]).await? == 1)
}

/// Ends what a partner holds of a person.
///
/// # Errors
/// As the database says.
pub async fn revoke_of_client(
    tx: &mut Tx,
    person: &str,
    client_id: &str,
    now: i64,
) -> Result<u64, StoreError> {
    tx.execute(&REVOKE_OF_CLIENT, args![person, client_id, now]).await
}

/// Ends everything that a partner holds.
///
/// # Errors
/// As the database says.
pub async fn revoke_all_of_client(
    tx: &mut Tx,
    client_id: &str,
    now: i64,
) -> Result<u64, StoreError> {
    tx.execute(&REVOKE_ALL_OF_CLIENT, args![client_id, now]).await
}

/// Ends what came from a session and does not outlive it.
///
/// # Errors
/// As the database says.
pub async fn revoke_of_session(tx: &mut Tx, session: &str, now: i64) -> Result<u64, StoreError> {
    tx.execute(&REVOKE_OF_SESSION, args![session, now]).await
}

/// Ends everything of a person.
///
/// # Errors
/// As the database says.
pub async fn revoke_of_person(tx: &mut Tx, person: &str, now: i64) -> Result<u64, StoreError> {
    tx.execute(&REVOKE_OF_PERSON, args![person, now]).await
}

/// Removes up to 200 grants that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
