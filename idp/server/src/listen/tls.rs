//! TLS at our own listener (RFC 9325): versions 1.2 and 1.3, ephemeral key exchange and
//! authenticated encryption only, which is all that rustls has, and of that in 1.2 AES-GCM; a
//! certificate that is renewed while connections live; and client certificates, where a listener
//! asks for them (RFC 8705).

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use idp_protocol::certificate::Certificate;
use rustls::CipherSuite;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};
use tokio_rustls::TlsAcceptor;

use crate::config::{ConfigError, Tls};

/// Sessions that a listener remembers, so that a client that comes again need not sign again.
const SESSIONS: usize = 10_240;

/// Who this server is: its certificate and key, as they are now.
#[derive(Debug)]
pub struct Identity {
    current: RwLock<Current>,
    files: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug)]
struct Current {
    /// What was read, to see a change.
    certificate: String,
    key: Arc<CertifiedKey>,
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // FAPI 1.0 Part 2 §8.5, which FAPI-CIBA builds on: in TLS 1.2 AES-GCM only.
    provider.cipher_suites.retain(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        )
    });
    provider
}

fn unusable(problem: impl Into<String>) -> ConfigError {
    let hint = "PEM: the server's certificate with those above it, and its unencrypted private key";
    ConfigError::new(problem, hint)
}

fn certified(certificate: &str, key: &str) -> Result<Arc<CertifiedKey>, ConfigError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.unwrap_or_default();
    if chain.first().is_none_or(|first| Certificate::read(first).is_err()) {
        return Err(unusable("`tls.certificate` holds no certificate."));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| unusable("`tls.key` holds no private key."))?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|cause| {
        unusable(format!("`tls.key` and `tls.certificate` do not go together: {cause}."))
    })?;
    Ok(Arc::new(key))
}

pub(super) fn text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|cause| unusable(format!("{} cannot be read: {cause}.", path.display())))
}

impl Identity {
    /// Of `[tls]`; none where no certificate is configured.
    ///
    /// # Errors
    /// A sentence and a hint, if there is only half of it or it cannot be used.
    pub fn open(config: &Tls) -> Result<Option<Arc<Self>>, ConfigError> {
        let (certificate, key) = (config.certificate.trim(), config.key.trim());
        match (certificate.is_empty(), key.is_empty()) {
            (true, true) => return Ok(None),
            (false, false) => {}
            _ => return Err(unusable("`tls.certificate` and `tls.key` need each other.")),
        }
        let files = (config.certificate_file.clone(), config.key_file.clone());
        let both = files.0 != PathBuf::new() && files.1 != PathBuf::new();
        let current =
            Current { key: certified(certificate, key)?, certificate: certificate.to_owned() };
        Ok(Some(Arc::new(Self { current: RwLock::new(current), files: both.then_some(files) })))
    }

    /// Reads the files again; connections that live keep what they began with. Whether there was
    /// something new.
    ///
    /// # Errors
    /// A sentence and a hint; what was there before stays in use.
    pub fn reload(&self) -> Result<bool, ConfigError> {
        let Some((certificate, key)) = &self.files else { return Ok(false) };
        let certificate = text(certificate)?.trim().to_owned();
        if self.current.read().is_ok_and(|current| current.certificate == certificate) {
            return Ok(false);
        }
        let key = certified(&certificate, &text(key)?)?;
        if let Ok(mut current) = self.current.write() {
            *current = Current { certificate, key };
        }
        Ok(true)
    }

    /// The server's certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        Some(self.current.read().ok()?.key.cert.first()?.to_vec())
    }

    /// Ends TLS as this server; `ask` for client certificates or not.
    ///
    /// # Errors
    /// As rustls says; its parts are fixed, so none.
    pub fn acceptor(self: &Arc<Self>, ask: bool) -> Result<TlsAcceptor, ConfigError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|cause| unusable(cause.to_string()))?;
        let builder = if ask {
            builder.with_client_cert_verifier(Arc::new(Anyone(algorithms)))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().ok()?.key.clone())
    }
}

/// Lets any client certificate pass whose key its sender holds. Whether it is somebody's is asked
/// where the client is known: for one method an authority vouches (RFC 8705 §2.1), for the other
/// nobody does (§2.2), and a bound token needs neither (§3).
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Anyone {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Certificate::read(end_entity)
            .map(|_| ClientCertVerified::assertion())
            .map_err(|_| CertificateError::BadEncoding.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fapi_rw_8_5_in_tls_1_2_there_is_aes_gcm_only() {
        let (mut older, mut newer) = (0, 0);
        for suite in provider().cipher_suites {
            if suite.tls13().is_some() {
                newer += 1;
                continue;
            }
            older += 1;
            let name = format!("{:?}", suite.suite());
            assert!(name.starts_with("TLS_ECDHE_") && name.contains("_GCM_SHA"), "{name}");
        }
        assert!(older >= 4 && newer >= 2, "{older} {newer}");
    }
}
