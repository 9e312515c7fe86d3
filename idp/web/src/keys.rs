//! Signing keys: made at the first start, sealed in the database, parsed once, and read again
//! every few seconds, so that `tongban key` works on a running deployment.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use idp_domain::ambient::Ambient;
use idp_protocol::jose::{self, Algorithm, JoseError, Signer};
use idp_protocol::jwe::{self, Management, Opener};
use idp_store::key::Stored;
use idp_store::{Db, StoreError, Tx};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::State;
use crate::oidc::believed::Believed;

/// A change made by another process is seen after this, milliseconds.
const FRESH: i64 = 5_000;

/// Keys as one moment has them.
pub struct Ring {
    signers: Vec<(Signer, bool)>,
    /// Keys to which others encrypt.
    openers: Vec<Opener>,
    /// Names and states of all, as stored.
    known: Vec<(String, bool)>,
    /// Public halves.
    pub(crate) public: Vec<Value>,
    /// The JWK set as it is served (RFC 7517 §5).
    pub(crate) document: Bytes,
    /// Tokens that these keys have signed: with a revoked key goes what was believed of it
    /// (attacks row 47).
    pub(crate) believed: Believed,
}

impl Ring {
    fn new(stored: &[Stored]) -> Result<Self, StoreError> {
        let (mut signers, mut openers) = (Vec::new(), Vec::new());
        for key in stored {
            if let Some(management) = Management::from_name(&key.algorithm) {
                openers.push(Opener::new(management, &key.private).map_err(unusable)?);
                continue;
            }
            let algorithm = Algorithm::from_name(&key.algorithm)
                .ok_or_else(|| StoreError::Data("a key has an unknown algorithm".to_owned()))?;
            signers.push((Signer::new(algorithm, &key.private).map_err(unusable)?, key.active));
        }
        let mut public: Vec<Value> =
            signers.iter().map(|(signer, _)| signer.jwk().clone()).collect();
        public.extend(openers.iter().map(|opener| opener.jwk().clone()));
        let known = stored.iter().map(|key| (key.kid.clone(), key.active)).collect();
        let document = Bytes::from(json!({"keys": public}).to_string());
        Ok(Self { signers, openers, known, public, document, believed: Believed::default() })
    }

    /// Whether these are the keys as stored.
    fn is_of(&self, stored: &[Stored]) -> bool {
        let own = self.known.iter().map(|(kid, active)| (kid.as_str(), *active));
        own.eq(stored.iter().map(|key| (key.kid.as_str(), key.active)))
    }

    /// Opens what was encrypted to one of our keys (RFC 7516 §5.2).
    ///
    /// # Errors
    /// [`JoseError`].
    pub fn open(&self, text: &str) -> Result<String, JoseError> {
        let plain = jwe::open(&self.openers, text)?;
        String::from_utf8(plain).map_err(|_| JoseError::Malformed)
    }

    /// The key that signs with an algorithm now: the newest active one.
    ///
    /// # Errors
    /// [`JoseError::Key`] if there is none.
    pub fn signer(&self, algorithm: Algorithm) -> Result<&Signer, JoseError> {
        self.signers
            .iter()
            .rev()
            .find(|(signer, active)| *active && signer.algorithm() == algorithm)
            .map(|(signer, _)| signer)
            .ok_or(JoseError::Key)
    }
}

fn unusable(cause: JoseError) -> StoreError {
    StoreError::Data(cause.to_string())
}

/// The ring of the moment.
pub struct Keys {
    ring: RwLock<Arc<Ring>>,
    read_at: AtomicI64,
}

impl Keys {
    /// Reads the keys; makes one of each algorithm where there is none.
    ///
    /// # Errors
    /// As the database says, or if a key cannot be made.
    pub async fn open(db: &Db, ambient: &Ambient) -> Result<Self, StoreError> {
        let mut stored = read(db).await?;
        for name in names() {
            if !stored.iter().any(|key| key.active && key.algorithm == name) {
                make(db, ambient, name).await?;
                stored = read(db).await?;
            }
        }
        Ok(Self {
            ring: RwLock::new(Arc::new(Ring::new(&stored)?)),
            read_at: AtomicI64::new(ambient.now()),
        })
    }

    /// The keys, at most some seconds old.
    ///
    /// # Errors
    /// As the database says.
    pub async fn ring(&self, state: &State) -> Result<Arc<Ring>, StoreError> {
        let now = state.now();
        let read_at = self.read_at.load(Ordering::Relaxed);
        let stale = !(0..FRESH).contains(&(now - read_at));
        // Of many requests that find it stale, one reads.
        let mine = stale
            && self
                .read_at
                .compare_exchange(read_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            let stored = read(&state.db).await?;
            let kept = self.ring.read().is_ok_and(|ring| ring.is_of(&stored));
            if !kept {
                let fresh = Arc::new(Ring::new(&stored)?);
                if let Ok(mut ring) = self.ring.write() {
                    *ring = fresh;
                }
            }
        }
        let ring = self.ring.read().map_err(|_| StoreError::Data("the keys".to_owned()))?;
        Ok(ring.clone())
    }
}

async fn read(db: &Db) -> Result<Vec<Stored>, StoreError> {
    db.read("keys", |tx: &mut Tx| Box::pin(async move { idp_store::key::list(tx).await })).await
}

/// Algorithms of which there is a key: those that sign, and those to which others encrypt.
pub fn names() -> impl Iterator<Item = &'static str> {
    let signing = Algorithm::ALL.into_iter().map(Algorithm::name);
    signing.chain(Management::ALL.into_iter().map(Management::name))
}

/// Makes a key that signs from now on; the algorithm's other keys still verify. Gives its `kid`.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn rotate(
    db: &Db,
    ambient: &Ambient,
    algorithm: Algorithm,
) -> Result<String, StoreError> {
    make(db, ambient, algorithm.name()).await
}

/// Makes a key of an algorithm by its name, one of [`names`]. Gives its `kid`.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn make(db: &Db, ambient: &Ambient, name: &'static str) -> Result<String, StoreError> {
    let (private, kid) = fresh(name).map_err(unusable)?;
    let (named, now) = (kid.clone(), ambient.now());
    db.write("key_add", move |tx: &mut Tx| {
        let (kid, private) = (named.clone(), private.clone());
        Box::pin(async move { idp_store::key::add(tx, &kid, name, &private, now).await })
    })
    .await?;
    Ok(kid)
}

/// A private key of an algorithm, and its name.
pub(crate) fn fresh(name: &str) -> Result<(Zeroizing<Vec<u8>>, String), JoseError> {
    if let Some(management) = Management::from_name(name) {
        let private = jwe::generate(management)?;
        let kid = Opener::new(management, &private)?.kid().to_owned();
        return Ok((private, kid));
    }
    let algorithm = Algorithm::from_name(name).ok_or(JoseError::Algorithm)?;
    let private = jose::generate(algorithm)?;
    let kid = Signer::new(algorithm, &private)?.kid().to_owned();
    Ok((private, kid))
}

/// A key as the command line lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// Signs; otherwise it only verifies.
    pub active: bool,
    /// Milliseconds UTC.
    pub created_at: i64,
}

/// All keys that are not revoked, oldest first.
///
/// # Errors
/// As the database says.
pub async fn list(db: &Db) -> Result<Vec<Listed>, StoreError> {
    let listed = |key: Stored| Listed {
        kid: key.kid,
        algorithm: key.algorithm,
        active: key.active,
        created_at: key.created_at,
    };
    Ok(read(db).await?.into_iter().map(listed).collect())
}

/// Takes a key out of use: running nodes neither sign with it nor believe what it signed, some
/// seconds later. If it was the one that signs, another is made. False if there is none.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn revoke(db: &Db, ambient: &Ambient, kid: &str) -> Result<bool, StoreError> {
    let Some(key) = read(db).await?.into_iter().find(|key| key.kid == kid) else {
        return Ok(false);
    };
    let name = names().find(|name| *name == key.algorithm);
    if let Some(name) = name.filter(|_| key.active) {
        make(db, ambient, name).await?;
    }
    let kid = kid.to_owned();
    db.write("key_revoke", move |tx: &mut Tx| {
        let kid = kid.clone();
        Box::pin(async move { idp_store::key::revoke(tx, &kid).await })
    })
    .await
}
