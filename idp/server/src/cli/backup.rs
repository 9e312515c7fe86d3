//! `tongban backup` and `tongban restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::backup::{self, Manifest};

/// Writes one sealed file with the database, the configuration and the keys; the deployment goes
/// on meanwhile.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: tongban backup /backups/2026-11-24.tongban --key-file /etc/tongban/backup.key --config /etc/tongban/tongban.toml"
)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// The file to write; it must not exist.
    to: PathBuf,
    /// File with the key of backups, 32 bytes in base64url: `tongban secret > backup.key`.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Opens a backup into a new directory and proves it: the file is whole, the keys fit, the
/// accounts are there, the audit trail verifies.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: tongban restore /backups/2026-11-24.tongban --key-file backup.key --to /srv/tongban\n         tongban restore /backups/2026-11-24.tongban --key-file backup.key --prove"
)]
pub(super) struct RestoreArgs {
    /// The backup.
    from: PathBuf,
    /// File with the key of backups.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The directory to make; `tongban serve --data DIR` then serves it.
    #[arg(long, value_name = "DIR", required_unless_present = "prove")]
    to: Option<PathBuf>,
    /// Restores beside the backup, proves, and removes what was restored.
    #[arg(long, conflicts_with = "to")]
    prove: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

fn print(manifest: &Manifest, file: &std::path::Path, as_json: bool) {
    if as_json {
        let mut shown = json!(manifest);
        shown["file"] = json!(file.display().to_string());
        data(shown);
    } else {
        data(file.display());
    }
}

/// Runs `tongban backup`.
pub(super) async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let key = backup::key(&args.key_file)?;
    let manifest = backup::make(&config, &args.place.file(), &key, &args.to).await?;
    talk(format_args!("{} accounts are in it", manifest.accounts));
    talk("prove it with `tongban restore FILE --key-file FILE --prove`");
    print(&manifest, &args.to, args.json);
    Ok(())
}

/// Runs `tongban restore`.
pub(super) async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let key = backup::key(&args.key_file)?;
    let beside = || {
        let name = format!("proof-{}", ambient::system().id());
        args.from.with_file_name(name)
    };
    let to = args.to.clone().unwrap_or_else(beside);
    let manifest = backup::open(&args.from, &key, &to)?;
    let proven = backup::prove(&to, &manifest, |step| talk(format_args!("ok: {step}"))).await;
    if args.prove {
        std::fs::remove_dir_all(&to)?;
        proven?;
        print(&manifest, &args.from, args.json);
        return Ok(());
    }
    proven?;
    print(&manifest, &to, args.json);
    Ok(())
}
