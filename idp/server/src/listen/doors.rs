//! Which listeners a deployment has: the main one, and the one that asks for client certificates.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, StatusCode};
use idp_protocol::certificate::Authorities;
use idp_web::certificate::Certificates;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::renewed::renew;
use super::tls::Identity;
use super::{Shutdown, serve_over};
use crate::config::{Config, ConfigError};

/// How client certificates reach this deployment.
///
/// # Errors
/// A sentence and a hint for each setting that another contradicts.
pub fn certificates(config: &Config) -> Result<Certificates, ConfigError> {
    let tls = &config.tls;
    let asks = match tls.client_certificates.as_str() {
        "off" => false,
        "request" => true,
        _ => {
            return Err(ConfigError::new(
                "`tls.client_certificates` is neither `off` nor `request`.",
                "`request` asks every browser too; `tls.mtls_listen` asks programs only",
            ));
        }
    };
    let second = !tls.mtls_listen.is_empty();
    if (asks || second) && tls.certificate.is_empty() {
        return Err(ConfigError::new(
            "Client certificates are asked for, and this listener does not end TLS.",
            "set `tls.certificate_file` and `tls.key_file`; behind a proxy, `tls.certificate_header`",
        ));
    }
    let header = match tls.certificate_header.as_str() {
        "" => None,
        name => Some(name.parse::<HeaderName>().map_err(|_| {
            let hint = "write it like Client-Cert or X-SSL-Client-Cert";
            ConfigError::new("`tls.certificate_header` is no name of a header.", hint)
        })?),
    };
    if header.is_some() && config.server.trusted_proxies.is_empty() {
        return Err(ConfigError::new(
            "`tls.certificate_header` is set, and no proxy is trusted to write it.",
            "name the proxies in `server.trusted_proxies`, and have them overwrite the header",
        ));
    }
    let asked = asks || second || header.is_some();
    let authorities = if asked { authorities(config)? } else { Authorities::default() };
    if asked && !config.tls.client_crl.is_empty() {
        authorities.withdrawn.replace(&config.tls.client_crl).map_err(super::lists::unusable)?;
    }
    let address = match tls.mtls_address.trim_end_matches('/') {
        "" if second => Some(beside(&config.server.issuer, &tls.mtls_listen)?),
        "" => None,
        address => Some(address.to_owned()),
    };
    Ok(Certificates { asked, address, header, authorities })
}

/// Who vouches for client certificates: as named, or else whom the operator's own calls believe.
fn authorities(config: &Config) -> Result<Authorities, ConfigError> {
    let (name, pem) = match (config.tls.client_ca.as_str(), &config.outgoing.ca_file) {
        ("", none) if *none == PathBuf::new() => return Ok(Authorities::default()),
        ("", file) => ("outgoing.ca_file", std::fs::read_to_string(file).unwrap_or_default()),
        (pem, _) => ("tls.client_ca", pem.to_owned()),
    };
    Authorities::from_pem(&pem).map_err(|_| {
        let hint = "PEM: the certificates of everyone who vouches for partners' certificates";
        ConfigError::new(format!("`{name}` holds something that is no certificate."), hint)
    })
}

/// The issuer's host with the port of another listener.
fn beside(issuer: &str, listen: &str) -> Result<String, ConfigError> {
    let wrong = || {
        ConfigError::new(
            "`tls.mtls_listen` is no address.",
            "write it like 0.0.0.0:8443, and set `tls.mtls_address` to what partners type",
        )
    };
    let (_, port) = listen.rsplit_once(':').ok_or_else(wrong)?;
    let mut url = url::Url::parse(issuer).map_err(|_| wrong())?;
    url.set_port(Some(port.parse().map_err(|_| wrong())?)).map_err(|()| wrong())?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The listeners of a deployment, bound; nothing is accepted yet.
pub struct Doors {
    main: (TcpListener, Option<TlsAcceptor>),
    second: Option<(TcpListener, TlsAcceptor)>,
    identity: Option<Arc<Identity>>,
}

impl Doors {
    /// Prepares them; `second` is the listener of `tls.mtls_listen`, where there is one.
    ///
    /// # Errors
    /// As [`Identity::open`].
    pub fn new(
        config: &Config,
        main: TcpListener,
        second: Option<TcpListener>,
    ) -> Result<Self, ConfigError> {
        let identity = Identity::open(&config.tls)?;
        let acceptor = |ask: bool| identity.as_ref().map(|it| it.acceptor(ask)).transpose();
        let own = acceptor(config.tls.client_certificates == "request")?;
        let second = second.zip(acceptor(true)?);
        Ok(Self { main: (main, own), second, identity })
    }

    /// The main listener's address.
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.main.0.local_addr()
    }

    /// Who this server is, where it ends TLS.
    #[must_use]
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }

    /// Serves until `shutdown`; `aliases` are the paths that the second listener has beside the
    /// interfaces below `/api/`.
    pub async fn serve(
        self,
        router: Router,
        aliases: BTreeSet<String>,
        shutdown: Shutdown,
        grace: Duration,
    ) {
        if let Some(identity) = self.identity {
            let take = move || identity.reload();
            tokio::spawn(renew("the certificate", take, shutdown.clone()));
        }
        let second = async {
            if let Some((listener, acceptor)) = self.second {
                let (router, aliases) = (router.clone(), Arc::new(aliases));
                let only = middleware::from_fn(move |request: Request, next: Next| {
                    let aliases = aliases.clone();
                    async move { programs(&aliases, request, next).await }
                });
                let router = router.layer(only);
                serve_over(listener, Some(acceptor), router, shutdown.clone(), grace).await;
            }
        };
        let (listener, acceptor) = self.main;
        let main = serve_over(listener, acceptor, router.clone(), shutdown.clone(), grace);
        tokio::join!(main, second);
    }
}

/// A page there would set cookies and make sessions under a second name.
async fn programs(aliases: &BTreeSet<String>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if aliases.contains(path) || path.starts_with("/api/") {
        return next.run(request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Paths of the endpoints that the metadata names as aliases (RFC 8705 §5).
#[must_use]
pub fn aliases(web: &idp_web::State) -> BTreeSet<String> {
    let document = idp_protocol::metadata::document(&web.settings.offer());
    let addresses = document.get("mtls_endpoint_aliases").and_then(|all| all.as_object());
    let path = |address: &serde_json::Value| {
        Some(url::Url::parse(address.as_str()?).ok()?.path().to_owned())
    };
    addresses.into_iter().flatten().filter_map(|(_, address)| path(address)).collect()
}
