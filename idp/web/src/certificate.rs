//! The certificate with which a client comes (RFC 8705): from the connection where we end TLS
//! ourselves, from a header where a proxy does (RFC 9440), and then from configured proxies only
//! (attacks row 49).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use idp_protocol::certificate::{self, Authorities, Certificate};
use percent_encoding::percent_decode_str;

use crate::{State, network};

/// Certificates that a request's client showed, DER, its own first. The listener makes it an
/// extension of each request of the connection, so that it is read once.
#[derive(Debug, Clone)]
pub struct Chain(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    certificates: Vec<Vec<u8>>,
    thumbprint: OnceLock<String>,
    own: OnceLock<Option<Certificate>>,
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.all() == other.all()
    }
}

impl Eq for Chain {}

impl Chain {
    /// Of certificates; none of none.
    #[must_use]
    pub fn new(certificates: Vec<Vec<u8>>) -> Option<Self> {
        if certificates.is_empty() {
            return None;
        }
        let (thumbprint, own) = (OnceLock::new(), OnceLock::new());
        Some(Self(Arc::new(Shown { certificates, thumbprint, own })))
    }

    /// Of what a proxy writes: the only line of its header. Two lines are two clients' words:
    /// neither is believed.
    #[must_use]
    pub fn passed_on(headers: &HeaderMap, header: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(header).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        line.to_str().ok().and_then(read)
    }

    /// All of them, the client's first.
    #[must_use]
    pub fn all(&self) -> &[Vec<u8>] {
        &self.0.certificates
    }

    /// The client's own, DER.
    pub(crate) fn own(&self) -> &[u8] {
        self.all().first().map_or(&[], Vec::as_slice)
    }

    /// The client's own; none if it cannot be read.
    pub(crate) fn read(&self) -> Option<&Certificate> {
        self.0.own.get_or_init(|| Certificate::read(self.own()).ok()).as_ref()
    }

    /// What tokens are bound to (RFC 8705 §3.1).
    pub(crate) fn thumbprint(&self) -> String {
        self.0.thumbprint.get_or_init(|| certificate::thumbprint(self.own())).clone()
    }
}

/// How client certificates reach this deployment, and what they are good for.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// They do: some listener asks for them, or a proxy passes them on.
    pub asked: bool,
    /// Where they are asked for, if not under the issuer: an address without a trailing slash
    /// (RFC 8705 §5).
    pub address: Option<String>,
    /// Header in which trusted proxies pass them on.
    pub header: Option<HeaderName>,
    /// Who vouches for the certificates of `tls_client_auth`.
    pub authorities: Authorities,
}

/// Settles which certificate a request came with, before any handler looks: nobody else reads the
/// header.
pub(crate) fn settle(state: &State, request: &mut Request) {
    let Some(header) = &state.settings.certificates.header else { return };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let passed_on = Chain::passed_on(request.headers(), header);
    request.headers_mut().remove(header);
    // Attacks row 49: what a stranger writes there is nothing, and falls away.
    if peer.is_some_and(|peer| network::has(&state.settings.trusted_proxies, peer)) {
        // The connection's own certificate would be the proxy's.
        request.extensions_mut().remove::<Chain>();
        if let Some(chain) = passed_on {
            request.extensions_mut().insert(chain);
        }
    }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Reads what proxies write: PEM, percent-encoded or with blanks for its line ends; base64 of DER,
/// between colons (RFC 9440 §2.1) or without; several one after the other, or separated by commas.
fn read(text: &str) -> Option<Chain> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    let bodies: Vec<&str> = if text.contains(BEGIN) {
        text.split(BEGIN).skip(1).map(|part| part.split(END).next().unwrap_or_default()).collect()
    } else {
        text.split(',').map(|part| part.trim().trim_matches(':')).collect()
    };
    let der = |body: &str| {
        let body: String = body.chars().filter(|one| !one.is_whitespace()).collect();
        STANDARD.decode(body).ok().filter(|der| !der.is_empty())
    };
    Chain::new(bodies.into_iter().map(der).collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    #[test]
    fn rfc_9440_2_1_every_usual_form_of_the_header_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let (pem, der) = (made.pem(), made.der().to_vec());
        let base64 = STANDARD.encode(&der);
        let one = Chain::new(vec![der.clone()]);
        for text in [
            format!(":{base64}:"),
            base64.clone(),
            pem.replace('\n', " "),
            pem.replace('\n', "\t"),
            utf8_percent_encode(&pem, NON_ALPHANUMERIC).to_string(),
        ] {
            assert_eq!(read(&text), one, "{text}");
        }
        let two = Chain::new(vec![der.clone(), der]);
        assert_eq!(read(&format!(":{base64}:, :{base64}:")), two);
        assert_eq!(read(&format!("{pem}{pem}")), two);
        for nothing in ["", "(null)", ":", ",", "%FF", BEGIN] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
