//! Partners that the sandbox's console registered: short-lived, each of one developer.

use crate::client::{self, Registered};
use crate::{StoreError, Tx, args, grant, registration, statement};

statement!(
    ADD,
    "insert into sandbox_client (client_id, project, created_at, expires_at)
     select $1, $2, $3, $4
     where (select count(*) from sandbox_client where project = $2) < $5
       and (select count(*) from sandbox_client) < $6"
);
statement!(
    LIST,
    "select client_id from sandbox_client
     where project = $1 and expires_at > $2 order by created_at desc, client_id desc"
);
statement!(REMOVE, "delete from sandbox_client where client_id = $1 and project = $2");
statement!(
    EXPIRED,
    "select client_id, project from sandbox_client where expires_at <= $1
     order by expires_at limit 20"
);

/// Clients of one project.
pub const MOST_OF_ONE: i64 = 10;
/// Clients of all projects together.
pub const MOST: i64 = 2_000;

/// Registers a client for a project until `expires_at` (milliseconds UTC); false, and nothing is
/// written, if the project or the sandbox is full.
///
/// # Errors
/// As the database says.
pub async fn create(
    tx: &mut Tx,
    registered: &Registered,
    project: &str,
    now: i64,
    expires_at: i64,
) -> Result<bool, StoreError> {
    let id = &registered.client.client_id;
    let row = args![id, project, now, expires_at, MOST_OF_ONE, MOST];
    if tx.execute(&ADD, row).await? != 1 {
        return Ok(false);
    }
    client::create(tx, registered, now).await?;
    Ok(true)
}

/// Ids of a project's clients that have not expired, newest first.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx, project: &str, now: i64) -> Result<Vec<String>, StoreError> {
    let rows = tx.all(&LIST, args![project, now]).await?;
    rows.iter().map(|row| row.text("client_id")).collect()
}

/// Removes a project's client and ends what it holds; false if it is not the project's.
///
/// # Errors
/// As the database says.
pub async fn remove(
    tx: &mut Tx,
    client_id: &str,
    project: &str,
    now: i64,
) -> Result<bool, StoreError> {
    if tx.execute(&REMOVE, args![client_id, project]).await? != 1 {
        return Ok(false);
    }
    grant::revoke_all_of_client(tx, client_id, now).await?;
    registration::forget(tx, client_id).await?;
    client::delete(tx, client_id).await?;
    Ok(true)
}

/// Removes clients whose time is over; gives how many.
pub(crate) async fn prune(tx: &mut Tx, now: i64) -> Result<u64, StoreError> {
    let rows = tx.all(&EXPIRED, args![now]).await?;
    let mut removed = 0;
    for row in &rows {
        let (id, project) = (row.text("client_id")?, row.text("project")?);
        removed += u64::from(remove(tx, &id, &project, now).await?);
    }
    Ok(removed)
}
