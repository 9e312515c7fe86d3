//! Backups of a deployment on the embedded database: one sealed file that holds the database, the
//! configuration and the keys, and the proof that it can be used.

mod contents;
mod proof;
mod sealed;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_store::{Db, StoreError, Vault, account};
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::config::Config;
use crate::{ambient, app};

pub(crate) use proof::{audit_trail, prove};

/// What a backup says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of the layout.
    pub(crate) version: u32,
    /// Version of the program that made it.
    pub(crate) program: String,
    /// Milliseconds UTC.
    pub(crate) made_at: i64,
    /// Whose it is.
    pub(crate) issuer: String,
    /// Accounts in it.
    pub(crate) accounts: i64,
}

/// The layout that this program writes and reads.
const VERSION: u32 = 1;

/// Beside the database: when the last backup was made, for `tongban doctor`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Last {
    /// Milliseconds UTC.
    pub(crate) at: i64,
    /// Bytes of the backup.
    pub(crate) bytes: u64,
}

/// The file of the embedded database; none on a server.
pub(crate) fn database_file(config: &Config) -> Option<PathBuf> {
    config.database.url.strip_prefix("sqlite://").map(PathBuf::from)
}

/// Where [`Last`] stands.
pub(crate) fn last_file(database: &Path) -> PathBuf {
    database.with_extension("last-backup")
}

/// Reads the key of backups.
///
/// # Errors
/// [`Failure::No`] if it cannot be read, or is none.
pub(crate) fn key(file: &Path) -> Result<Vault, Failure> {
    const HINT: &str = "hint: make one with `tongban secret > backup.key` and keep it elsewhere \
                        than the backups; without it no backup can be read";
    let text = std::fs::read_to_string(file)
        .map_err(|cause| Failure::No(format!("{}: {cause}\n{HINT}", file.display())))?;
    let key = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
    if key.len() < 32 {
        return Err(Failure::No(format!("{} holds no key\n{HINT}", file.display())));
    }
    Ok(Vault::new(&[&key])?)
}

/// A file that only its owner can read, and that did not exist.
pub(crate) fn private(file: &Path) -> Result<File, Failure> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.create_new(true).write(true).mode(0o600).open(file);
    opened.map_err(|cause| Failure::No(format!("{}: {cause}", file.display())))
}

/// A file that is removed again, however this ends, with what the engine put beside it: its
/// connections may close after this, on their own thread, or not at all before the program ends.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        for beside in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(beside);
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Makes a backup of the deployment whose configuration is `config`, written in `file_of_config`.
///
/// # Errors
/// [`Failure::No`] on a database server, if `to` exists, or if the disk refuses.
pub(crate) async fn make(
    config: &Config,
    file_of_config: &Path,
    key: &Vault,
    to: &Path,
) -> Result<Manifest, Failure> {
    let Some(database) = database_file(config) else {
        return Err(Failure::No(
            "the database is a server, which makes backups of its own.\n\
             hint: docs/operating/backup.md says which, and what belongs to them besides"
                .to_owned(),
        ));
    };
    if to.exists() {
        return Err(Failure::No(format!("{} exists already", to.display())));
    }
    let db = app::open_database(config).await?;
    let copy = Temporary(database.with_extension(format!("backup-{}", std::process::id())));
    // Made before the engine writes to it, so that nobody else ever can read it.
    drop(private(&copy.0)?);
    db.copy_to(&copy.0).await?;
    let manifest = Manifest {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: ambient::system().now(),
        issuer: config.server.issuer.clone(),
        accounts: accounts(&copied(config, &copy.0).await?).await?,
    };
    let partial = Temporary(to.with_extension("partial"));
    let out = private(&partial.0)?;
    let mut sealer = sealed::Sealer::begin(std::io::BufWriter::new(out), key.clone())?;
    contents::write(&mut sealer, &manifest, config, file_of_config, &copy.0)?;
    let out = sealer.finish()?.into_inner().map_err(|cause| Failure::No(cause.to_string()))?;
    out.sync_all()?;
    let bytes = out.metadata()?.len();
    std::fs::rename(&partial.0, to)?;
    let last = Last { at: manifest.made_at, bytes };
    std::fs::write(last_file(&database), serde_json::to_string(&last)?)?;
    Ok(manifest)
}

/// The copy as a database, under the deployment's own keys.
async fn copied(config: &Config, file: &Path) -> Result<Db, Failure> {
    let mut config = config.clone();
    config.database.url = format!("sqlite://{}", file.display());
    Ok(app::open_database(&config).await?)
}

async fn accounts(db: &Db) -> Result<i64, StoreError> {
    db.read::<_, StoreError, _>("accounts", |tx| Box::pin(account::count(tx))).await
}

/// Opens a backup into a directory that does not exist or is empty, whole or not at all.
///
/// # Errors
/// [`Failure::No`] for a wrong key, a file that was changed or cut, or a full disk.
pub(crate) fn open(backup: &Path, key: &Vault, to: &Path) -> Result<Manifest, Failure> {
    if std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::No(format!(
            "{} is not empty\nhint: restore into a new directory, look at it, then take it into use",
            to.display()
        )));
    }
    let file = File::open(backup)
        .map_err(|cause| Failure::No(format!("{}: {cause}", backup.display())))?;
    let partial = to.with_extension("partial");
    std::fs::create_dir_all(&partial)?;
    let opened = contents::read(std::io::BufReader::new(file), key, &partial);
    let moved = opened.and_then(|manifest| {
        let _ = std::fs::remove_dir(to);
        std::fs::rename(&partial, to)?;
        Ok(manifest)
    });
    if moved.is_err() {
        let _ = std::fs::remove_dir_all(&partial);
    }
    moved
}

/// Writes a file that only its owner can read.
fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    private(file)?.write_all(bytes)?;
    Ok(())
}
