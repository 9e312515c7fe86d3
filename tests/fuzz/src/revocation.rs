//! Revocation lists. The authority's key was thrown away when it had signed the lists of the
//! corpus: whatever else of its name is believed is forged.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_protocol::certificate::{Authorities, Unvouched, Withdrawn};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;
use x509_cert::name::Name;

use crate::{NOW, text};

const ROOT: &str = include_str!("../authority/root.pem");
const KEPT: &str = include_str!("../authority/kept.pem");
const LOST: &str = include_str!("../authority/lost.pem");
/// The authority's lists: one that names `LOST`, and an older one that names nobody.
const NAMES_LOST: &str = include_str!("../corpus/revocation/names_lost");
const NAMES_NOBODY: &str = include_str!("../corpus/revocation/names_nobody");
/// When every list of the authority is out of date, and its certificates are not: 2090.
const FAR: i64 = 3_786_912_000;
/// `issuingDistributionPoint` (RFC 5280 §5.2.5): such a list speaks of some certificates only.
const PARTIAL: [u8; 3] = [0x55, 0x1d, 0x1c];

fn certificate(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate").to_vec()
}

/// What the lists of a text are, as far as they are PEM.
fn lists(text: &str) -> Vec<Vec<u8>> {
    let lists = CertificateRevocationListDer::pem_slice_iter(text.as_bytes());
    lists.filter_map(|list| Some(list.ok()?.to_vec())).collect()
}

fn name() -> &'static Name {
    static NAME: OnceLock<Name> = OnceLock::new();
    NAME.get_or_init(|| {
        let root = certificate(ROOT);
        let root: Certificate = Certificate::from_der(&root).expect("a certificate");
        root.tbs_certificate().subject().clone()
    })
}

/// Two certificates of one authority, asked under its lists.
struct Asked {
    authorities: Authorities,
    kept: Vec<Vec<u8>>,
    lost: Vec<Vec<u8>>,
}

impl Asked {
    fn new() -> Self {
        let authorities = Authorities::from_pem(ROOT).expect("an authority");
        let [kept, lost] = [KEPT, LOST].map(|pem| vec![certificate(pem)]);
        Self { authorities, kept, lost }
    }

    fn lists(&self) -> &Withdrawn {
        &self.authorities.withdrawn
    }

    fn at(&self, now: i64) -> [Result<(), Unvouched>; 2] {
        [&self.kept, &self.lost].map(|chain| self.authorities.vouch_for(chain, now))
    }
}

/// A text of lists, or the bytes of one: what the authority did not sign withdraws nothing and
/// vouches for nobody, what is out of date neither, and what cannot be read changes nothing.
pub(crate) fn revocation(bytes: &[u8]) {
    let armoured = |der| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----\n")
    };
    let text = match text(bytes).filter(|text| text.contains("-----")) {
        Some(text) => text.to_owned(),
        None => armoured(bytes),
    };
    let asked = Asked::new();
    assert_eq!(asked.lists().replace(NAMES_LOST), Ok(1));
    let before = asked.lists().until();
    let lists = lists(&text);
    let Ok(count) = asked.lists().replace(&text) else {
        assert_eq!(asked.lists().until(), before, "no list took the place of one");
        assert_eq!(asked.at(NOW), [Ok(()), Err(Unvouched::Withdrawn)]);
        return;
    };
    assert!(count == lists.len() && count > 0 && asked.lists().until().is_some());
    let whole = |list: &&Vec<u8>| !list.windows(PARTIAL.len()).any(|part| part == PARTIAL);
    let own = |list: &Vec<u8>| {
        let list: Result<CertificateList, _> = CertificateList::from_der(list);
        list.is_ok_and(|list| list.tbs_cert_list.issuer == *name())
    };
    let [kept, lost] = asked.at(NOW);
    assert_ne!(kept, Err(Unvouched::Withdrawn), "its authority never withdrew it");
    if !lists.iter().filter(whole).any(own) {
        let others = lists.iter().all(|list| whole(&list));
        assert!(!others || (kept, lost) == (Ok(()), Ok(())), "others speak of it");
        return;
    }
    let holds = |known: &str| self::lists(known).iter().all(|known| lists.contains(known));
    if lost.is_ok() {
        assert!(holds(NAMES_NOBODY) && !holds(NAMES_LOST), "its authority withdrew it");
    }
    assert!(asked.at(FAR).iter().all(Result::is_err), "an old list is believed");
}
