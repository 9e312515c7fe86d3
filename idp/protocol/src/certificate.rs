//! Client certificates (RFC 8705): whose they are, who vouches for them, and what tokens are bound
//! to because of them.

mod vouched;
mod withdrawn;

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::{Value, json};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::client::{AuthMethod, Client};
use crate::compare;
use crate::metadata::Offer;

use vouched::Vouched;
use withdrawn::Lists;
pub use withdrawn::{NoList, Withdrawn};

/// A text or bytes that hold no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no certificate in it\nhint: it must be PEM, from BEGIN CERTIFICATE to its END")]
pub struct NoCertificate;

/// A certificate, read. That its sender holds the private key was shown to whoever ended TLS.
#[derive(Debug, Clone)]
pub struct Certificate {
    subject: Name,
    names: Vec<GeneralName>,
    /// Seconds UTC.
    pub not_before: i64,
    /// Seconds UTC.
    pub not_after: i64,
}

/// What tokens are bound to: SHA-256 of the certificate, base64url (RFC 8705 §3.1).
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, der))
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`NoCertificate`].
    pub fn read(der: &[u8]) -> Result<Self, NoCertificate> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| NoCertificate)?;
        let body = certificate.tbs_certificate();
        let names = body.get_extension::<SubjectAltName>().map_err(|_| NoCertificate)?;
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Ok(Self {
            subject: body.subject().clone(),
            names: names.map(|(_, names)| names.0).unwrap_or_default(),
            not_before: seconds(body.validity().not_before.to_unix_duration()),
            not_after: seconds(body.validity().not_after.to_unix_duration()),
        })
    }

    /// Whether the time, seconds UTC, lies within its validity.
    #[must_use]
    pub fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Whether it names a host (RFC 6125 §6.4 without the subject).
    #[must_use]
    pub fn names_host(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        self.names.iter().any(|name| match name {
            GeneralName::DnsName(known) => {
                let known: &str = known.as_ref();
                known.eq_ignore_ascii_case(host)
                    || known
                        .strip_prefix("*.")
                        .zip(parent)
                        .is_some_and(|(known, parent)| known.eq_ignore_ascii_case(parent))
            }
            GeneralName::IpAddress(octets) => {
                address.is_some_and(|it| is_address(it, octets.as_bytes()))
            }
            _ => false,
        })
    }

    /// Whether it is of the subject that the client registered (RFC 8705 §2.1.2).
    #[must_use]
    pub fn is_of(&self, client: &Client) -> bool {
        let Some((kind, expected)) = registered(client) else { return false };
        let any = |fits: &dyn Fn(&GeneralName) -> bool| self.names.iter().any(fits);
        match kind {
            Kind::SubjectDn => distinguished(expected).is_some_and(|name| {
                // Both printed by the same rules: order, escapes and kinds of strings fall away.
                name.to_string() == self.subject.to_string()
            }),
            // DNS names are compared without case (RFC 4343); a wildcard is not a client.
            Kind::Dns => any(&|name| {
                matches!(name, GeneralName::DnsName(known) if AsRef::<str>::as_ref(known).eq_ignore_ascii_case(expected))
            }),
            Kind::Uri => any(&|name| {
                matches!(name, GeneralName::UniformResourceIdentifier(known) if AsRef::<str>::as_ref(known) == expected)
            }),
            Kind::Ip => expected.parse::<IpAddr>().is_ok_and(|address| {
                any(&|name| matches!(name, GeneralName::IpAddress(known) if is_address(address, known.as_bytes())))
            }),
            Kind::Email => any(&|name| {
                matches!(name, GeneralName::Rfc822Name(known) if AsRef::<str>::as_ref(known) == expected)
            }),
        }
    }
}

fn is_address(address: IpAddr, octets: &[u8]) -> bool {
    match address {
        IpAddr::V4(four) => four.octets() == octets,
        IpAddr::V6(six) => six.octets() == octets,
    }
}

/// Which part of a certificate a client is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SubjectDn,
    Dns,
    Uri,
    Ip,
    Email,
}

fn subjects(client: &Client) -> impl Iterator<Item = (Kind, &str)> {
    [
        (Kind::SubjectDn, &client.tls_client_auth_subject_dn),
        (Kind::Dns, &client.tls_client_auth_san_dns),
        (Kind::Uri, &client.tls_client_auth_san_uri),
        (Kind::Ip, &client.tls_client_auth_san_ip),
        (Kind::Email, &client.tls_client_auth_san_email),
    ]
    .into_iter()
    .filter_map(|(kind, text)| text.as_deref().map(|text| (kind, text)))
}

/// RFC 8705 §2.1.2: exactly one of the five.
fn registered(client: &Client) -> Option<(Kind, &str)> {
    let mut all = subjects(client);
    all.next().filter(|_| all.next().is_none())
}

/// Reads a distinguished name as RFC 4514 prints it; blanks behind its separators, which RFC 2253
/// §4 had, are passed over.
fn distinguished(text: &str) -> Option<Name> {
    let (mut tight, mut escaped, mut separated) = (String::new(), false, true);
    for character in text.chars() {
        if separated && character == ' ' {
            continue;
        }
        separated = !escaped && matches!(character, ',' | '+');
        escaped = !escaped && character == '\\';
        tight.push(character);
    }
    Name::from_str(&tight).ok().filter(|name| !name.is_empty())
}

/// Whether a client registered this very certificate (RFC 8705 §2.2.2): as the first of a key's
/// `x5c`, or by its `x5t#S256`.
#[must_use]
pub fn is_registered(keys: &[Value], der: &[u8]) -> bool {
    let print = thumbprint(der);
    keys.iter().any(|key| {
        let named = key.get("x5t#S256").and_then(Value::as_str);
        own(key).is_some_and(|known| compare::same(known, der))
            || named.is_some_and(|known| compare::same(known, &print))
    })
}

/// The first certificate of a key's `x5c` (RFC 7517 §4.7).
fn own(key: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(key.get("x5c")?.get(0)?.as_str()?).ok()
}

/// Why a chain is not believed: for the log, not for whoever showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// No authority of ours signed it for this use and this time.
    #[error("no authority of ours vouches for it")]
    Nobody,
    /// Its authority took it back.
    #[error("its authority withdrew it")]
    Withdrawn,
    /// The list of its authority says that there is a newer one.
    #[error("the revocation list of its authority is out of date")]
    ListOutOfDate,
    /// The list is not signed by the authority that it names.
    #[error("the revocation list of its authority is not signed by it")]
    ListUnsigned,
}

/// Whose signature makes a certificate believed (RFC 8705 §2.1).
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    roots: Vec<Vec<u8>>,
    /// What they took back.
    pub withdrawn: Withdrawn,
    vouched: Vouched,
}

impl Authorities {
    /// Reads all certificates of a PEM text; nothing is withdrawn yet.
    ///
    /// # Errors
    /// [`NoCertificate`] if there is none, or one cannot be read.
    pub fn from_pem(text: &str) -> Result<Self, NoCertificate> {
        let mut roots = Vec::new();
        for one in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let one = one.map_err(|_| NoCertificate)?;
            anchor_from_trusted_cert(&one).map_err(|_| NoCertificate)?;
            roots.push(one.to_vec());
        }
        if roots.is_empty() { Err(NoCertificate) } else { Ok(Self { roots, ..Self::default() }) }
    }

    /// Nobody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Whether a chain (the client's certificate first, DER) leads to one of them at a time
    /// (seconds UTC): names, signatures, validity, basic constraints, extended key usage and
    /// revocation (RFC 5280 §6).
    ///
    /// # Errors
    /// [`Unvouched`].
    pub fn vouch_for(&self, chain: &[Vec<u8>], now: i64) -> Result<(), Unvouched> {
        let (digest, lists) = (vouched::digest(chain), self.withdrawn.current());
        if self.vouched.has(&digest, &lists, now) {
            return Ok(());
        }
        self.examined(chain, &lists, now)?;
        self.vouched.keep(digest, chain, &lists);
        Ok(())
    }

    fn examined(&self, chain: &[Vec<u8>], lists: &Lists, now: i64) -> Result<(), Unvouched> {
        let (leaf, above) = chain.split_first().ok_or(Unvouched::Nobody)?;
        // A partner's own certificate may be named in the place of an authority.
        if self.roots.contains(leaf) {
            let valid = Certificate::read(leaf).is_ok_and(|leaf| leaf.is_valid_at(now));
            return if valid { Ok(()) } else { Err(Unvouched::Nobody) };
        }
        let leaf = CertificateDer::from(leaf.as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| Unvouched::Nobody)?;
        let roots: Vec<_> =
            self.roots.iter().map(|root| CertificateDer::from(root.as_slice())).collect();
        let anchors: Vec<_> =
            roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
        let above: Vec<_> = above.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
        let (algorithms, usage) = (ALL_VERIFICATION_ALGS, KeyUsage::client_auth());
        let path = withdrawn::asked(lists, |lists| {
            leaf.verify_for_usage(algorithms, &anchors, &above, now, usage, lists, None).map(drop)
        });
        path.map_err(|cause| match cause {
            webpki::Error::CertRevoked => Unvouched::Withdrawn,
            webpki::Error::CrlExpired { .. } => Unvouched::ListOutOfDate,
            webpki::Error::InvalidCrlSignatureForPublicKey
            | webpki::Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | webpki::Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
            | webpki::Error::IssuerNotCrlSigner => Unvouched::ListUnsigned,
            _ => Unvouched::Nobody,
        })
    }
}

impl Client {
    /// What keeps its way to show a certificate from being used.
    pub(crate) fn certificate_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let count = subjects(self).count();
        match self.token_endpoint_auth_method {
            // RFC 8705 §2.1.2.
            AuthMethod::TlsClientAuth if count != 1 => {
                faults.push(
                    "`tls_client_auth` needs exactly one `tls_client_auth_…` name.".to_owned(),
                );
            }
            // RFC 8705 §2.2.2.
            AuthMethod::SelfSignedTlsClientAuth => {
                let keys = self.jwks.as_ref().and_then(|jwks| jwks.get("keys"));
                let keys = keys.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let shown = |key: &Value| own(key).is_some() || key.get("x5t#S256").is_some();
                if !keys.iter().any(shown) && self.jwks_uri.is_none() {
                    let text = "`self_signed_tls_client_auth` needs `jwks` with `x5c`.";
                    faults.push(text.to_owned());
                }
            }
            _ => {}
        }
        for (kind, text) in subjects(self) {
            let readable = match kind {
                Kind::SubjectDn => distinguished(text).is_some(),
                Kind::Ip => text.parse::<IpAddr>().is_ok(),
                Kind::Dns | Kind::Uri | Kind::Email => !text.is_empty(),
            };
            if !readable || text.len() > 1024 {
                faults.push("A `tls_client_auth_…` name cannot be read.".to_owned());
            }
        }
        faults
    }
}

/// Members of the metadata (RFC 8705 §2.1.1, §2.2.1, §3.3).
pub(crate) fn metadata(offer: &Offer) -> Value {
    if !offer.certificates {
        return json!({});
    }
    let mut methods = vec!["self_signed_tls_client_auth"];
    if offer.authorities {
        methods.push("tls_client_auth");
    }
    json!({
        "tls_client_certificate_bound_access_tokens": true,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
    })
}

/// Endpoints that programs call, and may call with a certificate.
const ALIASED: [&str; 7] = [
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "backchannel_authentication_endpoint",
];

/// RFC 8705 §5: the same endpoints where certificates are asked for; of those that the document
/// names.
pub(crate) fn aliases(offer: &Offer, document: &Value) -> Value {
    let Some(address) = offer.mtls.as_ref().filter(|_| offer.certificates) else {
        return json!({});
    };
    let elsewhere = |name: &&str| {
        let path = document.get(*name)?.as_str()?.strip_prefix(&offer.issuer)?;
        Some(((*name).to_owned(), Value::String(format!("{address}{path}"))))
    };
    let aliases: serde_json::Map<String, Value> = ALIASED.iter().filter_map(elsewhere).collect();
    json!({ "mtls_endpoint_aliases": aliases })
}

#[cfg(test)]
mod tests;
