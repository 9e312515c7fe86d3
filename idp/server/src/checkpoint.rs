//! The audit trail's checkpoint as a file: written whole or not at all, and never over one that
//! does not hold any more, because that one is the evidence.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use idp_store::audit::Broken;
use idp_store::checkpoint::{self, Reader, Summary, Unusable, Writer};
use idp_store::{Db, StoreError};

/// Chains that are compared in one unit.
const STEP: usize = 500;

/// What came of writing or comparing.
pub(crate) enum Outcome {
    /// Every chain is as the checkpoint says.
    Holds(Summary),
    /// A chain is not.
    Broken(Broken),
}

/// Compares every chain with a checkpoint.
///
/// # Errors
/// [`Unusable`], also if the file is not there.
pub(crate) async fn compare(db: &Db, path: &Path) -> Result<Outcome, Unusable> {
    let open = || Reader::begin(BufReader::new(File::open(path)?), db.vault());
    let mut checked = open()?;
    while !checked.heads(STEP)?.is_empty() {}
    // The signature holds: what is read again is what was signed.
    let mut reader = open()?;
    loop {
        let heads = reader.heads(STEP)?;
        if heads.is_empty() {
            return Ok(Outcome::Holds(reader.summary().clone()));
        }
        let broken = db.read::<_, StoreError, _>("checkpoint_compare", move |tx| {
            let heads = heads.clone();
            Box::pin(async move { checkpoint::compare(tx, &heads).await })
        });
        if let Some(broken) = broken.await? {
            return Ok(Outcome::Broken(broken));
        }
    }
}

/// Writes a checkpoint of this moment, if what the last one says still holds.
///
/// # Errors
/// [`Unusable`]. The last checkpoint stays as it is.
pub(crate) async fn write(db: &Db, path: &Path, at: i64) -> Result<Outcome, Unusable> {
    if path.exists()
        && let Outcome::Broken(broken) = compare(db, path).await?
    {
        return Ok(Outcome::Broken(broken));
    }
    let fresh = beside(path, &format!("{at}.tmp"));
    let written = fill(db, &fresh, at).await;
    if matches!(written, Ok(Outcome::Holds(_))) {
        replace(&fresh, path)?;
    } else {
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(word);
    path.with_file_name(name)
}

async fn fill(db: &Db, path: &Path, at: i64) -> Result<Outcome, Unusable> {
    // Whose chains there are is nobody else's business.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut writer = Writer::begin(BufWriter::new(file), db.vault(), at)?;
    let mut after = String::new();
    loop {
        let from = after.clone();
        let heads = db.read::<_, StoreError, _>("checkpoint_heads", move |tx| {
            let from = from.clone();
            Box::pin(async move { checkpoint::heads(tx, &from).await })
        });
        let heads = match heads.await? {
            Ok(heads) => heads,
            Err(broken) => return Ok(Outcome::Broken(broken)),
        };
        let Some(last) = heads.last() else { break };
        after.clone_from(&last.person_id);
        writer.add(&heads)?;
    }
    let (mut out, summary) = writer.seal()?;
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(Outcome::Holds(summary))
}

/// The new one takes the place in one step; a directory entry is durable when the directory is.
fn replace(fresh: &Path, path: &Path) -> Result<(), Unusable> {
    fs::rename(fresh, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// Puts a checkpoint that does not hold any more aside, where it stays as evidence; where to.
///
/// # Errors
/// [`Unusable::Io`].
pub(crate) fn put_aside(path: &Path, at: i64) -> Result<PathBuf, Unusable> {
    let aside = beside(path, &format!("until-{at}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use idp_store::audit::{self, Line};
    use idp_store::{Options, Tx, Vault, args, statement};

    use super::*;

    statement!(DELETE_CHAIN, "delete from audit_line where person_id = 'p1'");
    statement!(DELETE_HEAD, "delete from audit_head where person_id = 'p1'");

    async fn tell(db: &Db, person: &'static str) {
        db.write::<_, StoreError, _>("tell", move |tx: &mut Tx| {
            Box::pin(async move {
                let details = serde_json::json!({});
                let line = Line { at: 1, kind: "sign_in", actor: "self".to_owned(), details };
                audit::append(tx, person, line).await
            })
        })
        .await
        .unwrap();
    }

    fn holds(outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Holds(summary) => summary.chains,
            Outcome::Broken(broken) => panic!("{broken:?}"),
        }
    }

    fn fault(outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Holds(summary) => panic!("{summary:?}"),
            Outcome::Broken(broken) => broken.fault,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_checkpoint_that_tells_of_a_deletion_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
        let vault = Vault::new(&[&[7; 32]]).unwrap();
        let db = Db::open(Options { url, connections: 2, vault }).await.unwrap();
        let path = directory.path().join("audit.checkpoint");
        assert!(matches!(compare(&db, &path).await, Err(Unusable::Io(_))));
        tell(&db, "p1").await;
        assert_eq!(holds(write(&db, &path, 10).await.unwrap()), 1);
        tell(&db, "p1").await;
        tell(&db, "p2").await;
        assert_eq!(holds(compare(&db, &path).await.unwrap()), 1);
        assert_eq!(holds(write(&db, &path, 20).await.unwrap()), 2);
        db.write::<_, StoreError, _>("tamper", |tx: &mut Tx| {
            Box::pin(async move {
                tx.execute(&DELETE_CHAIN, args![]).await?;
                tx.execute(&DELETE_HEAD, args![]).await
            })
        })
        .await
        .unwrap();
        let before = fs::read(&path).unwrap();
        assert_eq!(fault(compare(&db, &path).await.unwrap()), "deleted");
        assert_eq!(fault(write(&db, &path, 30).await.unwrap()), "deleted");
        assert_eq!(fs::read(&path).unwrap(), before, "the evidence stands");
        // Begun anew on purpose, it is kept beside the new one; nothing half-written is.
        let aside = put_aside(&path, 40).unwrap();
        assert_eq!(holds(write(&db, &path, 40).await.unwrap()), 1);
        assert_eq!(fs::read(aside).unwrap(), before);
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("audit"))
            .collect();
        names.sort();
        assert_eq!(names, ["audit.checkpoint", "audit.checkpoint.until-40"]);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
