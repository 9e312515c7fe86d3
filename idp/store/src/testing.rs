//! For tests of any room: a database of their own on a server that they share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Db, Options, StoreError, Vault};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Makes an empty database beside the one that `server` names and opens it with the whole schema.
///
/// # Errors
/// As the server says; an unreachable one is an error, never a skip.
pub async fn fresh_postgres(server: &str, vault: Vault) -> Result<Db, StoreError> {
    let url = fresh_postgres_url(server).await?;
    Db::open(Options { url, connections: 6, vault }).await
}

/// The address of an empty database beside the one that `server` names.
///
/// # Errors
/// As [`fresh_postgres`].
pub async fn fresh_postgres_url(server: &str) -> Result<String, StoreError> {
    let name =
        format!("tongban_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    crate::postgres::create_database(server, &name).await?;
    let (base, _) = server
        .rsplit_once('/')
        .ok_or_else(|| StoreError::Database("the address names no database".to_owned()))?;
    Ok(format!("{base}/{name}"))
}

/// Every row of every table of a database of PostgreSQL, as the server sends it in binary: text
/// and blobs stand there byte for byte.
///
/// # Errors
/// As the server says.
pub async fn postgres_bytes(url: &str) -> Result<Vec<u8>, StoreError> {
    crate::postgres::bytes(url).await
}
