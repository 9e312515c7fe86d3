//! The wiring: from a configuration to one router and its background work. `serve`, `demo` and
//! the tests start the same thing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_domain::ambient::Ambient;
use idp_store::{Db, Options, StoreError, Vault};
use idp_web::state::{Registration, Settings as WebSettings};
use plugins_engine::{Engine, Worker};
use tokio::sync::Notify;

use crate::config::{Config, ConfigError};
use crate::listen::lists::Lists;
use crate::listen::renewed::renew;
use crate::ports::Facts;
use crate::{hall, jobs, plugins};

/// Why a deployment does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error("the database cannot be used: {0}\nhint: look at `[database] url` and at the disk")]
    Store(#[from] StoreError),
    /// The hall.
    #[error("the hall does not start: {0}\nhint: look at `[plugins]`, `[payment]` and `[express]`")]
    Hall(String),
}

/// A deployment that is ready to be served.
pub struct App {
    /// All routes of both halves.
    pub router: Router,
    /// The identity half.
    pub web: idp_web::State,
    /// The hall's unit of work.
    pub engine: Engine,
    /// Runs the departments' plugins.
    pub host: Arc<plugins_host::Host>,
    /// Carries the outbox.
    pub worker: Worker,
    /// Both halves' database.
    pub db: Db,
    /// Where the audit trail is sealed, and how often.
    seal: Option<(PathBuf, Duration)>,
    /// What the authorities of client certificates took back, where a file says so.
    lists: Option<Lists>,
}

/// The keys of a configuration's database.
///
/// # Errors
/// [`StartError`] if the master secret is missing or short.
pub(crate) fn vault(config: &Config) -> Result<Vault, StartError> {
    let hint = "make one with `tongban secret` and set `secrets.master_file`";
    let text = config.secrets.master.trim();
    let Ok(master) = URL_SAFE_NO_PAD.decode(text) else {
        let hint = "it is one line of letters, digits, `-` and `_`, as `tongban secret` prints it";
        return Err(ConfigError::new("`secrets.master` cannot be read.", hint).into());
    };
    if master.is_empty() {
        return Err(ConfigError::new("`secrets.master` is missing.", hint).into());
    }
    if master.len() < 32 {
        return Err(ConfigError::new("`secrets.master` is shorter than 32 bytes.", hint).into());
    }
    Ok(Vault::new(&[&master])?)
}

/// Opens the database of a configuration.
///
/// # Errors
/// [`StartError`].
pub async fn open_database(config: &Config) -> Result<Db, StartError> {
    let vault = vault(config)?;
    let url = config.database.url.clone();
    if let Some(path) = url.strip_prefix("sqlite://")
        && let Some(directory) = PathBuf::from(path).parent()
    {
        std::fs::create_dir_all(directory)
            .map_err(|cause| StoreError::Database(format!("{}: {cause}", directory.display())))?;
    }
    let connections = config.database.connections;
    Ok(Db::open(Options { url, connections, vault }).await?)
}

/// SQLite has one node: whoever held an effect when it died is this one, and need not wait for its
/// own lease to lapse. What was being sent is asked for, never sent again unasked.
async fn release_leases(config: &Config, db: &Db) -> Result<(), StoreError> {
    if config.database.url.starts_with("sqlite://") {
        let released = db.write::<_, StoreError, _>("release_leases", |tx| {
            Box::pin(idp_store::outbox::release(tx))
        });
        let released = released.await?;
        if released > 0 {
            tracing::info!(released, "effects that were under way are taken up again");
        }
    }
    Ok(())
}

fn port_of(config: &Config) -> u16 {
    let url = url::Url::parse(&config.server.issuer).ok();
    url.and_then(|url| url.port_or_known_default()).unwrap_or(443)
}

/// Who may register a partner.
///
/// # Errors
/// [`ConfigError`] for a mode that there is none of.
pub(crate) fn registration(config: &Config) -> Result<Registration, ConfigError> {
    match config.registration.mode.as_str() {
        "off" => Ok(Registration::Off),
        "initial-access-token" => Ok(Registration::InitialAccessToken),
        "open" => Ok(Registration::Open),
        _ => Err(ConfigError::new(
            "`registration.mode` is none of the modes.",
            "off, initial-access-token or open",
        )),
    }
}

pub(crate) fn web_settings(config: &Config) -> Result<WebSettings, ConfigError> {
    let mut settings = WebSettings::new(&config.server.issuer);
    settings.max_body_bytes = config.server.max_body_bytes;
    for text in &config.server.trusted_proxies {
        let block = text.parse::<idp_web::network::Block>().map_err(|_| {
            ConfigError::new(
                format!("`server.trusted_proxies` has {text:?}, which is no block of addresses."),
                "write it like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32",
            )
        })?;
        settings.trusted_proxies.push(block);
    }
    settings.certificates = crate::listen::certificates(config)?;
    settings.registration = registration(config)?;
    settings.port = port_of(config);
    settings.implicit_and_hybrid = config.protocol.implicit_and_hybrid;
    settings.sm2 = config.protocol.sm2;
    settings.client_id_metadata_documents = config.protocol.client_id_metadata_documents;
    settings.require_dpop_nonce = config.protocol.require_dpop_nonce;
    settings.demo = config.server.demo;
    settings.simulator_notice = config.server.demo;
    settings.sandbox = config.server.demo;
    let limits = &config.limits;
    settings.limits.signin_failures_per_account = limits.signin_failures_per_account;
    settings.limits.signin_failures_per_network = limits.signin_failures_per_network;
    settings.limits.signin_window_ms = i64::from(limits.signin_window_minutes) * 60_000;
    settings.limits.codes_per_phone_per_hour = limits.codes_per_phone_per_hour;
    settings.limits.codes_per_day = limits.codes_per_day;
    settings.limits.register_matches_per_network_per_hour =
        limits.register_matches_per_network_per_hour;
    settings.limits.registrations_per_network_per_minute =
        limits.registrations_per_network_per_minute;
    settings.limits.authorizations_per_network_per_minute =
        limits.authorizations_per_network_per_minute;
    let sessions = &config.sessions;
    settings.sessions.idle_ms = i64::from(sessions.idle_minutes) * 60_000;
    settings.sessions.absolute_ms = i64::from(sessions.absolute_hours) * 3_600_000;
    settings.sessions.staff_idle_ms = i64::from(sessions.staff_idle_minutes) * 60_000;
    settings.sessions.staff_absolute_ms = i64::from(sessions.staff_absolute_hours) * 3_600_000;
    let ahead = i64::from(config.keys.publish_ahead_seconds) * 1000;
    if ahead < idp_web::keys::LEAST_AHEAD {
        return Err(ConfigError::new(
            "`keys.publish_ahead_seconds` is shorter than the key set may be kept.",
            "70 or more; 900 if nothing speaks against it",
        ));
    }
    settings.publish_ahead_ms = ahead;
    settings.rotate_ms = i64::from(config.keys.rotate_days) * 86_400_000;
    Ok(settings)
}

impl App {
    /// Builds everything. Nothing listens yet, and no background work runs.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config, ambient: Ambient) -> Result<Self, StartError> {
        let db = open_database(config).await?;
        release_leases(config, &db).await?;
        let wake = Arc::new(Notify::new());
        let settings = web_settings(config)?;
        let outside = crate::counterparts::of_identity(config, &ambient)?;
        let web = idp_web::State::open(
            db.clone(),
            ambient.clone(),
            settings,
            outside.register,
            outside.face,
            wake.clone(),
        )
        .await?;
        // Nothing was set before: the state is new.
        let way = crate::counterparts::outgoing(config)?;
        let _ = web.outside.set(way.clone());
        let _ = web.partners.set(Arc::new(idp_web::logout::Carrier(way)));
        let host = plugins::host(config, &db).await.map_err(StartError::Hall)?;
        let host = Arc::new(host);
        let engine = Self::engine(config, &web, &ambient, wake, host.clone())?;
        let hall = hall::router(config, &db, &ambient, &engine, &web)
            .await?
            .layer(middleware::from_fn(crate::ports::shown))
            .merge(crate::health::router(&db))
            .layer(middleware::from_fn_with_state(web.clone(), idp_web::router::arrived));
        let router = idp_web::router(web.clone()).merge(hall);
        let seal = Some(&config.audit)
            .filter(|audit| audit.checkpoint_minutes > 0 && audit.checkpoint != PathBuf::new());
        let seal = seal.map(|audit| {
            let minutes = u64::from(audit.checkpoint_minutes);
            (audit.checkpoint.clone(), Duration::from_secs(60 * minutes))
        });
        let lists = Lists::of(&config.tls, &web.settings.certificates.authorities.withdrawn);
        Ok(Self { lists, router, web, worker: Worker::new(engine.clone()), engine, host, db, seal })
    }

    fn engine(
        config: &Config,
        web: &idp_web::State,
        ambient: &Ambient,
        wake: Arc<Notify>,
        host: Arc<plugins_host::Host>,
    ) -> Result<Engine, StartError> {
        let db = &web.db;
        let mut settings = plugins_engine::Settings {
            track_ms: i64::from(config.items.track_minutes.max(1)) * 60_000,
            ..plugins_engine::Settings::default()
        };
        for item in &config.items.person_decides {
            let switches = BTreeMap::from([("auto_approve".to_owned(), "false".to_owned())]);
            settings.items.insert(item.clone(), switches);
        }
        let mut outside = crate::counterparts::of_hall(config, ambient)?;
        outside.counterparts.push(Arc::new(crate::counterparts::LogoutNotices(web.clone())));
        outside.counterparts.push(Arc::new(crate::counterparts::Pings(web.clone())));
        Engine::new(plugins_engine::Parts {
            db: db.clone(),
            ambient: ambient.clone(),
            runtime: host,
            identity: Arc::new(Facts {
                db: db.clone(),
                ambient: ambient.clone(),
                sector: hall::SECTOR.to_owned(),
            }),
            gateway: outside.gateway,
            carrier: outside.carrier,
            counterparts: outside.counterparts,
            wake,
            settings,
            failpoints: crate::failpoints::armed(),
        })
        .map_err(|cause| StartError::Hall(cause.to_string()))
    }

    /// Runs the background work until `shutdown`.
    pub fn start_jobs(self, shutdown: &crate::listen::Shutdown) -> Router {
        let (worker, stop) = (self.worker, shutdown.clone());
        tokio::spawn(async move { worker.run(stop.stopped()).await });
        if let Some(mut lists) = self.lists {
            let take = move || lists.reload();
            tokio::spawn(renew("the revocation lists", take, shutdown.clone()));
        }
        if let Some((path, interval)) = self.seal {
            let (db, ambient) = (self.db.clone(), self.web.ambient.clone());
            tokio::spawn(jobs::seal(db, ambient, path, interval, shutdown.clone()));
        }
        tokio::spawn(jobs::keys(self.web.clone(), shutdown.clone()));
        tokio::spawn(jobs::prune(self.db, self.web.ambient.clone(), shutdown.clone()));
        self.router
    }
}
