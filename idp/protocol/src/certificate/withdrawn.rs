//! Certificates that their authorities took back: revocation lists (RFC 5280 §5), read anew while
//! the program runs.

use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

/// A text that holds no list, or one that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no usable revocation list in it\nhint: it must be PEM, from BEGIN X509 CRL to its END, version 2 with a next update; neither deltas nor lists of several authorities"
)]
pub struct NoList;

/// One list: what it says, and how long it may be believed.
#[derive(Debug)]
pub(super) struct List {
    list: CertRevocationList<'static>,
    /// Seconds UTC.
    since: i64,
    /// Seconds UTC; from then on there is a newer one.
    pub(super) until: i64,
}

/// Lists that are in use together.
pub(super) type Lists = Arc<Vec<List>>;

/// The lists in use. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Withdrawn(Arc<RwLock<Lists>>);

impl Withdrawn {
    /// Puts the lists of a PEM text in the place of those that were in use; says how many there
    /// are. Whether an authority signed them is asked when a certificate of it is shown.
    ///
    /// # Errors
    /// [`NoList`]; what was in use stays.
    pub fn replace(&self, text: &str) -> Result<usize, NoList> {
        let mut lists = Vec::new();
        for der in CertificateRevocationListDer::pem_slice_iter(text.as_bytes()) {
            lists.push(read(&der.map_err(|_| NoList)?)?);
        }
        if lists.is_empty() {
            return Err(NoList);
        }
        // Of two lists of one authority the first is asked: the newer has to be it.
        lists.sort_by_key(|list| std::cmp::Reverse(list.since));
        let count = lists.len();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(lists);
        Ok(count)
    }

    /// When the first of them may no longer be believed, seconds UTC; none if there are none.
    #[must_use]
    pub fn until(&self) -> Option<i64> {
        self.current().iter().map(|list| list.until).min()
    }

    pub(super) fn current(&self) -> Lists {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Asks `with` under the lists: a certificate of an authority that has a list is believed only if
/// the list is signed by it, not out of date (or whoever keeps a new list from arriving keeps a
/// stolen key alive), and does not name it. An authority without one is believed.
pub(super) fn asked<T>(lists: &Lists, with: impl FnOnce(Option<RevocationOptions<'_>>) -> T) -> T {
    let lists: Vec<_> = lists.iter().map(|list| &list.list).collect();
    let options = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
        options
            .with_status_policy(UnknownStatusPolicy::Allow)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build()
    });
    with(options)
}

fn read(der: &[u8]) -> Result<List, NoList> {
    let list = OwnedCertRevocationList::from_der(der).map_err(|_| NoList)?;
    let told: CertificateList = CertificateList::from_der(der).map_err(|_| NoList)?;
    let told = told.tbs_cert_list;
    let seconds = |time: x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
    };
    let until = told.next_update.map(seconds).ok_or(NoList)?;
    Ok(List { list: list.into(), since: seconds(told.this_update), until })
}
