//! `tongban check`, `tongban doctor`, `tongban migrate`.

use clap::Args;
use serde_json::json;

use super::{Failure, Place, data, talk};
use crate::app::open_database;
use crate::doctor::{self, Check};

/// The page of the manual that says what a finding means and what to do.
const MANUAL: &str = "docs/operating/findings.md";

/// Checks a configuration without starting: one line a check, status 1 if anything stands in the
/// way of `tongban serve`.
#[derive(Debug, Args)]
#[command(after_help = "Example: tongban check --config /etc/tongban/tongban.toml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Checks a running deployment: one line a check, and a page of the manual for each finding.
#[derive(Debug, Args)]
#[command(after_help = "Example: tongban doctor --config /etc/tongban/tongban.toml --thorough")]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    /// Reads the whole database too: its file, and every chain of the audit trail.
    #[arg(long)]
    thorough: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Brings the database's schema up to date and prints what was applied.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: tongban migrate --config /etc/tongban/tongban.toml\nBack up before: an older program refuses a newer schema."
)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    place: Place,
    /// Prints what would be applied, and applies nothing.
    #[arg(long)]
    dry_run: bool,
}

fn print(checks: &[Check], as_json: bool) -> Result<(), Failure> {
    let mut findings = 0;
    for Check { name, ok, text } in checks {
        findings += usize::from(!ok);
        let manual = (!ok).then(|| format!("{MANUAL}#{name}"));
        if as_json {
            data(json!({ "check": name, "ok": ok, "text": text, "manual": manual }));
            continue;
        }
        let word = if *ok { "ok" } else { "finding" };
        // One line a check: a hint stands behind its sentence.
        let line = text.replace('\n', " · ");
        let manual = manual.map(|manual| format!(" · see {manual}")).unwrap_or_default();
        data(format_args!("{word:<8} {name:<13} {line}{manual}"));
    }
    match findings {
        0 => Ok(()),
        1 => Err(Failure::No("1 finding".to_owned())),
        more => Err(Failure::No(format!("{more} findings"))),
    }
}

/// Runs `tongban check`.
pub(super) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let mut checks = doctor::settings(&config);
    checks.extend(doctor::standing(&config, &args.place.file()).await);
    checks.extend(doctor::standing_keys(&config).await);
    print(&checks, args.json)
}

/// Runs `tongban doctor`.
pub(super) async fn doctor(args: DoctorArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let mut checks = doctor::settings(&config);
    if config.server.demo {
        // A demo is what it says it is.
        checks.retain(|check| check.ok);
    }
    checks.extend(doctor::standing(&config, &args.place.file()).await);
    checks.extend(doctor::running(&config, args.thorough).await);
    print(&checks, args.json)
}

/// Runs `tongban migrate`.
pub(super) async fn migrate(args: MigrateArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let missing = doctor::migrations_missing(&config).await?;
    if !args.dry_run {
        open_database(&config).await?;
    }
    for name in &missing {
        data(name);
    }
    talk(match (missing.len(), args.dry_run) {
        (0, _) => "the schema was up to date".to_owned(),
        (n, true) => format!("{n} migrations would be applied"),
        (n, false) => format!("{n} migrations were applied"),
    });
    Ok(())
}
