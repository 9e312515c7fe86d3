//! The proof of a restored backup: not that it could be read, but that it could be used.

use std::path::Path;

use idp_store::{Db, Options, StoreError, audit, key};

use super::Manifest;
use crate::app;
use crate::cli::Failure;
use crate::config::Config;

/// Verifies every chain of the audit trail.
///
/// # Errors
/// [`Failure::No`] with the first broken line.
pub(crate) async fn audit_trail(db: &Db) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let (last, broken) = db
            .read::<_, StoreError, _>("verify", move |tx| {
                let from = from.clone();
                Box::pin(async move { audit::verify(tx, &from).await })
            })
            .await?;
        if let Some(broken) = broken {
            return Err(Failure::No(format!(
                "the audit trail of person {} is {} at line {}",
                broken.person_id, broken.fault, broken.n
            )));
        }
        let Some(last) = last else { return Ok(()) };
        after = last;
    }
}

/// Proves a restored directory step by step; each step that holds is told.
///
/// # Errors
/// [`Failure::No`] with the step that does not hold.
pub(crate) async fn prove(
    directory: &Path,
    manifest: &Manifest,
    told: impl Fn(&str),
) -> Result<(), Failure> {
    let config = Config::load(&directory.join("tongban.toml"))?;
    told("the configuration can be read");
    let as_it_is = Db::connect(Options {
        url: config.database.url.clone(),
        connections: 1,
        vault: app::vault(&config)?,
    });
    let faults = as_it_is.await?.faults().await?;
    if let Some(fault) = faults.first() {
        return Err(Failure::No(format!("the database is damaged: {fault}")));
    }
    told("the database's file is whole");
    // Brings the schema of an older backup up to date, as starting it would.
    let db = app::open_database(&config).await?;
    told("its schema is known");
    let keys = db.read::<_, StoreError, _>("keys", |tx| Box::pin(key::list(tx))).await;
    let keys = keys.map_err(|_| {
        Failure::No("the signing keys do not open under the backup's master secret".to_owned())
    })?;
    told(&format!("the master secret opens it: {} signing keys", keys.len()));
    let accounts = super::accounts(&db).await?;
    if accounts != manifest.accounts {
        return Err(Failure::No(format!(
            "it has {accounts} accounts where the backup says {}",
            manifest.accounts
        )));
    }
    told(&format!("it has the {accounts} accounts that it says"));
    audit_trail(&db).await?;
    told("every chain of the audit trail is whole");
    Ok(())
}
