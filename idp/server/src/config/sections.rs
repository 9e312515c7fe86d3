//! The sections of a configuration, as `config.default.toml` explains them.

use std::path::PathBuf;

use serde::Deserialize;

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Issuer identifier (OpenID Connect Discovery 1.0 §3), without a trailing slash.
    pub issuer: String,
    /// `address:port`.
    pub listen: String,
    /// `address:port`, or empty.
    pub metrics_listen: String,
    /// Bytes.
    pub max_body_bytes: usize,
    /// Addresses and blocks of addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Seconds.
    pub shutdown_seconds: u64,
    /// Written by `tongban demo`.
    pub demo: bool,
}

/// `[tls]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM, the server's own first; empty: plain HTTP.
    #[serde(default)]
    pub certificate: String,
    /// Where it was read, to be read again.
    #[serde(default)]
    pub certificate_file: PathBuf,
    /// PEM.
    #[serde(default)]
    pub key: String,
    /// Where it was read, to be read again.
    #[serde(default)]
    pub key_file: PathBuf,
    /// `off` or `request`.
    pub client_certificates: String,
    /// `address:port`, or empty.
    pub mtls_listen: String,
    /// Its public address; empty: the issuer's host with that port.
    pub mtls_address: String,
    /// PEM: who vouches for client certificates.
    #[serde(default)]
    pub client_ca: String,
    /// PEM: which of those certificates their authorities took back.
    #[serde(default)]
    pub client_crl: String,
    /// Where it was read, to be read again.
    #[serde(default)]
    pub client_crl_file: PathBuf,
    /// Header in which trusted proxies pass client certificates on, or empty.
    pub certificate_header: String,
}

/// `[database]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`.
    pub url: String,
    /// Pool size.
    pub connections: u32,
}

/// `[secrets]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 32 bytes, base64url.
    #[serde(default)]
    pub master: String,
}

/// `[registration]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// `off`, `initial-access-token` or `open`.
    pub mode: String,
}

/// `[protocol]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Whether clients may register response types whose tokens come from the front.
    pub implicit_and_hybrid: bool,
    /// Whether clients may register SM2 with SM3.
    pub sm2: bool,
    /// Whether a `client_id` may be the address of a document that describes its client.
    pub client_id_metadata_documents: bool,
    /// Whether DPoP proofs must hold a nonce of ours.
    pub require_dpop_nonce: bool,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Failures of one account from one network within the window.
    pub signin_failures_per_account: u32,
    /// Failures of one network within the window.
    pub signin_failures_per_network: u32,
    /// Minutes.
    pub signin_window_minutes: u32,
    /// Messages to one number within an hour.
    pub codes_per_phone_per_hour: u32,
    /// Messages within a day.
    pub codes_per_day: u32,
    /// Register matches of one network within an hour.
    pub register_matches_per_network_per_hour: u32,
    /// Registrations of partners by one network within a minute; 0: no limit.
    pub registrations_per_network_per_minute: u32,
    /// Authorization requests of one network within a minute; 0: no limit.
    pub authorizations_per_network_per_minute: u32,
}

/// `[keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Days; 0: only by command.
    pub rotate_days: u32,
    /// Seconds.
    pub publish_ahead_seconds: u32,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The checkpoint's file; empty: none is written.
    pub checkpoint: PathBuf,
    /// Minutes between two checkpoints; 0: only by command.
    pub checkpoint_minutes: u32,
}

/// `[sessions]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Minutes.
    pub idle_minutes: u32,
    /// Hours.
    pub absolute_hours: u32,
    /// Minutes.
    pub staff_idle_minutes: u32,
    /// Hours.
    pub staff_absolute_hours: u32,
}

/// `[plugins]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Directory of packages.
    pub directory: PathBuf,
    /// Directory of compiled components.
    pub cache: PathBuf,
    /// Calls into plugins that run at once.
    pub in_flight: u32,
}

/// `[items]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// Codes of items that an officer decides.
    pub person_decides: Vec<String>,
    /// Minutes after which the carrier is asked about a parcel by itself: a push may be lost.
    pub track_minutes: u32,
}

/// `[payment]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// Base address, or empty.
    pub gateway: String,
    /// 15 digits.
    pub merchant_id: String,
    /// RSA private key, PKCS#8 DER.
    #[serde(default)]
    pub merchant_key_file: PathBuf,
    /// RSA public key of the gateway, DER.
    #[serde(default)]
    pub gateway_key_file: PathBuf,
}

/// `[express]`, `[register]` and `[face]`: a counterpart spoken to over HTTP.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCounterpart {
    /// Base address, or empty.
    pub url: String,
    /// Shared secret of the message authentication code.
    #[serde(default)]
    pub secret: String,
    /// Where a browser reaches it, if elsewhere.
    #[serde(default)]
    pub page: String,
}

/// `[sms]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// `address:port`, or empty.
    pub address: String,
    /// CMPP `Source_Addr`.
    pub source: String,
    /// CMPP `Src_Id`.
    pub sender: String,
    /// Shared secret.
    #[serde(default)]
    pub secret: String,
}

/// `[outgoing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Blocks of addresses that may be called although they are not public.
    pub allow_networks: Vec<String>,
    /// More certificate authorities, PEM; empty: none.
    #[serde(default)]
    pub ca_file: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter of `tracing`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

/// The whole configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[database]`
    pub database: Database,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[registration]`
    pub registration: Registration,
    /// `[protocol]`
    pub protocol: Protocol,
    /// `[limits]`
    pub limits: Limits,
    /// `[keys]`
    pub keys: Keys,
    /// `[audit]`
    pub audit: Audit,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[plugins]`
    pub plugins: Plugins,
    /// `[items]`
    pub items: Items,
    /// `[payment]`
    pub payment: Payment,
    /// `[express]`
    pub express: HttpCounterpart,
    /// `[sms]`
    pub sms: Sms,
    /// `[register]`
    pub register: HttpCounterpart,
    /// `[face]`
    pub face: HttpCounterpart,
    /// `[outgoing]`
    pub outgoing: Outgoing,
    /// `[log]`
    pub log: Log,
}
