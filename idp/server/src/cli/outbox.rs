//! `tongban outbox …`: effects that did not reach their counterpart, from the operator's side.

use clap::{Args, Subcommand};
use idp_store::outbox::{self, Stuck};
use idp_store::{Db, StoreError};
use serde_json::json;

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::open_database;

/// Messages, parcels, payments and notices to partners that did not arrive.
#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what was given up or refused, and what is tried again after a failure; newest first.
    /// Nothing of what they say is shown.
    #[command(after_help = "Example: tongban outbox list --json")]
    List {
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Prints one JSON object a row.
        #[arg(long)]
        json: bool,
    },
    /// Begins anew with one that was given up or refused. Parcels and payments are left out: they
    /// may have arrived, and twice would be one too many.
    #[command(after_help = "Example: tongban outbox retry 1795400000000-3f2a")]
    Retry {
        /// The row's id, as `list` shows it.
        id: String,
    },
}

/// Runs `tongban outbox …`; the running nodes see it within seconds.
pub(super) async fn run(args: OutboxArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    match args.command {
        Command::List { limit, json } => list(&db, limit, json).await,
        Command::Retry { id } => retry(&db, id).await,
    }
}

async fn list(db: &Db, limit: u32, as_json: bool) -> Result<(), Failure> {
    let rows: Vec<Stuck> =
        db.read::<_, StoreError, _>("stuck", move |tx| Box::pin(outbox::stuck(tx, limit))).await?;
    for row in &rows {
        if as_json {
            data(json!({
                "id": row.id,
                "interface": row.interface,
                "subject": row.subject,
                "state": row.state,
                "attempts": row.attempts,
                "problem": row.problem,
                "created_at": row.created_at,
                "next_at": row.next_at,
            }));
        } else {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let (subject, problem) = (text(&row.subject), text(&row.problem));
            // A row is a line; the hint of the cause stands in the JSON.
            let problem = problem.lines().next().unwrap_or_default();
            let Stuck { id, interface, state, attempts, .. } = row;
            data(format_args!("{id}\t{interface}\t{subject}\t{state}\t{attempts}\t{problem}"));
        }
    }
    if rows.is_empty() {
        talk("nothing is stuck");
    }
    Ok(())
}

async fn retry(db: &Db, id: String) -> Result<(), Failure> {
    let (key, now) = (id.clone(), ambient::system().now());
    let revived = db
        .write::<_, StoreError, _>("outbox_retry", move |tx| {
            let key = key.clone();
            Box::pin(async move { outbox::revive(tx, &key, now).await })
        })
        .await?;
    if !revived {
        return Err(Failure::No(
            "no effect of this id was given up or refused, or it may not be sent twice\n\
             hint: `tongban outbox list` names them"
                .to_owned(),
        ));
    }
    data(id);
    Ok(())
}
