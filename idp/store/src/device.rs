//! Device authorizations: one row from the device's request to its tokens.

use idp_protocol::scope::Scope;
use idp_protocol::target::Targets;
use serde::{Deserialize, Serialize};

use crate::{Row, StoreError, Tx, args, statement};

statement!(
    CREATE,
    "insert into device_authorization (id, secret_hash, user_code, client_id, asked, state, pace,
     asked_at, created_at, expires_at) values ($1, $2, $3, $4, $5, 'waiting', $6, 0, $7, $8)
     on conflict (user_code) do nothing"
);
statement!(
    FIND,
    "select id, secret_hash, client_id, asked, state, grant_id, created_at, expires_at
     from device_authorization where id = $1"
);
statement!(
    FIND_BY_CODE,
    "select id, secret_hash, client_id, asked, state, grant_id, created_at, expires_at
     from device_authorization where user_code = $1 and state = 'waiting' and expires_at > $2"
);
statement!(
    POLL,
    "update device_authorization set asked_at = $2
     where id = $1 and asked_at + pace - $3 <= $2"
);
statement!(
    SLOW_DOWN,
    "update device_authorization set asked_at = $2,
     pace = case when pace < $4 then pace + $3 else pace end where id = $1"
);
statement!(
    ALLOW,
    "update device_authorization set state = 'allowed', grant_id = $2
     where id = $1 and state = 'waiting' and expires_at > $3"
);
statement!(
    DENY,
    "update device_authorization set state = 'denied' where id = $1 and state = 'waiting'"
);
statement!(
    CONSUME,
    "update device_authorization set state = 'used'
     where id = $1 and client_id = $3 and state = 'allowed' and expires_at > $2"
);
statement!(
    PRUNE,
    "delete from device_authorization where id in
     (select id from device_authorization where expires_at < $1 limit 200)"
);

/// What a device asked for, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Scopes that the client may ask for.
    pub scope: Scope,
    /// Resources and details.
    #[serde(default)]
    pub targets: Targets,
    /// Network of the device, or of the server that asked for it.
    pub network: String,
}

/// A device authorization as stored.
#[derive(Debug, Clone)]
pub struct Device {
    /// Row id.
    pub id: String,
    /// Digest of the device code's secret.
    pub secret_hash: String,
    /// Whose device it is.
    pub client_id: String,
    /// What it asked for.
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

/// How often a device may ask, milliseconds (RFC 8628 §3.5).
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The interval that the device was told, and by which each hurry lengthens it.
    pub interval: i64,
    /// A message that travels faster than the one before it is no hurry.
    pub slack: i64,
    /// The longest interval.
    pub most: i64,
}

fn read(tx: &Tx, row: &Row) -> Result<Device, StoreError> {
    let asked = tx.vault().open("device.asked", &row.blob("asked")?)?;
    Ok(Device {
        id: row.text("id")?,
        secret_hash: row.text("secret_hash")?,
        client_id: row.text("client_id")?,
        asked: serde_json::from_slice(&asked)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        state: row.text("state")?,
        grant_id: row.text_opt("grant_id")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

fn digest(tx: &Tx, user_code: &str) -> String {
    tx.vault().blind("device.user_code", user_code)
}

/// Writes a new authorization that waits for its person; false if the user code is taken.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    device: &Device,
    user_code: &str,
    pace: i64,
) -> Result<bool, StoreError> {
    let asked =
        serde_json::to_vec(&device.asked).map_err(|cause| StoreError::Data(cause.to_string()))?;
    let (sealed, code) = (tx.vault().seal("device.asked", asked)?, digest(tx, user_code));
    let row = args![
        &device.id,
        &device.secret_hash,
        code,
        &device.client_id,
        sealed,
        pace,
        device.created_at,
        device.expires_at
    ];
    Ok(tx.execute(&CREATE, row).await? == 1)
}

/// An authorization, whatever became of it.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Device>, StoreError> {
    let row = tx.optional(&FIND, args![id]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// The authorization of a user code, if it still waits.
///
/// # Errors
/// As the database says.
pub async fn find_by_code(
    tx: &mut Tx,
    user_code: &str,
    now: i64,
) -> Result<Option<Device>, StoreError> {
    let code = digest(tx, user_code);
    let row = tx.optional(&FIND_BY_CODE, args![code, now]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// Counts a question of the device; false if it came too early, and then the next must come later
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
pub async fn deny(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&DENY, args![id]).await? == 1)
}

/// Takes it for the one issue of tokens: of two questions at once, one gets true.
///
/// # Errors
/// As the database says.
pub async fn consume(tx: &mut Tx, id: &str, client_id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONSUME, args![id, now, client_id]).await? == 1)
}

/// Removes up to 200 authorizations that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
