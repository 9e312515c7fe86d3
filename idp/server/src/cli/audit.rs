//! `tongban audit …`: the citizens' audit trail.

use clap::{Args, Subcommand};
use idp_store::{StoreError, audit};

use super::{Failure, Place, data};
use crate::app::open_database;

/// The audit trail.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verifies every chain; names the first broken line and exits 1.
    Verify,
}

/// Runs `tongban audit …`.
pub(super) async fn run(args: AuditArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    let Command::Verify = args.command;
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
            let audit::Broken { person_id, n, fault } = broken;
            return Err(Failure::No(format!("person {person_id}: line {n} is {fault}")));
        }
        match last {
            Some(last) => after = last,
            None => {
                data("ok: every chain is whole");
                return Ok(());
            }
        }
    }
}
