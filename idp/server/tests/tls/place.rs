//! A deployment with certificates of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_protocol::certificate::thumbprint;
use idp_server::app::App;
use idp_server::config::Config;
use idp_server::listen::lists::Lists;
use idp_server::listen::tls::Identity;
use idp_server::listen::{self, Doors, Shutdown};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Who signs: with its certificate as PEM.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A new one of a name.
pub fn authority(name: &str) -> Authority {
    let (key, mut params) = (KeyPair::generate().unwrap(), named(name));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
}

/// Certificate and key of a name as one PEM text, and the thumbprint.
pub fn issued(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let made = named(name).signed_by(&key, &by.issuer).unwrap();
    (format!("{}{}", made.pem(), key.serialize_pem()), thumbprint(made.der()))
}

/// As [`issued`], with a serial number that can be withdrawn.
pub fn numbered(by: &Authority, name: &str, serial: u64) -> String {
    let (key, mut params) = (KeyPair::generate().unwrap(), named(name));
    params.serial_number = Some(SerialNumber::from(serial));
    let made = params.signed_by(&key, &by.issuer).unwrap();
    format!("{}{}", made.pem(), key.serialize_pem())
}

/// What an authority took back, believed for a thousand years.
fn list(by: &Authority, serials: &[u64]) -> String {
    let taken = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(3026, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(taken).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&by.issuer).unwrap().pem().unwrap()
}

/// A running deployment.
pub struct Place {
    /// Its port.
    pub port: u16,
    /// The port of its second listener.
    pub second: Option<u16>,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// What the partners' authority took back.
    pub lists: Lists,
    web: idp_web::State,
    authority: Authority,
    partners: Authority,
    shutdown: Shutdown,
    directory: TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn write(directory: &TempDir, by: &Authority) {
    let key = KeyPair::generate().unwrap();
    let made = named("localhost").signed_by(&key, &by.issuer).unwrap();
    std::fs::write(directory.path().join("certificate.pem"), made.pem()).unwrap();
    std::fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
}

impl Place {
    /// Starts one; `asks` is `request` for the main listener, `mtls` for a second one.
    pub async fn new(asks: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (authority, partners) = (authority("place"), authority("partners"));
        write(&directory, &authority);
        std::fs::write(directory.path().join("partners.pem"), &partners.pem).unwrap();
        std::fs::write(directory.path().join("authority.pem"), &authority.pem).unwrap();
        std::fs::write(directory.path().join("lists.pem"), list(&partners, &[1])).unwrap();
        let (main, port) = listener().await;
        let second = if asks == "mtls" { Some(listener().await) } else { None };
        let more = match (&second, asks) {
            (Some((_, port)), _) => format!("mtls_listen = \"127.0.0.1:{port}\""),
            (None, "request") => "client_certificates = \"request\"".to_owned(),
            _ => String::new(),
        };
        let master = URL_SAFE_NO_PAD.encode([7_u8; 32]);
        let text = format!(
            "[server]\nissuer = \"https://localhost:{port}\"\n[secrets]\nmaster = \"{master}\"\n\
             [tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n\
             client_ca_file = \"partners.pem\"\nclient_crl_file = \"lists.pem\"\n{more}\n\
             [outgoing]\nca_file = \"authority.pem\"\n"
        );
        let config = Config::from_text(&text, &BTreeMap::new(), directory.path()).unwrap();
        let second_port = second.as_ref().map(|(_, port)| *port);
        let doors = Doors::new(&config, main, second.map(|(listener, _)| listener)).unwrap();
        let identity = doors.identity().unwrap();
        let app = App::build(&config, idp_server::ambient::system()).await.unwrap();
        let withdrawn = &app.web.settings.certificates.authorities.withdrawn;
        let lists = Lists::of(&config.tls, withdrawn).unwrap();
        let (web, aliases, shutdown) =
            (app.web.clone(), listen::aliases(&app.web), Shutdown::default());
        let router = app.start_jobs(&shutdown);
        tokio::spawn(doors.serve(router, aliases, shutdown.clone(), Duration::ZERO));
        Self {
            port,
            second: second_port,
            identity,
            lists,
            web,
            authority,
            partners,
            shutdown,
            directory,
        }
    }

    /// Who vouches for partners.
    pub fn partners(&self) -> &Authority {
        &self.partners
    }

    /// An address below the issuer.
    pub fn at(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// A program that trusts the deployment's authority.
    pub fn client(&self) -> reqwest::ClientBuilder {
        let root = reqwest::Certificate::from_pem(self.authority.pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_built_in_root_certs(false).add_root_certificate(root)
    }

    /// Registers a partner.
    pub async fn register(&self, registration: serde_json::Value) {
        let made = idp_web::clients::create(&self.web.db, &self.web.ambient, registration).await;
        made.unwrap_or_else(|cause| panic!("{cause}"));
    }

    /// A new certificate with a new key in the files of the old.
    pub fn renew(&self) {
        write(&self.directory, &self.authority);
    }

    /// The authority of the partners takes certificates back: their serial numbers.
    pub fn withdraw(&self, serials: &[u64]) {
        let text = list(&self.partners, serials);
        std::fs::write(self.directory.path().join("lists.pem"), text).unwrap();
    }

    /// What came in the place of the list is none.
    pub fn garble_list(&self) {
        std::fs::write(self.directory.path().join("lists.pem"), "<html>").unwrap();
    }

    /// A new certificate whose key did not come with it.
    pub fn break_key(&self) {
        let key = std::fs::read(self.directory.path().join("key.pem")).unwrap();
        self.renew();
        std::fs::write(self.directory.path().join("key.pem"), key).unwrap();
    }
}
