//! What every request of this half can reach, by name.

use std::ops::Deref;
use std::sync::Arc;

use idp_domain::ambient::Ambient;
use idp_domain::citizen::port::{FaceCheck, Register};
use idp_domain::outgoing::{Nowhere, Outgoing};
use idp_store::{Db, StoreError};
use tokio::sync::Notify;

use crate::clients::Clients;
use crate::keys::Keys;

/// Rates of signing in, registering and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures of one account from one network within the window.
    pub signin_failures_per_account: u32,
    /// Failures of one network within the window.
    pub signin_failures_per_network: u32,
    /// The window, milliseconds.
    pub signin_window_ms: i64,
    /// Messages to one number within an hour.
    pub codes_per_phone_per_hour: u32,
    /// Messages within a day, over all numbers.
    pub codes_per_day: u32,
    /// Register matches of one network within an hour.
    pub register_matches_per_network_per_hour: u32,
    /// Registrations and changes of them by one network within a minute. 0: no limit.
    pub registrations_per_network_per_minute: u32,
    /// Authorization requests of one network within a minute: each is a row until somebody signs
    /// in or it expires. 0: no limit.
    pub authorizations_per_network_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            signin_failures_per_account: 10,
            signin_failures_per_network: 200,
            signin_window_ms: 15 * 60_000,
            codes_per_phone_per_hour: 5,
            codes_per_day: 200_000,
            register_matches_per_network_per_hour: 60,
            registrations_per_network_per_minute: 300,
            authorizations_per_network_per_minute: 1200,
        }
    }
}

/// How long sessions live, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// A citizen's without a request.
    pub idle_ms: i64,
    /// A citizen's at most.
    pub absolute_ms: i64,
    /// An officer's without a request.
    pub staff_idle_ms: i64,
    /// An officer's at most.
    pub staff_absolute_ms: i64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle_ms: 60 * 60_000,
            absolute_ms: 12 * 3_600_000,
            staff_idle_ms: 30 * 60_000,
            staff_absolute_ms: 8 * 3_600_000,
        }
    }
}

/// How long what is issued lives, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A code (RFC 6749 §4.1.2; attacks row 3).
    pub code_ms: i64,
    /// An access token.
    pub access_ms: i64,
    /// An ID token.
    pub id_ms: i64,
    /// A family of refresh tokens, however often it rotates (attacks row 10).
    pub refresh_ms: i64,
    /// How long the same client may send a rotated refresh token again and get the same answer:
    /// the answer may have been lost on its way.
    pub refresh_window_ms: i64,
    /// A person may take this long to sign in and consent.
    pub flow_ms: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code_ms: 60_000,
            access_ms: 15 * 60_000,
            id_ms: 3_600_000,
            refresh_ms: 30 * 86_400_000,
            refresh_window_ms: 30_000,
            flow_ms: 30 * 60_000,
        }
    }
}

/// Who may register a partner by `/oauth2/register` (RFC 7591 §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// Nobody.
    Off,
    /// Whoever has a token of the operator's.
    #[default]
    InitialAccessToken,
    /// Anybody.
    Open,
}

/// Plain data that the server fills from its configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Issuer identifier without a trailing slash (OpenID Connect Discovery §3).
    pub issuer: String,
    /// The issuer's port, for the names of cookies.
    pub port: u16,
    /// The issuer is https: cookies are marked `Secure`.
    pub secure: bool,
    /// A demonstration: pages say so.
    pub demo: bool,
    /// Developers register clients of their own and see what these do. Never beside real people.
    pub sandbox: bool,
    /// Pages say that counterparts are simulators.
    pub simulator_notice: bool,
    /// Bytes of a request's body (attacks row 42).
    pub max_body_bytes: usize,
    /// Peers whose `X-Forwarded-For` is believed (attacks row 49).
    pub trusted_proxies: Vec<crate::network::Block>,
    /// Client certificates (RFC 8705).
    pub certificates: crate::certificate::Certificates,
    /// Tokens may come from the front, for clients that registered it.
    pub implicit_and_hybrid: bool,
    /// Clients may register SM2 (GM/T 0125).
    pub sm2: bool,
    /// A `client_id` may be the address of a document that describes its client.
    pub client_id_metadata_documents: bool,
    /// DPoP proofs must hold a nonce of ours (RFC 9449 §8).
    pub require_dpop_nonce: bool,
    /// Who may register a partner.
    pub registration: Registration,
    /// Rates.
    pub limits: Limits,
    /// Lifetimes of sessions.
    pub sessions: Sessions,
    /// Lifetimes of what is issued.
    pub lifetimes: Lifetimes,
    /// A new key is published this long before it signs, milliseconds; at least
    /// [`crate::keys::LEAST_AHEAD`].
    pub publish_ahead_ms: i64,
    /// Age at which a key gets a successor, milliseconds; 0: only by command.
    pub rotate_ms: i64,
    /// What hashing a password costs.
    pub hashing: crate::pages::Hashing,
}

impl Settings {
    /// What the metadata may say.
    #[must_use]
    pub fn offer(&self) -> idp_protocol::metadata::Offer {
        idp_protocol::metadata::Offer {
            issuer: self.issuer.clone(),
            certificates: self.certificates.asked,
            authorities: !self.certificates.authorities.is_empty(),
            mtls: self.certificates.address.clone(),
            implicit_and_hybrid: self.implicit_and_hybrid,
            sm2: self.sm2,
            client_id_metadata_documents: self.client_id_metadata_documents,
            registration: self.registration != Registration::Off,
        }
    }

    /// Defaults for an issuer.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        let url = url::Url::parse(issuer).ok();
        Self {
            issuer: issuer.trim_end_matches('/').to_owned(),
            port: url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(443),
            secure: url.is_none_or(|url| url.scheme() == "https"),
            demo: false,
            sandbox: false,
            simulator_notice: false,
            max_body_bytes: 256 * 1024,
            trusted_proxies: Vec::new(),
            certificates: crate::certificate::Certificates::default(),
            implicit_and_hybrid: false,
            sm2: false,
            client_id_metadata_documents: false,
            require_dpop_nonce: false,
            registration: Registration::default(),
            limits: Limits::default(),
            sessions: Sessions::default(),
            lifetimes: Lifetimes::default(),
            publish_ahead_ms: 15 * 60_000,
            rotate_ms: 90 * 86_400_000,
            hashing: crate::pages::Hashing::default(),
        }
    }

    /// When and how keys follow each other (attacks row 47). The overlap is the longest life of
    /// anything that a key signed: of tokens; of ID tokens, by which a sign-out names a session for
    /// as long as that may last; then until sets that were served before have grown old.
    #[must_use]
    pub fn keys(&self) -> idp_domain::key::Schedule {
        let (lives, sessions) = (self.lifetimes, self.sessions);
        let longest = [
            lives.access_ms,
            lives.id_ms,
            lives.flow_ms,
            sessions.absolute_ms,
            sessions.staff_absolute_ms,
        ];
        let publish_ahead = self.publish_ahead_ms.max(crate::keys::LEAST_AHEAD);
        let overlap = longest.into_iter().fold(0, i64::max) + publish_ahead;
        idp_domain::key::Schedule { publish_ahead, overlap, rotate_after: self.rotate_ms }
    }
}

/// The parts behind [`State`].
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Clock and randomness.
    pub ambient: Ambient,
    /// Plain data.
    pub settings: Settings,
    /// Signing keys, parsed.
    pub keys: Keys,
    /// Partners, kept for seconds.
    pub clients: Clients,
    /// The population register.
    pub register: Arc<dyn Register>,
    /// The face comparison.
    pub face: Arc<dyn FaceCheck>,
    /// Hashes passwords on few threads.
    pub passwords: crate::pages::Hasher,
    /// Wakes the worker of the outbox after a commit.
    pub outbox_wake: Arc<Notify>,
    /// Carries notices to partners; the server sets it.
    pub partners: std::sync::OnceLock<Arc<dyn crate::logout::Post>>,
    /// The way out to addresses that clients name; the server sets it.
    pub outside: std::sync::OnceLock<Arc<dyn Outgoing>>,
    /// The developers' console, where there is one.
    pub sandbox: Option<crate::pages::Sandbox>,
    /// Keys that clients publish, kept.
    pub(crate) client_keys: crate::oidc::client_keys::ClientKeys,
    /// Partners' pictures, kept.
    pub(crate) logos: crate::pages::Logos,
    /// The metadata document, as served.
    pub(crate) metadata: bytes::Bytes,
    /// Salt of pairwise subjects (OpenID Connect Core §8.1).
    pub(crate) salt: [u8; 32],
    /// From which successors of refresh tokens are derived.
    pub(crate) refresh_key: aws_lc_rs::hmac::Key,
    /// From which the nonces of DPoP proofs are derived.
    pub(crate) nonce_key: aws_lc_rs::hmac::Key,
    /// Documents of clients, as they are read.
    pub(crate) client_documents: crate::oidc::client_documents::ClientDocuments,
    /// Request objects that were fetched.
    pub(crate) references: crate::oidc::authorize::reference::References,
}

/// Everything that a request can reach. Clones share it.
#[derive(Clone)]
pub struct State(Arc<Parts>);

impl Deref for State {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl State {
    /// Puts the parts together; makes the signing keys at the first start.
    ///
    /// # Errors
    /// As the database says, or if a key cannot be made.
    pub async fn open(
        db: Db,
        ambient: Ambient,
        settings: Settings,
        register: Arc<dyn Register>,
        face: Arc<dyn FaceCheck>,
        outbox_wake: Arc<Notify>,
    ) -> Result<Self, StoreError> {
        let keys = Keys::open(&db, &ambient, settings.keys().overlap, settings.sm2).await?;
        let passwords = crate::pages::Hasher::new(settings.hashing);
        let salt = db.vault().derive("subject.pairwise")?;
        let refresh = db.vault().derive("refresh.successor")?;
        let nonce = db.vault().derive("dpop.nonce")?;
        let sandbox = db.vault().derive("sandbox.secret")?;
        let sandbox = settings.sandbox.then(|| crate::pages::Sandbox::new(&sandbox));
        let metadata = idp_protocol::metadata::document(&settings.offer()).to_string();
        Ok(Self(Arc::new(Parts {
            metadata: metadata.into(),
            keys,
            clients: Clients::default(),
            salt,
            refresh_key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &refresh),
            nonce_key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &nonce),
            db,
            ambient,
            settings,
            register,
            face,
            passwords,
            outbox_wake,
            partners: std::sync::OnceLock::new(),
            client_documents: crate::oidc::client_documents::ClientDocuments::default(),
            references: crate::oidc::authorize::reference::References::default(),
            outside: std::sync::OnceLock::new(),
            sandbox,
            logos: crate::pages::Logos::default(),
            client_keys: crate::oidc::client_keys::ClientKeys::default(),
        })))
    }

    /// The way out to addresses that clients name (attacks row 17); there is none until the server
    /// has set it.
    #[must_use]
    pub fn outgoing(&self) -> Arc<dyn Outgoing> {
        self.outside.get().cloned().unwrap_or_else(|| Arc::new(Nowhere))
    }

    /// Milliseconds UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.ambient.now()
    }
}
