//! Signing keys: made at the first start, sealed in the database, parsed once, and read again
//! every few seconds, so that `tongban key` works on a running deployment.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use idp_domain::ambient::Ambient;
use idp_domain::key::Stage;
use idp_protocol::jose::{Algorithm, JoseError, Signer, Unverified};
use idp_protocol::jwe::{self, Management, Opener};
use idp_store::key::Stored;
use idp_store::{Db, StoreError, Tx};
use serde_json::{Value, json};

use crate::State;
use crate::oidc::believed::Believed;

mod life;

#[cfg(test)]
pub(crate) use life::fresh;
pub use life::{Changed, Listed, Rotated, list, names, revoke, rotate, upkeep};

/// A change made by another process is seen after this, milliseconds.
const FRESH: i64 = 5_000;
/// Whoever finds the keys older than this waits for fresh ones, milliseconds: a node that nobody
/// asked for an hour must not answer with what it knew then.
const LATE: i64 = 2 * FRESH;
/// Between two reads for the sake of a token by an unknown key, milliseconds (attacks row 42).
const CURIOUS: i64 = 1_000;
/// Seconds for which others may keep the JWK set (RFC 9111 §5.2.2.1).
pub const MAX_AGE: i64 = 60;
/// The least time that a key must be published before it signs, milliseconds: until every node has
/// read it, and every set that was served before has grown old.
pub const LEAST_AHEAD: i64 = LATE + MAX_AGE * 1000;

/// Keys as one moment has them.
pub struct Ring {
    /// Keys with a private half; whether each signs now.
    signers: Vec<(Signer, bool)>,
    /// Keys to which others encrypt.
    openers: Vec<Opener>,
    /// Names and stages of all, as stored, and whether they have their private halves.
    known: Vec<(String, Stage, bool)>,
    /// Public halves.
    pub(crate) public: Vec<Value>,
    /// The JWK set as it is served (RFC 7517 §5).
    pub(crate) document: Bytes,
    /// The same with keys for SM2, for whoever registered that: libraries that do not know the
    /// curve refuse a whole set for it, whatever RFC 7517 §5 says of ignoring.
    pub(crate) document_sm2: Bytes,
    /// Tokens that these keys have signed: with a revoked key goes what was believed of it
    /// (attacks row 47).
    pub(crate) believed: Believed,
}

impl Ring {
    fn new(stored: &[Stored], now: i64, overlap: i64) -> Result<Self, StoreError> {
        let (mut signers, mut openers, mut public) = (Vec::new(), Vec::new(), Vec::new());
        let mut encrypting = Vec::new();
        for key in stored {
            let stage = key.life.stage(now, overlap);
            // What a revoked key did is void (attacks row 47).
            if !stage.stands() {
                continue;
            }
            let private = key.private.as_deref();
            if let Some(management) = Management::from_name(&key.algorithm) {
                let Some(private) = private else { continue };
                let opener = Opener::new(management, private).map_err(unusable)?;
                // Every node opens with it before others hear of it, and after.
                if stage == Stage::Active {
                    encrypting.push(opener.jwk().clone());
                }
                openers.push(opener);
                continue;
            }
            let Some(private) = private else {
                // Its private half was erased when it retired.
                let jwk = key.public.as_deref().and_then(|text| serde_json::from_str(text).ok());
                public.extend(jwk);
                continue;
            };
            let algorithm = Algorithm::from_name(&key.algorithm)
                .ok_or_else(|| StoreError::Data("a key has an unknown algorithm".to_owned()))?;
            let signer = Signer::new(algorithm, private).map_err(unusable)?;
            public.push(signer.jwk().clone());
            signers.push((signer, signs(key, stored, now)));
        }
        public.extend(encrypting);
        let set = |keys: &[&Value]| Bytes::from(json!({"keys": keys}).to_string());
        let (all, usual) = (Vec::from_iter(&public), public.iter().filter(|key| !is_sm2(key)));
        let (document_sm2, document) = (set(&all), set(&usual.collect::<Vec<_>>()));
        let known = outline(stored, now, overlap).collect();
        let believed = Believed::default();
        Ok(Self { signers, openers, known, public, document, document_sm2, believed })
    }

    /// Whether these are the keys as stored.
    fn is_of(&self, stored: &[Stored], now: i64, overlap: i64) -> bool {
        self.known.iter().cloned().eq(outline(stored, now, overlap))
    }

    fn knows(&self, kid: &str) -> bool {
        self.known.iter().any(|(known, ..)| known == kid)
    }

    /// Opens what was encrypted to one of our keys (RFC 7516 §5.2).
    ///
    /// # Errors
    /// [`JoseError`].
    pub fn open(&self, text: &str) -> Result<String, JoseError> {
        let plain = jwe::open(&self.openers, text)?;
        String::from_utf8(plain).map_err(|_| JoseError::Malformed)
    }

    /// The key that signs with an algorithm now.
    ///
    /// # Errors
    /// [`JoseError::Key`] if there is none.
    pub fn signer(&self, algorithm: Algorithm) -> Result<&Signer, JoseError> {
        self.signers
            .iter()
            .find(|(signer, signs)| *signs && signer.algorithm() == algorithm)
            .map(|(signer, _)| signer)
            .ok_or(JoseError::Key)
    }
}

fn is_sm2(key: &Value) -> bool {
    key.get("alg").and_then(Value::as_str) == Some(Algorithm::Sm2.name())
}

fn unusable(cause: JoseError) -> StoreError {
    StoreError::Data(cause.to_string())
}

fn outline(
    stored: &[Stored],
    now: i64,
    overlap: i64,
) -> impl Iterator<Item = (String, Stage, bool)> {
    stored
        .iter()
        .map(move |key| (key.kid.clone(), key.life.stage(now, overlap), key.private.is_some()))
}

/// Whether a key is the one of its algorithm that signs: of those whose time has come the newest;
/// on a clock that was set back, the first that waits.
fn signs(key: &Stored, stored: &[Stored], now: i64) -> bool {
    let rank = |key: &Stored| match key.life.signs_from {
        from if from <= now => (true, from),
        from => (false, -from),
    };
    let rivals = stored.iter().filter(|other| {
        other.algorithm == key.algorithm && other.private.is_some() && !other.life.revoked
    });
    rivals.max_by_key(|other| rank(other)).is_some_and(|first| first.kid == key.kid)
}

/// The ring of the moment.
pub struct Keys {
    ring: RwLock<Arc<Ring>>,
    read_at: AtomicI64,
    /// Of many requests that find the ring old, one reads.
    turn: tokio::sync::Mutex<()>,
}

impl Keys {
    /// Reads the keys; makes one of each algorithm where there is none, of SM2 if it is offered.
    /// `overlap` as in [`idp_domain::key::Schedule`].
    ///
    /// # Errors
    /// As the database says, or if a key cannot be made.
    pub async fn open(
        db: &Db,
        ambient: &Ambient,
        overlap: i64,
        sm2: bool,
    ) -> Result<Self, StoreError> {
        let mut stored = read(db).await?;
        for name in names(sm2) {
            let newest = |key: &Stored| key.algorithm == name && key.life.signs_until.is_none();
            if !stored.iter().any(newest) {
                life::first(db, ambient, name).await?;
                stored = read(db).await?;
            }
        }
        let now = ambient.now();
        Ok(Self {
            ring: RwLock::new(Arc::new(Ring::new(&stored, now, overlap)?)),
            read_at: AtomicI64::new(now),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The keys, at most some seconds old.
    ///
    /// # Errors
    /// As the database says.
    pub async fn ring(&self, state: &State) -> Result<Arc<Ring>, StoreError> {
        self.younger_than(state, FRESH).await
    }

    /// The same for a token that somebody shows: if its key is not known, another node may have
    /// begun to sign with it in an emergency.
    ///
    /// # Errors
    /// As the database says.
    pub(crate) async fn ring_for(
        &self,
        state: &State,
        token: &str,
    ) -> Result<Arc<Ring>, StoreError> {
        let ring = self.ring(state).await?;
        match Unverified::parse(token) {
            Ok(token) if token.kid().is_some_and(|kid| !ring.knows(kid)) => {
                self.younger_than(state, CURIOUS).await
            }
            _ => Ok(ring),
        }
    }

    async fn younger_than(&self, state: &State, most: i64) -> Result<Arc<Ring>, StoreError> {
        let old = |most| !(0..most).contains(&(state.now() - self.read_at.load(Ordering::Acquire)));
        if old(most) {
            let turn = match self.turn.try_lock() {
                Ok(turn) => Some(turn),
                Err(_) if most < FRESH || old(LATE) => Some(self.turn.lock().await),
                Err(_) => None,
            };
            if turn.is_some() && old(most) {
                self.read_again(state).await?;
            }
        }
        let ring = self.ring.read().map_err(|_| StoreError::Data("the keys".to_owned()))?;
        Ok(ring.clone())
    }

    async fn read_again(&self, state: &State) -> Result<(), StoreError> {
        let (now, overlap) = (state.now(), state.settings.keys().overlap);
        let stored = read(&state.db).await?;
        let kept = self.ring.read().is_ok_and(|ring| ring.is_of(&stored, now, overlap));
        if !kept {
            let fresh = Arc::new(Ring::new(&stored, now, overlap)?);
            if let Ok(mut ring) = self.ring.write() {
                *ring = fresh;
            }
        }
        self.read_at.store(now, Ordering::Release);
        Ok(())
    }
}

async fn read(db: &Db) -> Result<Vec<Stored>, StoreError> {
    db.read("keys", |tx: &mut Tx| Box::pin(async move { idp_store::key::list(tx).await })).await
}
