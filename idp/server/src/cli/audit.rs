//! `tongban audit …`: the citizens' audit trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use idp_store::checkpoint::Summary;
use idp_store::{Db, StoreError, audit};

use super::{Failure, Place, data, talk};
use crate::app::open_database;
use crate::checkpoint::{self, Outcome};

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
    /// Verifies every chain, and against the checkpoint; names the first broken line and exits 1.
    #[command(
        after_help = "Example: tongban audit verify --config tongban.toml --checkpoint /mnt/worm/audit.checkpoint"
    )]
    Verify {
        /// Compares with this copy (default: `[audit] checkpoint`, if it is there).
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Writes a signed checkpoint of every chain's head, if the last one still holds.
    #[command(after_help = "Example: tongban audit checkpoint --out /mnt/worm/audit.checkpoint")]
    Checkpoint {
        /// Where to (default: `[audit] checkpoint`).
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Begins anew although the last one does not hold (after a restore); that one is kept
        /// beside it.
        #[arg(long)]
        anew: bool,
        /// Prints the checkpoint's totals as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the trail, one JSON object a line, with everything that its hashes are made of.
    #[command(after_help = "Example: tongban audit export --person ID > trail.jsonl")]
    Export {
        /// One person's chain (default: all).
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
}

/// Runs `tongban audit …`.
pub(super) async fn run(args: AuditArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let db = open_database(&config).await?;
    let configured = Some(config.audit.checkpoint).filter(|path| !path.as_os_str().is_empty());
    match args.command {
        Command::Verify { checkpoint } => verify(&db, checkpoint, configured).await,
        Command::Checkpoint { out, anew, json } => {
            let path = out.or(configured).ok_or_else(|| {
                Failure::Usage("`[audit] checkpoint` is empty\nhint: give --out FILE".to_owned())
            })?;
            let now = crate::ambient::system().now();
            if anew && path.exists() {
                let aside = checkpoint::put_aside(&path, now)?;
                talk(format_args!("the last one is kept as {}", aside.display()));
            }
            let summary = told(checkpoint::write(&db, &path, now).await?)?;
            talk(format_args!("written: {}", path.display()));
            if json {
                data(serde_json::to_string(&summary)?);
            } else {
                data(sentence(&summary));
            }
            Ok(())
        }
        Command::Export { person } => export(&db, person).await,
    }
}

fn no(broken: &audit::Broken) -> Failure {
    let audit::Broken { person_id, n, fault } = broken;
    Failure::No(format!("person {person_id}: line {n} is {fault}"))
}

fn told(outcome: Outcome) -> Result<Summary, Failure> {
    match outcome {
        Outcome::Holds(summary) => Ok(summary),
        Outcome::Broken(broken) => Err(no(&broken)),
    }
}

fn sentence(summary: &Summary) -> String {
    let Summary { at, chains, lines, key } = summary;
    let seconds = at.div_euclid(1000);
    let when = time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| at.to_string());
    format!("checkpoint of {when}: {chains} chains, {lines} lines, key {key}")
}

async fn verify(
    db: &Db,
    given: Option<PathBuf>,
    configured: Option<PathBuf>,
) -> Result<(), Failure> {
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
            return Err(no(&broken));
        }
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    data("ok: every chain is whole");
    match (given, configured) {
        (None, Some(path)) if !path.exists() => not_compared(),
        (None, None) => not_compared(),
        (Some(path), _) | (None, Some(path)) => {
            let summary = told(checkpoint::compare(db, &path).await?)?;
            data(format_args!("ok: every chain holds what the {}", sentence(&summary)));
        }
    }
    Ok(())
}

fn not_compared() {
    talk(
        "there is no checkpoint: a chain that was deleted whole, or rolled back with its head, does not show\n\
         hint: `tongban audit checkpoint` writes one; keep copies away from the database",
    );
}

async fn export(db: &Db, person: Option<String>) -> Result<(), Failure> {
    let alone = person.is_some();
    let mut after = (person.unwrap_or_default(), 0);
    loop {
        let from = after.clone();
        let lines = db.read::<_, StoreError, _>("audit_export", move |tx| {
            let from = from.clone();
            Box::pin(async move { audit::export(tx, (&from.0, from.1), alone).await })
        });
        let lines = lines.await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = (last.person_id.clone(), last.shown.n);
        for line in &lines {
            data(serde_json::to_string(line)?);
        }
    }
}
