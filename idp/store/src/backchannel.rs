//! Requests over the back channel: one row from the client's request to its tokens.

use idp_protocol::acr::Wanted;
use idp_protocol::scope::Scope;
use idp_protocol::target::Targets;
use serde::{Deserialize, Serialize};

use crate::device::Pace;
use crate::{Row, StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into backchannel_request (id, secret_hash, client_id, person_id, asked, state, pace,
     asked_at, created_at, expires_at) values ($1, $2, $3, $4, $5, 'waiting', $6, 0, $7, $8)"
);
statement!(
    FIND,
    "select id, secret_hash, client_id, person_id, asked, state, grant_id, created_at, expires_at
     from backchannel_request where id = $1"
);
statement!(
    WAITING_OF,
    "select id, secret_hash, client_id, person_id, asked, state, grant_id, created_at, expires_at
     from backchannel_request where person_id = $1 and state = 'waiting' and expires_at > $2
     order by id limit 20"
);
statement!(
    WAITING,
    "select id, secret_hash, client_id, person_id, asked, state, grant_id, created_at, expires_at
     from backchannel_request where state = 'waiting' and expires_at > $1 order by id limit 200"
);
statement!(
    POLL,
    "update backchannel_request set asked_at = $2
     where id = $1 and asked_at + pace - $3 <= $2"
);
statement!(
    SLOW_DOWN,
    "update backchannel_request set asked_at = $2,
     pace = case when pace < $4 then pace + $3 else pace end where id = $1"
);
statement!(
    ALLOW,
    "update backchannel_request set state = 'allowed', grant_id = $2
     where id = $1 and state = 'waiting' and expires_at > $3"
);
statement!(
    DENY,
    "update backchannel_request set state = 'denied'
     where id = $1 and state = 'waiting' and expires_at > $2"
);
statement!(
    CONSUME,
    "update backchannel_request set state = 'used'
     where id = $1 and client_id = $3 and state = 'allowed' and expires_at > $2"
);
statement!(
    PRUNE,
    "delete from backchannel_request where id in
     (select id from backchannel_request where expires_at < $1 limit 200)"
);

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Scopes that the client may ask for.
    pub scope: Scope,
    /// Resources and details.
    #[serde(default)]
    pub targets: Targets,
    /// Levels asked for.
    pub acr: Wanted,
    /// Shown to the person.
    pub binding_message: Option<String>,
    /// What a ping needs, for a client that is pinged.
    pub ping: Option<Ping>,
}

/// A ping (CIBA Core §10.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// With what it authenticates.
    pub token: String,
    /// What it is about.
    pub auth_req_id: String,
}

/// A request as stored.
#[derive(Debug, Clone)]
pub struct Backchannel {
    /// Row id.
    pub id: String,
    /// Digest of the secret part of its `auth_req_id`.
    pub secret_hash: String,
    /// Who asks.
    pub client_id: String,
    /// Whom it means; empty: nobody.
    pub person_id: String,
    /// What is asked for.
    pub asked: Asked,
    /// `waiting`, `allowed`, `denied` or `used`.
    pub state: String,
    /// What the person allowed.
    pub grant_id: Option<String>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

fn read(tx: &Tx, row: &Row) -> Result<Backchannel, StoreError> {
    let asked = tx.vault().open("backchannel.asked", &row.blob("asked")?)?;
    Ok(Backchannel {
        id: row.text("id")?,
        secret_hash: row.text("secret_hash")?,
        client_id: row.text("client_id")?,
        person_id: row.text("person_id")?,
        asked: serde_json::from_slice(&asked)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        state: row.text("state")?,
        grant_id: row.text_opt("grant_id")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

/// Writes a new request that waits for its person.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, new: &Backchannel, pace: i64) -> Result<(), StoreError> {
    let asked =
        serde_json::to_vec(&new.asked).map_err(|cause| StoreError::Data(cause.to_string()))?;
    let sealed = tx.vault().seal("backchannel.asked", asked)?;
    let row = args![
        &new.id,
        &new.secret_hash,
        &new.client_id,
        &new.person_id,
        sealed,
        pace,
        new.created_at,
        new.expires_at
    ];
    tx.execute(&CREATE, row).await.map(drop)
}

/// A request, whatever became of it.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Backchannel>, StoreError> {
    let row = tx.optional(&FIND, args![id]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// What waits for a person, the oldest first, at most 20.
///
/// # Errors
/// As the database says.
pub async fn waiting_of(
    tx: &mut Tx,
    person: &str,
    now: i64,
) -> Result<Vec<Backchannel>, StoreError> {
    let rows = tx.all(&WAITING_OF, args![person, now]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// What waits, for the operator; at most 200.
///
/// # Errors
/// As the database says.
pub async fn waiting(tx: &mut Tx, now: i64) -> Result<Vec<Backchannel>, StoreError> {
    let rows = tx.all(&WAITING, args![now]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Counts a question of the client; false if it came too early, and then the next must come later
/// still.
///
/// # Errors
/// As the database says.
pub async fn poll(tx: &mut Tx, id: &str, now: i64, pace: Pace) -> Result<bool, StoreError> {
    if tx.execute(&POLL, args![id, now, pace.slack]).await? == 1 {
        return Ok(true);
    }
    tx.execute(&SLOW_DOWN, args![id, now, pace.interval, pace.most]).await?;
    Ok(false)
}

/// Remembers what the person allowed; false if it does not wait any more.
///
/// # Errors
/// As the database says.
pub async fn allow(tx: &mut Tx, id: &str, grant: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&ALLOW, args![id, grant, now]).await? == 1)
}

/// Remembers that the person refused; false if it does not wait any more.
///
/// # Errors
/// As the database says.
pub async fn deny(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&DENY, args![id, now]).await? == 1)
}

/// Takes it for the one issue of tokens: of two questions at once, one gets true.
///
/// # Errors
/// As the database says.
pub async fn consume(tx: &mut Tx, id: &str, client_id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSUME, args![id, now, client_id]).await? == 1)
}

/// Removes up to 200 requests that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
