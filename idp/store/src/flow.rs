//! Authorization requests that wait for a person.

use idp_protocol::authorize::AuthorizationRequest;

use crate::{Db, StoreError, Tx, Value, Vault, args, statement};

statement!(
    CREATE,
    "insert into flow (id, browser_hash, client_id, request, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing",
    together: "insert into flow (id, browser_hash, client_id, request, created_at, expires_at)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[])
     on conflict (id) do nothing returning array_position($1, id)::bigint"
);
statement!(
    FIND,
    "select browser_hash, request, created_at, consented, chosen, denied from flow
     where id = $1 and answered_at is null and expires_at > $2",
    together: "select asked, browser_hash, request, created_at, consented, chosen, denied
     from unnest($1::text[], $2::bigint[]) with ordinality as sent (id, now, asked)
     join flow on flow.id = sent.id where answered_at is null and expires_at > now"
);
statement!(
    CONSENTED,
    "update flow set consented = $3 where id = $1 and answered_at is null and expires_at > $2"
);
statement!(
    CHOOSE,
    "update flow set chosen = $3 where id = $1 and answered_at is null and expires_at > $2"
);
statement!(DENY, "update flow set denied = $2 where id = $1 and answered_at is null");
statement!(
    ANSWER,
    "update flow set answered_at = $2 where id = $1 and answered_at is null and expires_at > $2"
);
statement!(
    PRUNE,
    "delete from flow where id in (select id from flow where expires_at < $1 limit 200)"
);

/// A request as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Row id.
    pub id: String,
    /// Digest of the browser's secret: a link alone does not carry on someone's flow (attacks
    /// row 20).
    pub browser_hash: String,
    /// The checked request.
    pub request: AuthorizationRequest,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// The person who allowed it in this flow.
    pub consented: Option<String>,
    /// The person who chose to go on with the account that is signed in.
    pub chosen: Option<String>,
    /// The error code with which the person ended it.
    pub denied: Option<String>,
}

/// Writes a new request, whose id nobody has used, that lives until `expires_at`.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, flow: &Stored, expires_at: i64) -> Result<(), StoreError> {
    let row = row(tx.vault(), flow, expires_at)?;
    tx.execute(&CREATE, &row).await.map(drop)
}

/// The same by itself.
///
/// # Errors
/// As the database says.
pub async fn keep(db: &Db, flow: &Stored, expires_at: i64) -> Result<(), StoreError> {
    let row = row(db.vault(), flow, expires_at)?;
    db.once("flow", &CREATE, row).await.map(drop)
}

fn row(vault: &Vault, flow: &Stored, expires_at: i64) -> Result<Vec<Value>, StoreError> {
    let request =
        serde_json::to_vec(&flow.request).map_err(|cause| StoreError::Data(cause.to_string()))?;
    // A login_hint may be a phone number.
    let sealed = vault.seal("flow.request", request)?;
    let row = args![
        &flow.id,
        &flow.browser_hash,
        &flow.request.client_id,
        sealed,
        flow.created_at,
        expires_at
    ];
    Ok(row.to_vec())
}

/// A request that is neither answered nor expired.
///
/// # Errors
/// As the database says.
pub async fn find(db: &Db, id: &str, now: i64) -> Result<Option<Stored>, StoreError> {
    let rows = db.ask(&FIND, args![id, now].to_vec()).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let request = db.vault().open("flow.request", &row.blob("request")?)?;
    Ok(Some(Stored {
        id: id.to_owned(),
        browser_hash: row.text("browser_hash")?,
        request: serde_json::from_slice(&request)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        created_at: row.int("created_at")?,
        consented: row.text_opt("consented")?,
        chosen: row.text_opt("chosen")?,
        denied: row.text_opt("denied")?,
    }))
}

/// Remembers who allowed it.
///
/// # Errors
/// As the database says.
pub async fn consented(tx: &mut Tx, id: &str, person: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSENTED, args![id, now, person]).await? == 1)
}

/// Remembers who chose to go on.
///
/// # Errors
/// As the database says.
pub async fn choose(tx: &mut Tx, id: &str, person: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CHOOSE, args![id, now, person]).await? == 1)
}

/// Ends it with an error code.
///
/// # Errors
/// As the database says.
pub async fn deny(tx: &mut Tx, id: &str, code: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&DENY, args![id, code]).await? == 1)
}

/// Takes it for the one answer; false if it was answered before.
///
/// # Errors
/// As the database says.
pub async fn answer(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&ANSWER, args![id, now]).await? == 1)
}

/// Removes up to 200 requests that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
