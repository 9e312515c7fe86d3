//! What may be wrong with a deployment, found before anybody notices. Each check has a name, under
//! which `docs/operating/findings.md` says what a finding means and what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use idp_store::{Db, Options, StoreError, key, outbox, staff};

use crate::backup::{Last, audit_trail, database_file, last_file};
use crate::checkpoint::{self, Outcome};
use crate::cli::Failure;
use crate::config::Config;
use crate::{ambient, app, counterparts};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// An effect that waits longer than this waits for a counterpart that does not answer.
const WAITS: i64 = 15 * MINUTE;
/// Older signing keys are due to be rotated.
const KEY_AGE: i64 = 400 * DAY;
/// Older backups lose too much.
const BACKUP_AGE: i64 = 2 * DAY;
/// A log of the embedded database above this says that a reader never ends.
const LOG_BYTES: u64 = 1 << 30;
/// How long a counterpart may take to answer the door.
const PATIENCE: Duration = Duration::from_secs(3);

/// One check and how it ended.
#[derive(Debug)]
pub(crate) struct Check {
    /// The anchor in the manual.
    pub(crate) name: &'static str,
    /// Nothing to do.
    pub(crate) ok: bool,
    /// A sentence, and a hint when there is something to do.
    pub(crate) text: String,
}

fn ok(name: &'static str, text: impl Into<String>) -> Check {
    Check { name, ok: true, text: text.into() }
}

fn finding(name: &'static str, text: impl Into<String>) -> Check {
    Check { name, ok: false, text: text.into() }
}

/// What the configuration alone says: everything that keeps it from carrying people's data.
pub(crate) fn settings(config: &Config) -> Vec<Check> {
    let demo = if config.server.demo {
        finding(
            "demo",
            "`server.demo` is true: these are the demo's secrets and synthetic people.\n\
             hint: write a configuration of your own; `tongban config` prints the defaults",
        )
    } else {
        ok("demo", "this is no demo")
    };
    let registration = if config.registration.mode == "off" {
        ok("registration", "partners are registered by command")
    } else {
        finding(
            "registration",
            "`registration.mode` is not `off`, and this version has no dynamic registration.\n\
             hint: register partners with `tongban client create`",
        )
    };
    vec![demo, issuer(config), registration]
}

fn issuer(config: &Config) -> Check {
    let issuer = &config.server.issuer;
    let url = match url::Url::parse(issuer) {
        Ok(url) => url,
        Err(cause) => {
            return finding("issuer", format!("`server.issuer` is not an address: {cause}."));
        }
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !local {
        return finding(
            "issuer",
            "`server.issuer` must be https anywhere but on localhost.\n\
             hint: terminate TLS in front and name the public address",
        );
    }
    if issuer.ends_with('/') || url.query().is_some() {
        return finding(
            "issuer",
            "`server.issuer` has a trailing slash or a query.\n\
             hint: partners compare it as text; write it without",
        );
    }
    ok("issuer", issuer)
}

/// What the machine holds, with nothing started and nothing changed.
pub(crate) async fn standing(config: &Config, file: &Path) -> Vec<Check> {
    vec![secrets(config), files(file), outside(config), plugins(config), database(config).await]
}

fn secrets(config: &Config) -> Check {
    match app::vault(config) {
        Ok(_) => ok("secrets", "the master secret is there"),
        Err(cause) => finding("secrets", cause.to_string()),
    }
}

/// Secrets that other users of the machine can read are none.
fn files(file: &Path) -> Check {
    let mut open = Vec::new();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let base = file.parent().unwrap_or(Path::new("."));
    let keys = table.values().filter_map(toml::Value::as_table).flatten();
    let named =
        keys.filter(|(key, _)| key.ends_with("_file")).filter_map(|(_, path)| path.as_str());
    for path in named.map(|path| base.join(path)).chain([file.to_owned()]) {
        let mode = std::fs::metadata(&path).map_or(0, |known| known.permissions().mode());
        if mode & 0o077 != 0 {
            open.push(path.display().to_string());
        }
    }
    if open.is_empty() {
        return ok("files", "the configuration and its secrets are readable by their owner only");
    }
    finding("files", format!("others can read {}.\nhint: chmod 600", open.join(", ")))
}

fn outside(config: &Config) -> Check {
    let ambient = ambient::system();
    let made = counterparts::of_identity(config, &ambient)
        .map(drop)
        .and_then(|()| counterparts::of_hall(config, &ambient).map(drop));
    if let Err(cause) = made {
        return finding("outside", cause.to_string());
    }
    let absent: Vec<&str> = addresses(config)
        .into_iter()
        .filter(|(_, address)| address.is_empty())
        .map(|(name, _)| name)
        .collect();
    if absent.is_empty() {
        return ok("outside", "every counterpart is configured");
    }
    finding(
        "outside",
        format!(
            "{} not configured.\nhint: what needs them is off, and pages say so",
            absent.join(", ")
        ),
    )
}

fn addresses(config: &Config) -> [(&'static str, String); 5] {
    [
        ("register", config.register.url.clone()),
        ("face", config.face.url.clone()),
        ("payment", config.payment.gateway.clone()),
        ("express", config.express.url.clone()),
        ("sms", config.sms.address.clone()),
    ]
}

fn plugins(config: &Config) -> Check {
    let directory = &config.plugins.directory;
    let packages = crate::plugins::packages(directory);
    let mut halves = packages.iter().filter(|package| !package.join("component.wasm").is_file());
    if packages.is_empty() {
        let hint = "hint: items are in packages; `plugins.directory` says where";
        return finding("plugins", format!("no plugin in {}.\n{hint}", directory.display()));
    }
    if let Some(half) = halves.next() {
        let text = format!("{} has no component.wasm.\nhint: install it anew", half.display());
        return finding("plugins", text);
    }
    ok("plugins", format!("{} in {}", packages.len(), directory.display()))
}

async fn connect(config: &Config) -> Result<Db, Failure> {
    if let Some(file) = database_file(config)
        && !file.exists()
    {
        // Connecting would make an empty one.
        return Err(Failure::No(format!(
            "{} does not exist.\nhint: `tongban migrate` makes it",
            file.display()
        )));
    }
    let vault = app::vault(config)?;
    let url = config.database.url.clone();
    Ok(Db::connect(Options { url, connections: config.database.connections, vault }).await?)
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::No(text) | Failure::Usage(text) => text,
    }
}

async fn database(config: &Config) -> Check {
    let missing = match connect(config).await {
        Ok(db) => db.migrations_missing().await.map_err(|cause| cause.to_string()),
        Err(failure) => Err(told(failure)),
    };
    match missing {
        Ok(missing) if missing.is_empty() => {
            ok("database", "the database answers and its schema is up to date")
        }
        Ok(missing) => finding(
            "database",
            format!("the schema lacks {}.\nhint: `tongban migrate`", missing.join(", ")),
        ),
        Err(text) => finding("database", text),
    }
}

/// Names of the migrations to come; all of them for a database that is not there yet.
///
/// # Errors
/// [`Failure::No`] if the database cannot be reached.
pub(crate) async fn migrations_missing(config: &Config) -> Result<Vec<&'static str>, Failure> {
    if database_file(config).is_some_and(|file| !file.exists()) {
        return Ok(Db::migrations());
    }
    let db = connect(config).await?;
    // A database that never was one of ours lacks the table that says what it has.
    match db.migrations_missing().await {
        Err(StoreError::Database(_)) => Ok(Db::migrations()),
        other => Ok(other?),
    }
}

/// What a running deployment shows.
pub(crate) async fn running(config: &Config, thorough: bool) -> Vec<Check> {
    let mut checks = vec![answers(config).await, doors(config).await];
    let Ok(db) = connect(config).await else { return checks };
    let now = ambient::system().now();
    for (name, check) in [
        ("outbox", effects(&db, now).await),
        ("keys", signing_keys(&db, now).await),
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
        checks.push(match db.faults().await {
            Ok(faults) if faults.is_empty() => ok("damage", "the database's file is whole"),
            Ok(faults) => {
                finding("damage", faults.into_iter().take(3).collect::<Vec<_>>().join("; "))
            }
            Err(cause) => finding("damage", cause.to_string()),
        });
        checks.push(trail(config, &db).await);
    }
    checks
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
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
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
        return Ok(finding("outbox", format!("{dead} effects were given up.")));
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

async fn signing_keys(db: &Db, now: i64) -> Result<Check, StoreError> {
    let keys = db.read::<_, StoreError, _>("keys", |tx| Box::pin(key::list(tx))).await?;
    let mut active = keys.iter().filter(|key| key.active);
    if let Some(old) = active.clone().find(|key| key.created_at + KEY_AGE < now) {
        let days = (now - old.created_at) / DAY;
        let (kid, algorithm) = (&old.kid, &old.algorithm);
        return Ok(finding(
            "keys",
            format!(
                "the key {kid} signs for {days} days.\nhint: `tongban key rotate --algorithm {algorithm}`"
            ),
        ));
    }
    if active.next().is_none() {
        return Ok(finding(
            "keys",
            "no key signs.\nhint: starting `tongban serve` makes the first",
        ));
    }
    Ok(ok("keys", "the master secret opens the signing keys"))
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
