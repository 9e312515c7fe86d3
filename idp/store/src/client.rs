//! Partners.

use idp_protocol::client::Client;

use crate::client_document::Document;
use crate::{Db, Row, StoreError, Tx, args, statement};

statement!(
    FIND,
    "select c.registration, c.secret_hash, c.disabled_at, d.fetched_at, d.expires_at from client c
     left join client_document d on d.client_id = c.client_id where c.client_id = $1"
);
statement!(
    STANDS_FOR_TOKEN,
    "select c.client_id from client c where c.client_id = $1 and c.disabled_at is null
     and not exists (select 1 from revoked_token where jti = $2)",
    together: "select asked, c.client_id
     from unnest($1::text[], $2::text[]) with ordinality as sent (client_id, jti, asked)
     join client c on c.client_id = sent.client_id where c.disabled_at is null
     and not exists (select 1 from revoked_token where jti = sent.jti)"
);
statement!(
    LIST,
    "select c.registration, c.secret_hash, c.disabled_at, d.fetched_at, d.expires_at from client c
     left join client_document d on d.client_id = c.client_id order by c.client_id"
);
statement!(
    CREATE,
    "insert into client (client_id, registration, secret_hash, created_at, updated_at)
     values ($1, $2, $3, $4, $4)"
);
statement!(
    UPDATE,
    "update client set registration = $2, secret_hash = $3, updated_at = $4 where client_id = $1"
);
statement!(DISABLE, "update client set disabled_at = $2, updated_at = $3 where client_id = $1");
statement!(DELETE, "delete from client where client_id = $1");

/// A client with the keyed hash of its secret.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The registration.
    pub client: Client,
    /// Keyed hash of the secret; none for clients without one.
    pub secret_hash: Option<String>,
    /// The operator keeps it out; only [`disable`] says so, no other write.
    pub disabled: bool,
    /// Its registration is the document at its `client_id`; only [`crate::client_document::keep`]
    /// says so.
    pub document: Option<Document>,
}

/// The keyed hash of a client secret. Secrets are random and long, so that a slow hash would only
/// cost (limits: what peers pay twice); the key makes a stolen table useless for chosen ones.
#[must_use]
pub fn secret_hash(tx: &Tx, secret: &str) -> String {
    tx.vault().blind("client.secret", secret)
}

fn read(row: &Row) -> Result<Registered, StoreError> {
    let mut client: Client = serde_json::from_str(&row.text("registration")?)
        .map_err(|cause| StoreError::Data(cause.to_string()))?;
    let disabled = row.int_opt("disabled_at")?.is_some();
    let document = match (row.int_opt("fetched_at")?, row.int_opt("expires_at")?) {
        (Some(fetched_at), Some(expires_at)) => Some(Document { fetched_at, expires_at }),
        _ => None,
    };
    client.published = document.is_some();
    Ok(Registered { client, secret_hash: row.text_opt("secret_hash")?, disabled, document })
}

pub(crate) fn write(client: &Client) -> Result<String, StoreError> {
    serde_json::to_string(client).map_err(|cause| StoreError::Data(cause.to_string()))
}

/// A client by id.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, client_id: &str) -> Result<Option<Registered>, StoreError> {
    tx.optional(&FIND, args![client_id]).await?.as_ref().map(read).transpose()
}

/// Whether an access token of the client's own stands: a client that was removed or is kept out
/// has none left.
///
/// # Errors
/// As the database says.
pub async fn stands_for_token(db: &Db, client_id: &str, jti: &str) -> Result<bool, StoreError> {
    Ok(!db.ask(&STANDS_FOR_TOKEN, args![client_id, jti].to_vec()).await?.is_empty())
}

/// All clients.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx) -> Result<Vec<Registered>, StoreError> {
    tx.all(&LIST, args![]).await?.iter().map(read).collect()
}

/// Writes a new client.
///
/// # Errors
/// [`StoreError::Conflict`] if the id is taken.
pub async fn create(tx: &mut Tx, registered: &Registered, now: i64) -> Result<(), StoreError> {
    let text = write(&registered.client)?;
    let row = args![&registered.client.client_id, text, registered.secret_hash.as_deref(), now];
    tx.execute(&CREATE, row).await.map(drop)
}

/// Overwrites a client; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn update(tx: &mut Tx, registered: &Registered, now: i64) -> Result<bool, StoreError> {
    let text = write(&registered.client)?;
    let row = args![&registered.client.client_id, text, registered.secret_hash.as_deref(), now];
    Ok(tx.execute(&UPDATE, row).await? == 1)
}

/// Keeps a client out from `at` (milliseconds UTC), or lets it in again; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn disable(
    tx: &mut Tx,
    client_id: &str,
    at: Option<i64>,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&DISABLE, args![client_id, at, now]).await? == 1)
}

/// Removes a client; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn delete(tx: &mut Tx, client_id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, args![client_id]).await? == 1)
}
