//! What may be wrong with a deployment, found before anybody notices. Each check has a name, under
//! which `docs/operating/findings.md` says what a finding means and what to do.

mod running;
mod signing_keys;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use idp_protocol::certificate::Certificate;
use idp_store::{Db, Options, StoreError};
use idp_web::state::Registration;

use crate::backup::database_file;
use crate::cli::Failure;
use crate::config::Config;
use crate::{ambient, app, counterparts, listen};

pub(crate) use running::running;
pub(crate) use signing_keys::standing as standing_keys;

/// Milliseconds.
const DAY: i64 = 24 * 60 * 60_000;

/// A certificate that ends within this many days should have been renewed.
const WARN_DAYS: i64 = 14;

/// A revocation list that ends within this many hours should have been fetched anew.
const WARN_HOURS: i64 = 12;

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
    let registration = match app::registration(config) {
        Ok(Registration::Off) => ok("registration", "partners are registered by command"),
        Ok(Registration::InitialAccessToken) => {
            ok("registration", "partners register themselves with a token of the operator's")
        }
        Ok(Registration::Open) => ok("registration", "anybody may register a partner"),
        Err(cause) => finding("registration", cause.to_string()),
    };
    vec![demo, issuer(config), tls(config), registration]
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

fn tls(config: &Config) -> Check {
    let opened = listen::certificates(config)
        .and_then(|certificates| Ok((certificates, listen::tls::Identity::open(&config.tls)?)));
    match opened {
        Err(cause) => finding("tls", cause.to_string()),
        Ok((_, Some(_))) if !config.server.issuer.starts_with("https://") => finding(
            "tls",
            "`tls.certificate` is set, and `server.issuer` is not https.\n\
             hint: partners follow the issuer's address; write it as it is reached",
        ),
        Ok((certificates, identity)) => {
            let here = if identity.is_some() { "ends here" } else { "is the proxy's" };
            let asked = if certificates.asked { "can be shown" } else { "are not asked for" };
            ok("tls", format!("TLS {here}; client certificates {asked}"))
        }
    }
}

/// The server's certificate, of the right name and not about to end.
fn certificate(config: &Config) -> Check {
    let identity = listen::tls::Identity::open(&config.tls).ok().flatten();
    let shown = identity.and_then(|identity| identity.certificate());
    let Some(read) = shown.and_then(|der| Certificate::read(&der).ok()) else {
        return ok("certificate", "none is ours to show");
    };
    let url = url::Url::parse(&config.server.issuer).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    if !read.names_host(host) {
        let text = format!("the certificate does not name {host}.\nhint: partners refuse it");
        return finding("certificate", text);
    }
    let days = (read.not_after - ambient::system().now() / 1000) / 86_400;
    if days < WARN_DAYS {
        let text = format!("the certificate ends in {days} days.\nhint: renew it");
        return finding("certificate", text);
    }
    ok("certificate", format!("the certificate names {host} and ends in {days} days"))
}

/// The revocation lists, none of them about to be out of date.
fn lists(config: &Config) -> Check {
    let known = listen::certificates(config).ok();
    let Some(until) = known.and_then(|known| known.authorities.withdrawn.until()) else {
        return ok("lists", "no revocation list is used");
    };
    let hours = (until - ambient::system().now() / 1000) / 3600;
    if hours < WARN_HOURS {
        let hint = "hint: partners of that authority are refused without a list; fetch its next";
        return finding("lists", format!("a revocation list ends in {hours} hours.\n{hint}"));
    }
    ok("lists", format!("the first revocation list to end does so in {hours} hours"))
}

/// What the machine holds, with nothing started and nothing changed.
pub(crate) async fn standing(config: &Config, file: &Path) -> Vec<Check> {
    let database = database(config).await;
    let certificate = certificate(config);
    let lists = lists(config);
    vec![
        secrets(config),
        files(file),
        certificate,
        lists,
        outside(config),
        plugins(config),
        database,
    ]
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
    // The gateway's key is its public one, and so are certificates.
    let public =
        ["gateway_key_file", "certificate_file", "client_ca_file", "client_crl_file", "ca_file"];
    let secret = |key: &str| key.ends_with("_file") && !public.contains(&key);
    let named = keys.filter(|(key, _)| secret(key)).filter_map(|(_, path)| path.as_str());
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
        .and_then(|()| counterparts::of_hall(config, &ambient).map(drop))
        .and_then(|()| counterparts::outgoing(config).map(drop));
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
        Ok(db) => db.migrations_missing().await.map_err(|cause| match cause {
            // It answers, and lacks the table that says what it has.
            StoreError::Database(_) => "the database is empty.\nhint: `tongban migrate`".to_owned(),
            other => other.to_string(),
        }),
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
