//! Clients whose registration is the document at their `client_id`.
//!
//! The operator's word stands over the document: a client that the operator has registered or
//! disabled is not written by it.

use idp_protocol::client::Client;

use crate::{StoreError, Tx, args, client, statement};

statement!(
    WRITE,
    "insert into client (client_id, registration, created_at, updated_at)
     values ($1, $2, $3, $3)
     on conflict (client_id) do update set registration = excluded.registration,
       updated_at = excluded.updated_at
     where client.disabled_at is null and exists
       (select 1 from client_document d where d.client_id = client.client_id)"
);
statement!(
    MARK,
    "insert into client_document (client_id, fetched_at, expires_at) values ($1, $2, $3)
     on conflict (client_id) do update set fetched_at = excluded.fetched_at,
       expires_at = excluded.expires_at"
);
statement!(FORGET, "delete from client_document where client_id = $1");
statement!(
    PRUNE,
    "delete from client where client_id in
     (select d.client_id from client_document d
      join client c on c.client_id = d.client_id and c.disabled_at is null
      where d.expires_at < $1 and not exists
        (select 1 from issued_grant g where g.client_id = d.client_id)
      order by d.expires_at limit 200)"
);
statement!(
    PRUNE_MARKS,
    "delete from client_document where client_id in
     (select d.client_id from client_document d where d.expires_at < $1 and not exists
        (select 1 from client c where c.client_id = d.client_id)
      order by d.expires_at limit 200)"
);

/// When a document was read. Milliseconds UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// 0: never.
    pub fetched_at: i64,
    /// Until then it need not be read again.
    pub expires_at: i64,
}

/// Writes what a document says; false, and nothing written, where the operator has registered or
/// disabled the client.
///
/// # Errors
/// As the database says.
pub async fn keep(
    tx: &mut Tx,
    client: &Client,
    document: Document,
    now: i64,
) -> Result<bool, StoreError> {
    let (id, text) = (&client.client_id, client::write(client)?);
    if tx.execute(&WRITE, args![id, text, now]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&MARK, args![id, document.fetched_at, document.expires_at]).await?;
    Ok(true)
}

/// Forgets that a client was read from a document.
///
/// # Errors
/// As the database says.
pub async fn forget(tx: &mut Tx, client_id: &str) -> Result<(), StoreError> {
    tx.execute(&FORGET, args![client_id]).await.map(drop)
}

/// Deletes up to 200 clients whose document has expired before `before` and of whose grants nothing
/// is left, and the traces of those that are gone. A disabled one stays: it would come back as if
/// nothing had been said.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    let clients = tx.execute(&PRUNE, args![before]).await?;
    tx.execute(&PRUNE_MARKS, args![before]).await?;
    Ok(clients)
}
