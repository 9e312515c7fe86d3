//! What a running deployment shows.

use std::path::Path;
use std::time::Duration;

use idp_store::{Db, StoreError, outbox, staff};

use super::{Check, DAY, addresses, connect, finding, ok, signing_keys, told};
use crate::ambient;
use crate::backup::{Last, audit_trail, database_file, last_file};
use crate::checkpoint::{self, Outcome};
use crate::config::Config;
use crate::counterparts;

const MINUTE: i64 = 60_000;
/// An effect that waits longer than this waits for a counterpart that does not answer.
const WAITS: i64 = 15 * MINUTE;
/// Older backups lose too much.
const BACKUP_AGE: i64 = 2 * DAY;
/// A log of the embedded database above this says that a reader never ends.
const LOG_BYTES: u64 = 1 << 30;
/// How long a counterpart may take to answer the door.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a running deployment shows.
pub(crate) async fn running(config: &Config, thorough: bool) -> Vec<Check> {
    let mut checks = vec![answers(config).await, doors(config).await];
    let Ok(db) = connect(config).await else { return checks };
    let now = ambient::system().now();
    for (name, check) in [
        ("outbox", effects(&db, now).await),
        ("keys", signing_keys::running(config, &db, now).await),
        ("staff", people(&db).await),
    ] {
        checks.push(check.unwrap_or_else(|cause| finding(name, cause.to_string())));
    }
    if let Some(file) = database_file(config) {
        checks.push(log(&file));
        if !config.server.demo {
            checks.push(last_backup(&file, now));
        }
    }
    if thorough {
        // A server looks after its own files.
        if database_file(config).is_some() {
            checks.push(damage(&db).await);
        }
        checks.push(trail(config, &db).await);
    }
    checks
}

async fn damage(db: &Db) -> Check {
    match db.faults().await {
        Ok(faults) if faults.is_empty() => ok("damage", "the database's file is whole"),
        Ok(faults) => finding("damage", faults.into_iter().take(3).collect::<Vec<_>>().join("; ")),
        Err(cause) => finding("damage", cause.to_string()),
    }
}

async fn trail(config: &Config, db: &Db) -> Check {
    if let Err(failure) = audit_trail(db).await {
        return finding("audit", told(failure));
    }
    let path = &config.audit.checkpoint;
    if !path.is_file() {
        return ok("audit", "every chain of the audit trail is whole");
    }
    match checkpoint::compare(db, path).await {
        Ok(Outcome::Holds(_)) => {
            ok("audit", "every chain of the audit trail is whole, and as the checkpoint says")
        }
        Ok(Outcome::Broken(broken)) => finding(
            "audit",
            format!(
                "against the checkpoint, person {}: line {} is {}",
                broken.person_id, broken.n, broken.fault
            ),
        ),
        Err(cause) => finding("audit", format!("{}: {cause}", path.display())),
    }
}

async fn answers(config: &Config) -> Check {
    let client = match counterparts::trusting(config) {
        Ok(builder) => builder.timeout(PATIENCE).build(),
        Err(cause) => return finding("answers", cause.to_string()),
    };
    let address = format!("{}/.well-known/openid-configuration", config.server.issuer);
    let asked = async {
        let client = client?;
        let ready = client.get(format!("{}/health/ready", config.server.issuer)).send().await?;
        ready.error_for_status()?;
        client.get(&address).send().await?.error_for_status()?.json::<serde_json::Value>().await
    };
    let hint = "hint: is `tongban serve` running, and does the name lead here?";
    match asked.await {
        Ok(told) if told["issuer"] == config.server.issuer.as_str() => {
            ok("answers", "it answers under its issuer, and is ready")
        }
        Ok(_) => finding("answers", format!("{address} names another issuer.\n{hint}")),
        // The cause may repeat the whole address, and that is public.
        Err(cause) => finding("answers", format!("it does not answer: {cause}.\n{hint}")),
    }
}

/// Whether each counterpart opens its door. Nothing is asked: a question may cost money.
async fn doors(config: &Config) -> Check {
    let mut closed = Vec::new();
    for (name, address) in addresses(config).into_iter().filter(|(_, address)| !address.is_empty())
    {
        let door = match url::Url::parse(&address) {
            Ok(url) if url.host_str().is_some() => {
                let host = url.host_str().unwrap_or_default();
                format!("{host}:{}", url.port_or_known_default().unwrap_or(443))
            }
            _ => address,
        };
        let opened = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(&door)).await;
        if !matches!(opened, Ok(Ok(_))) {
            closed.push(format!("{name} ({door})"));
        }
    }
    if closed.is_empty() {
        return ok("doors", "every configured counterpart can be reached");
    }
    let hint = "hint: effects wait in the outbox meanwhile, and people read that it takes longer";
    finding("doors", format!("not reached: {}.\n{hint}", closed.join(", ")))
}

async fn effects(db: &Db, now: i64) -> Result<Check, StoreError> {
    let (counts, oldest) = db
        .read::<_, StoreError, _>("outbox", |tx| {
            Box::pin(async move { Ok((outbox::counts(tx).await?, outbox::oldest(tx).await?)) })
        })
        .await?;
    let of = |state: &str| -> i64 {
        counts.iter().filter(|(_, is, _)| is == state).map(|(.., n)| n).sum()
    };
    let (dead, waiting) = (of("dead"), of("pending") + of("sending") + of("unknown"));
    let late = oldest.map_or(0, |at| now - at);
    if dead > 0 {
        let hint = "hint: `tongban outbox list` shows them, `tongban outbox retry ID` begins anew";
        return Ok(finding("outbox", format!("{dead} effects were given up.\n{hint}")));
    }
    if waiting > 0 && late > WAITS {
        let minutes = late / MINUTE;
        return Ok(finding(
            "outbox",
            format!("{waiting} effects wait, the oldest for {minutes} minutes."),
        ));
    }
    Ok(ok("outbox", format!("{waiting} effects wait, none was given up")))
}

async fn people(db: &Db) -> Result<Check, StoreError> {
    let all = db.read::<_, StoreError, _>("staff", |tx| Box::pin(staff::list(tx))).await?;
    let active = all.iter().filter(|one| one.active).count();
    if active == 0 {
        let hint =
            "hint: cases that an officer decides stay where they are; `tongban staff create`";
        return Ok(finding("staff", format!("no officer may sign in.\n{hint}")));
    }
    Ok(ok("staff", format!("{active} officers may sign in")))
}

fn log(database: &Path) -> Check {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let bytes = std::fs::metadata(&name).map_or(0, |known| known.len());
    if bytes > LOG_BYTES {
        return finding("log", format!("the database's log has {} MiB.", bytes >> 20));
    }
    ok("log", format!("the database's log has {} MiB", bytes >> 20))
}

fn last_backup(database: &Path, now: i64) -> Check {
    let hint = "hint: `tongban backup FILE --key-file FILE`, every night";
    let last = std::fs::read_to_string(last_file(database)).ok();
    match last.and_then(|text| serde_json::from_str::<Last>(&text).ok()) {
        None => finding("backup", format!("no backup was ever made.\n{hint}")),
        Some(last) if last.at + BACKUP_AGE < now => finding(
            "backup",
            format!("the last backup is {} days old.\n{hint}", (now - last.at) / DAY),
        ),
        Some(last) => ok("backup", format!("the last backup has {} MiB", last.bytes >> 20)),
    }
}
