//! Adapters of the counterparts that a configuration names; the rest is absent and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_domain::ambient::Ambient;
use idp_domain::citizen::port::{FaceCheck, Register};
use idp_domain::network::Block;
use idp_domain::outgoing::Outgoing;
use idp_registers::{Endpoint, HttpFace, HttpRegister};
use plugins_hall::port::{CarrierNotices, Counterpart, Delivery, PaymentGateway};
use plugins_payment::UnionPay;
use serde_json::Value;

use crate::absent::Absent;
use crate::app::StartError;
use crate::config::{Config, ConfigError, HttpCounterpart};

/// How long a person waits for a counterpart at most.
const PATIENCE: Duration = Duration::from_secs(5);

fn endpoint(config: &HttpCounterpart) -> Endpoint {
    let url = config.url.trim_end_matches('/').to_owned();
    Endpoint { url, secret: config.secret.clone(), timeout: PATIENCE }
}

fn refused(section: &str, cause: impl std::fmt::Display) -> StartError {
    ConfigError::new(
        format!("`[{section}]` cannot be used: {cause}."),
        "look at its address and keys",
    )
    .into()
}

/// The guarded way out (attacks row 17).
///
/// # Errors
/// [`StartError`] for authorities that cannot be read or a network that is none.
pub fn outgoing(config: &Config) -> Result<Arc<dyn Outgoing>, StartError> {
    let config = &config.outgoing;
    let mut settings = idp_outgoing::Settings::default();
    for text in &config.allow_networks {
        settings.allow.push(text.parse::<Block>().map_err(|_| {
            let problem = format!("`outgoing.allow_networks` has {text:?}, which is no network.");
            ConfigError::new(problem, "write it like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32")
        })?);
    }
    if config.ca_file != PathBuf::new() {
        let read = std::fs::read(&config.ca_file);
        let file = config.ca_file.display();
        settings.authorities =
            Some(read.map_err(|cause| refused("outgoing", format!("{file}: {cause}")))?);
    }
    let made = idp_outgoing::Guarded::new(settings);
    Ok(Arc::new(made.map_err(|cause| refused("outgoing", cause))?))
}

/// A client for calls to our own issuer, which may have a certificate of the authorities in
/// `[outgoing] ca_file`.
///
/// # Errors
/// [`StartError`] for authorities that cannot be read.
pub(crate) fn trusting(config: &Config) -> Result<reqwest::ClientBuilder, StartError> {
    let mut builder = reqwest::Client::builder();
    let path = &config.outgoing.ca_file;
    if *path == PathBuf::new() {
        return Ok(builder);
    }
    let wrong = |cause: String| refused("outgoing", format!("{}: {cause}", path.display()));
    let pem = std::fs::read(path).map_err(|cause| wrong(cause.to_string()))?;
    let all =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| wrong(cause.to_string()))?;
    for one in all {
        builder = builder.add_root_certificate(one);
    }
    Ok(builder)
}

/// The identity half's counterparts.
pub struct OfIdentity {
    /// The population register.
    pub register: Arc<dyn Register>,
    /// The face comparison.
    pub face: Arc<dyn FaceCheck>,
}

/// The register and the face comparison.
///
/// # Errors
/// [`StartError`] for an address that is none.
pub fn of_identity(config: &Config, ambient: &Ambient) -> Result<OfIdentity, StartError> {
    let clock = &ambient.clock;
    let register: Arc<dyn Register> = if config.register.url.is_empty() {
        Arc::new(Absent)
    } else {
        let made = HttpRegister::new(endpoint(&config.register), clock.clone());
        Arc::new(made.map_err(|cause| refused("register", cause))?)
    };
    let face: Arc<dyn FaceCheck> = if config.face.url.is_empty() {
        Arc::new(Absent)
    } else {
        let page = Some(config.face.page.as_str()).filter(|page| !page.is_empty());
        let made = HttpFace::new(endpoint(&config.face), page, clock.clone());
        Arc::new(made.map_err(|cause| refused("face", cause))?)
    };
    Ok(OfIdentity { register, face })
}

/// The hall's counterparts.
pub struct OfHall {
    /// Signs orders, checks notices.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Checks the carrier's pushes.
    pub carrier: Arc<dyn CarrierNotices>,
    /// What the outbox's worker calls.
    pub counterparts: Vec<Arc<dyn Counterpart>>,
}

fn clock(ambient: &Ambient) -> Arc<dyn Fn() -> i64 + Send + Sync> {
    let ambient = ambient.clone();
    Arc::new(move || ambient.now())
}

fn key(file: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(file).map_err(|cause| refused("payment", format!("{}: {cause}", file.display())))
}

/// Carries notices of ended sessions to partners.
pub struct LogoutNotices(pub idp_web::State);

#[async_trait]
impl Counterpart for LogoutNotices {
    fn interface(&self) -> &'static str {
        idp_web::logout::INTERFACE
    }

    // A partner that is told twice is told.
    fn may_resend(&self) -> bool {
        true
    }

    async fn send(&self, _key: &str, arguments: &Value) -> Delivery {
        match idp_web::logout::deliver(&self.0, arguments).await {
            Ok(answer) => Delivery::Done(answer),
            Err(problem) => Delivery::Unknown(problem),
        }
    }

    async fn ask(&self, _key: &str, _arguments: &Value) -> Delivery {
        Delivery::NotFound
    }
}

/// Tells clients that their requests over the back channel were decided.
pub struct Pings(pub idp_web::State);

#[async_trait]
impl Counterpart for Pings {
    fn interface(&self) -> &'static str {
        idp_web::backchannel::INTERFACE
    }

    // A client that is pinged twice asks twice.
    fn may_resend(&self) -> bool {
        true
    }

    async fn send(&self, _key: &str, arguments: &Value) -> Delivery {
        match idp_web::backchannel::ping(&self.0, arguments).await {
            Ok(answer) => Delivery::Done(answer),
            Err(problem) => Delivery::Unknown(problem),
        }
    }

    async fn ask(&self, _key: &str, _arguments: &Value) -> Delivery {
        Delivery::NotFound
    }
}

/// Adapters of money and mail.
///
/// # Errors
/// [`StartError`] for keys that cannot be read.
pub fn of_hall(config: &Config, ambient: &Ambient) -> Result<OfHall, StartError> {
    let mut counterparts: Vec<Arc<dyn Counterpart>> = Vec::new();
    let mut gateway: Arc<dyn PaymentGateway> = Arc::new(Absent);
    if !config.payment.gateway.is_empty() {
        let union_pay = UnionPay::new(plugins_payment::Settings {
            gateway: config.payment.gateway.clone(),
            merchant: config.payment.merchant_id.clone(),
            private_key: key(&config.payment.merchant_key_file)?,
            gateway_key: key(&config.payment.gateway_key_file)?,
            hall: config.server.issuer.clone(),
            timeout: PATIENCE,
        });
        let union_pay = Arc::new(union_pay.map_err(|cause| refused("payment", cause))?);
        counterparts.push(union_pay.clone());
        gateway = union_pay;
    }
    if !config.sms.address.is_empty() {
        let settings = plugins_mailing::cmpp::Settings {
            address: config.sms.address.clone(),
            source: config.sms.source.clone(),
            secret: config.sms.secret.clone(),
            sender: config.sms.sender.clone(),
            timeout: PATIENCE,
        };
        counterparts.push(Arc::new(plugins_mailing::cmpp::Cmpp::new(settings, clock(ambient))));
    }
    let mut carrier: Arc<dyn CarrierNotices> = Arc::new(Absent);
    if !config.express.url.is_empty() {
        let settings = plugins_mailing::express::Settings {
            base: config.express.url.clone(),
            secret: config.express.secret.clone(),
            timeout: PATIENCE,
        };
        let made = plugins_mailing::express::Express::new(settings, clock(ambient));
        let express = Arc::new(made.map_err(|cause| refused("express", cause))?);
        counterparts.push(express.clone());
        carrier = express;
    }
    Ok(OfHall { gateway, carrier, counterparts })
}
