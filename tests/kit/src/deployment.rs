//! The whole product in a test's process: both halves, their background work, the outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_domain::ambient::Ambient;
use idp_server::ambient::SystemRandom;
use idp_server::app::App;
use idp_server::config::Config;
use idp_server::listen::{self, Shutdown};
use idp_store::Db;
use plugins_simulators::partner;
use serde_json::json;

use crate::outside::{self, Outside, listener};
use crate::{RelyingParty, VirtualClock};

/// Which database carries a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// The server that `TONGBAN_TEST_POSTGRES_URL` names.
    Postgres,
}

/// A deployment that is served until it is dropped.
pub struct Deployment {
    /// Its address.
    pub issuer: String,
    /// Its clock, and the simulators'.
    pub clock: Arc<VirtualClock>,
    /// Clock and randomness.
    pub ambient: Ambient,
    /// Its database.
    pub db: Db,
    /// The identity half.
    pub web: idp_web::State,
    /// The hall.
    pub engine: plugins_engine::Engine,
    /// The simulators.
    pub outside: Outside,
    /// 闽政通 and 省网上办事大厅.
    pub partners: [String; 2],
    /// The database's file, on SQLite.
    pub file: Option<std::path::PathBuf>,
    shutdown: Shutdown,
    _directory: tempfile::TempDir,
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

/// Partners: client id, names, scopes.
const PARTNERS: [(&str, &str, &str, &str); 2] = [
    ("mztong", "闽政通", "Minzhengtong", "openid profile phone identity"),
    ("wsbs", "省网上办事大厅", "Provincial service hall", "openid profile"),
];
const PARTNER_SECRET: &str = "a partner's secret of more than thirty-two characters";

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
async fn database(engine: Engine, directory: &Path) -> Option<String> {
    match engine {
        Engine::Sqlite => Some(format!("sqlite://{}", directory.join("t.sqlite").display())),
        Engine::Postgres => {
            let server = std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()?;
            let fresh = idp_store::testing::fresh_postgres_url(&server).await;
            Some(fresh.expect("the server that TONGBAN_TEST_POSTGRES_URL names answers"))
        }
    }
}

fn configuration(database: &str, directory: &Path, issuer: &str, outside: &Outside) -> Config {
    let bank = directory.join("outside/bank");
    let keys = plugins_simulators::bank::Keys::open(&bank).expect("keys of the bank");
    std::fs::write(bank.join("gateway.pub"), keys.gateway_public().expect("a key"))
        .expect("a file");
    let (secret, master) = (outside::SECRET, URL_SAFE_NO_PAD.encode([7_u8; 32]));
    let text = format!(
        "[server]\nissuer = \"{issuer}\"\ndemo = true\n\
         [database]\nurl = \"{database}\"\nconnections = 4\n\
         [secrets]\nmaster = \"{master}\"\n\
         [plugins]\ndirectory = \"plugins\"\ncache = \"{}\"\n\
         [payment]\ngateway = \"{}\"\nmerchant_id = \"{}\"\n\
         merchant_key_file = \"{}\"\ngateway_key_file = \"{}\"\n\
         [express]\nurl = \"{}\"\nsecret = \"{secret}\"\n\
         [sms]\naddress = \"{}\"\nsource = \"{}\"\nsecret = \"{}\"\n\
         [register]\nurl = \"{}\"\nsecret = \"{secret}\"\n\
         [face]\nurl = \"{}\"\nsecret = \"{secret}\"\n",
        crate::hall::target().join("tmp/plugins-cache").display(),
        outside.bank,
        outside::MERCHANT,
        bank.join("merchant.key").display(),
        bank.join("gateway.pub").display(),
        outside.express,
        outside.cmpp,
        outside::SOURCE,
        outside::SMS_SECRET,
        outside.register,
        outside.face,
    );
    Config::from_text(&text, &BTreeMap::new(), directory).expect("a configuration")
}

impl Deployment {
    /// Starts one; none if no PostgreSQL server is named.
    ///
    /// # Panics
    /// If it does not start, or a server is named and does not answer.
    pub async fn on(engine: Engine) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let database = database(engine, directory.path()).await?;
        let clock = Arc::new(VirtualClock::default());
        let ambient = Ambient { clock: clock.clone(), random: Arc::new(SystemRandom) };
        let (socket, port) = listener().await;
        let issuer = format!("http://localhost:{port}");
        crate::hall::install_plugin(directory.path());
        let outside = Outside::start(directory.path(), &clock, &issuer).await;
        let config = configuration(&database, directory.path(), &issuer, &outside);
        let app = App::build(&config, ambient.clone()).await.expect("the product starts");
        let (db, web, hall) = (app.db.clone(), app.web.clone(), app.engine.clone());
        let shutdown = Shutdown::default();
        let router = app.start_jobs(&shutdown);
        tokio::spawn(listen::serve(socket, router, shutdown.clone(), Duration::from_secs(1)));
        let file = database.strip_prefix("sqlite://").map(Into::into);
        let mut deployment = Self {
            issuer,
            clock,
            ambient,
            db,
            web,
            engine: hall,
            outside,
            partners: [String::new(), String::new()],
            file,
            shutdown,
            _directory: directory,
        };
        deployment.start_partners().await;
        Some(deployment)
    }

    /// An address below the issuer.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Milliseconds UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.ambient.now()
    }

    async fn start_partners(&mut self) {
        for (at, (client_id, name, english, scope)) in PARTNERS.into_iter().enumerate() {
            let (socket, port) = listener().await;
            let address = format!("http://localhost:{port}");
            let mut registration = json!({
                "client_id": client_id, "client_secret": PARTNER_SECRET,
                "client_name": name, "client_name#en": english,
                "redirect_uris": [format!("{address}/callback")],
                "post_logout_redirect_uris": [format!("{address}/")],
                "scope": scope, "sector_identifier": format!("{client_id}.example"),
            });
            if client_id == "wsbs" {
                // As in the demo: an organ of the state tells, and does not ask (PIPL 35).
                registration["legal_basis"] = json!("个人信息保护法第三十四条、第三十五条");
            }
            let made = idp_web::clients::create(&self.db, &self.ambient, registration).await;
            made.unwrap_or_else(|cause| panic!("{client_id}: {cause}"));
            let settings = partner::Settings {
                name: name.to_owned(),
                name_en: english.to_owned(),
                address: address.clone(),
                issuer: self.issuer.clone(),
                client_id: client_id.to_owned(),
                client_secret: PARTNER_SECRET.to_owned(),
                scopes: scope.split(' ').skip(1).map(str::to_owned).collect(),
            };
            tokio::spawn(partner::serve(settings, socket));
            self.partners[at] = address;
        }
    }

    /// Registers a partner that the story itself acts; `changes` are laid over the defaults.
    ///
    /// # Panics
    /// If the registration is refused.
    pub async fn relying_party(&self, changes: serde_json::Value) -> RelyingParty {
        let mut registration = json!({
            "client_name": "伙伴", "client_name#en": "Partner",
            "redirect_uris": ["https://partner.example/callback"],
            "post_logout_redirect_uris": ["https://partner.example/bye"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile phone offline_access",
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            registration[name] = value.clone();
        }
        let made = idp_web::clients::create(&self.db, &self.ambient, registration).await;
        let made = made.unwrap_or_else(|cause| panic!("{cause}"));
        RelyingParty::new(&self.issuer, &made)
    }
}
