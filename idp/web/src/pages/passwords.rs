//! Hashing of passwords: argon2id on a bounded number of threads, because it is the one thing
//! that sets the throughput of signing in (limits.md §1) and must not starve everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// More requests than this waiting for a thread is overload: they are told to come back.
const WAITING: usize = 256;

/// Too many requests wait for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked\nhint: try again in a moment")]
pub struct Busy;

/// What hashing a password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    /// Threads that hash at once.
    pub threads: usize,
    /// Memory of one hash, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Hashing {
    /// As many threads as the machine has; argon2id with 19 MiB and 2 passes (RFC 9106 §4; the
    /// least that OWASP names).
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, memory_kib: Params::DEFAULT_M_COST, passes: Params::DEFAULT_T_COST }
    }
}

impl Hashing {
    /// As little as can be, for tests of everything but hashing.
    #[must_use]
    pub fn least() -> Self {
        Self { threads: 4, memory_kib: Params::MIN_M_COST, passes: 1 }
    }

    pub(crate) fn params(self) -> Params {
        Params::new(self.memory_kib, self.passes, 1, None).unwrap_or_default()
    }
}

/// Hashes and checks passwords. Clones share the threads' bound.
#[derive(Clone)]
pub struct Hasher {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    params: Params,
    /// What each check really cost, for the tests of attacks row 29.
    #[cfg(test)]
    pub(super) work: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Hasher {
    /// A hasher of this cost.
    #[must_use]
    pub fn new(hashing: Hashing) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(hashing.threads.max(1))),
            waiting: Arc::new(AtomicUsize::new(0)),
            params: hashing.params(),
            #[cfg(test)]
            work: Arc::default(),
        }
    }

    /// Hashes a password with a fresh salt of 16 bytes into a PHC string.
    ///
    /// # Errors
    /// [`Busy`] under overload.
    pub async fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, Busy> {
        let password = Zeroizing::new(password.to_owned());
        let params = self.params.clone();
        self.on_a_thread(move || hash(params, password.as_bytes(), &salt)).await?.ok_or(Busy)
    }

    /// Whether a password fits a PHC string. Without one (nobody of that name) the same work is
    /// done for nothing, so that time does not tell who exists (attacks row 29).
    ///
    /// # Errors
    /// [`Busy`] under overload.
    pub async fn verify(&self, password: &str, phc: Option<&str>) -> Result<bool, Busy> {
        let password = Zeroizing::new(password.to_owned());
        let known = phc.is_some();
        let phc = phc.map_or_else(|| self.nobody(), str::to_owned);
        #[cfg(test)]
        let work = self.work.clone();
        let fits = self.on_a_thread(move || {
            let answer = Argon2::default().verify_password(password.as_bytes(), phc.as_str());
            #[cfg(test)]
            work.lock().unwrap().push(tests::cost(&phc, answer));
            answer.is_ok()
        });
        Ok(fits.await? && known)
    }

    /// A string of our parameters that no password fits.
    fn nobody(&self) -> String {
        let (m, t, p) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        let nothing = "A".repeat(43);
        format!("$argon2id$v=19$m={m},t={t},p={p}$AAAAAAAAAAAAAAAAAAAAAA${nothing}")
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let _place = Place::take(&self.waiting)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|_| Busy)
    }
}

/// Hashes without the bound on threads, for commands that create many accounts.
pub(crate) fn hash(params: Params, password: &[u8], salt: &[u8]) -> Option<String> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_with_salt(password, salt).ok().map(|hash| hash.to_string())
}

/// A place in the queue, given back when the request ends or its client goes away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Busy> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Algorithm, version, memory, passes and lengths of a check that was really done; a string
    /// that cannot be checked costs nothing, and says so.
    pub(super) fn cost(phc: &str, answer: Result<(), argon2::password_hash::Error>) -> String {
        use argon2::password_hash::Error::PasswordInvalid;
        if !matches!(answer, Ok(()) | Err(PasswordInvalid)) {
            return "nothing".to_owned();
        }
        let parts: Vec<&str> = phc.split('$').collect();
        let lengths: Vec<usize> = parts[4..].iter().map(|part| part.len()).collect();
        format!("{} {lengths:?}", parts[1..4].join(" "))
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let hasher = Hasher::new(Hashing::least());
        let phc = hasher.hash("山高月小水落石出", [7; 16]).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$"));
        assert!(hasher.verify("山高月小水落石出", Some(&phc)).await.unwrap());
        assert!(!hasher.verify("山高月小水落石", Some(&phc)).await.unwrap());
        assert!(!hasher.verify("anything", None).await.unwrap());
        assert!(!hasher.verify("anything", Some("not a hash")).await.unwrap());
    }

    #[test]
    fn attack_29_the_work_for_nobody_is_the_work_for_somebody() {
        let hasher = Hasher::new(Hashing::default());
        let nobody = hasher.nobody();
        let somebody = hash(Params::default(), b"x", &[7; 16]).unwrap();
        let head = |phc: &str| phc.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(head(&nobody), head(&somebody));
        assert_eq!(nobody.len(), somebody.len());
        // It must parse, or the work would be left out.
        let answer = Argon2::default().verify_password(b"x", nobody.as_str());
        assert_eq!(answer, Err(argon2::password_hash::Error::PasswordInvalid));
    }

    #[tokio::test]
    async fn overload_is_told() {
        let hasher = Hasher::new(Hashing::least());
        hasher.waiting.store(WAITING, Ordering::Relaxed);
        assert_eq!(hasher.verify("x", None).await, Err(Busy));
        hasher.waiting.store(0, Ordering::Relaxed);
        assert_eq!(hasher.verify("x", None).await, Ok(false));
        assert_eq!(hasher.waiting.load(Ordering::Relaxed), 0);
    }
}
