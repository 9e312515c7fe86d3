//! What happens to keys: made, succeeded, retired, erased, removed, revoked (attacks row 47).

use idp_domain::ambient::Ambient;
use idp_domain::key::{Schedule, Stage};
use idp_protocol::jose::{self, Algorithm, JoseError, Signer};
use idp_protocol::jwe::{self, Management, Opener};
use idp_store::key::{Fresh, Stored};
use idp_store::{Db, StoreError, Tx, key};

use super::{read, unusable};

/// The private half is erased this long after a key retired, milliseconds: a node whose clock is
/// slow may still begin with it.
const SLOW_CLOCK: i64 = 60_000;

/// Algorithms of which there is a key: those that sign, SM2 only where it is offered, and those to
/// which others encrypt.
pub fn names(sm2: bool) -> impl Iterator<Item = &'static str> {
    let has = move |algorithm: &Algorithm| sm2 || *algorithm != Algorithm::Sm2;
    let signing = Algorithm::ALL.into_iter().filter(has).map(Algorithm::name);
    signing.chain(Management::ALL.into_iter().map(Management::name))
}

/// Makes a key of an algorithm; it is stored nowhere.
pub(crate) fn fresh(name: &str) -> Result<Fresh, JoseError> {
    let algorithm = name.to_owned();
    if let Some(management) = Management::from_name(name) {
        let private = jwe::generate(management)?;
        let kid = Opener::new(management, &private)?.kid().to_owned();
        return Ok(Fresh { kid, algorithm, private });
    }
    let signing = Algorithm::from_name(name).ok_or(JoseError::Algorithm)?;
    let private = jose::generate(signing)?;
    let kid = Signer::new(signing, &private)?.kid().to_owned();
    Ok(Fresh { kid, algorithm, private })
}

/// Makes the first key of an algorithm, unless another node was faster.
pub(super) async fn first(db: &Db, ambient: &Ambient, name: &str) -> Result<bool, StoreError> {
    let (made, now) = (fresh(name).map_err(unusable)?, ambient.now());
    db.write("key_first", move |tx: &mut Tx| {
        let made = made.clone();
        Box::pin(async move { key::first(tx, &made, now).await })
    })
    .await
}

/// What a rotation came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    /// The successor's name.
    pub kid: String,
    /// From when it signs, milliseconds UTC.
    pub signs_from: i64,
    /// Whether it was made just now; otherwise it waited already.
    pub made: bool,
}

/// Makes the successor of an algorithm's key, one of [`names`]. It is published now and signs
/// after [`Schedule::publish_ahead`]; one that waits already is not made again.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn rotate(
    db: &Db,
    ambient: &Ambient,
    schedule: Schedule,
    name: &str,
) -> Result<Rotated, StoreError> {
    let now = ambient.now();
    let made = succeed(db, schedule, name, now, now).await?;
    let newest =
        read(db).await?.into_iter().rev().find(|key| {
            key.algorithm == name && key.life.signs_until.is_none() && !key.life.revoked
        });
    let newest = newest.ok_or_else(|| {
        StoreError::Data(format!(
            "there is no key of {name} yet: starting the server makes it, that of SM2 with \
             `[protocol] sm2 = true`"
        ))
    })?;
    let made = made.is_some_and(|kid| kid == newest.kid);
    Ok(Rotated { kid: newest.kid, signs_from: newest.life.signs_from, made })
}

async fn succeed(
    db: &Db,
    schedule: Schedule,
    name: &str,
    since: i64,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let made = fresh(name).map_err(unusable)?;
    let kid = made.kid.clone();
    let done = db.write("key_succeed", move |tx: &mut Tx| {
        let made = made.clone();
        Box::pin(async move { key::succeed(tx, &made, &schedule, since, now).await })
    });
    let done: Result<bool, StoreError> = done.await;
    Ok(done?.then_some(kid))
}

/// Takes a key out of use: running nodes neither sign with it nor believe what it signed, some
/// seconds later. If it was the one that signs, another does from now on. False if there is none.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn revoke(db: &Db, ambient: &Ambient, kid: &str) -> Result<bool, StoreError> {
    let found = read(db).await?.into_iter().find(|key| key.kid == kid && !key.life.revoked);
    let Some(found) = found else { return Ok(false) };
    let spare = fresh(&found.algorithm).map_err(unusable)?;
    let (kid, now) = (kid.to_owned(), ambient.now());
    db.write("key_revoke", move |tx: &mut Tx| {
        let (kid, spare) = (kid.clone(), spare.clone());
        Box::pin(async move { key::revoke(tx, &kid, &spare, now).await })
    })
    .await
}

/// What happened to a key in a round of [`upkeep`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// `published`, `signs`, `retired`, `erased` or `removed`.
    pub what: &'static str,
}

/// One round of what time does to keys: whoever is old enough gets a successor, private halves of
/// retired signing keys are erased, and keys of which nothing is alive any more are removed. Of
/// several nodes that do this at once, one makes each change, and gives it.
///
/// # Errors
/// As the database says, or if a key cannot be made.
pub async fn upkeep(
    db: &Db,
    ambient: &Ambient,
    schedule: Schedule,
) -> Result<Vec<Changed>, StoreError> {
    let now = ambient.now();
    let mut changed = Vec::new();
    for stored in read(db).await? {
        let algorithm = stored.algorithm.clone();
        let what = step(db, &stored, schedule, now).await?;
        changed.extend(what.map(|what| Changed { kid: stored.kid.clone(), algorithm, what }));
        let since = now - schedule.rotate_after;
        let newest = stored.life.signs_until.is_none();
        if schedule.rotate_after > 0 && newest && stored.life.signs_from <= since {
            let kid = succeed(db, schedule, &stored.algorithm, since, now).await?;
            let algorithm = stored.algorithm;
            changed.extend(kid.map(|kid| Changed { kid, algorithm, what: "published" }));
        }
    }
    Ok(changed)
}

async fn step(
    db: &Db,
    stored: &Stored,
    schedule: Schedule,
    now: i64,
) -> Result<Option<&'static str>, StoreError> {
    let stage = stored.life.stage(now, schedule.overlap);
    let public = public(stored)?;
    let kid = stored.kid.clone();
    db.write("key_step", move |tx: &mut Tx| {
        let (kid, public) = (kid.clone(), public.clone());
        Box::pin(async move {
            if matches!(stage, Stage::Over | Stage::Revoked) {
                let gone = key::remove(tx, &kid, now - schedule.overlap).await?;
                return Ok(gone.then_some("removed"));
            }
            if key::begin(tx, &kid, now).await? {
                return Ok(Some("signs"));
            }
            if key::retire(tx, &kid, now).await? {
                return Ok(Some("retired"));
            }
            let Some(public) = public else { return Ok(None) };
            Ok(key::erase(tx, &kid, &public, now - SLOW_CLOCK).await?.then_some("erased"))
        })
    })
    .await
}

/// The public half of a signing key that still has its private half.
fn public(stored: &Stored) -> Result<Option<String>, StoreError> {
    let Some(private) = stored.private.as_deref() else { return Ok(None) };
    // Keys to which others encrypt are needed to open.
    let Some(algorithm) = Algorithm::from_name(&stored.algorithm) else { return Ok(None) };
    let signer = Signer::new(algorithm, private).map_err(unusable)?;
    Ok(Some(signer.jwk().to_string()))
}

/// A key as the command line lists it. Times are milliseconds UTC.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// Its name.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// `next`, `active`, `retired`, `over` or `revoked`.
    pub state: &'static str,
    /// Signs; others are told to encrypt to it.
    pub active: bool,
    /// When it was made.
    pub created_at: i64,
    /// From when it signs.
    pub signs_from: i64,
    /// When its successor takes over, or it was revoked; null: not known yet.
    pub signs_until: Option<i64>,
    /// Until when what it did is believed; null: not known yet, or revoked.
    pub published_until: Option<i64>,
    /// Whether its private half is still there.
    pub private: bool,
}

/// All keys that are not removed, oldest first.
///
/// # Errors
/// As the database says.
pub async fn list(
    db: &Db,
    ambient: &Ambient,
    schedule: Schedule,
) -> Result<Vec<Listed>, StoreError> {
    let now = ambient.now();
    let listed = |key: Stored| {
        let stage = key.life.stage(now, schedule.overlap);
        let until = key.life.signs_until.filter(|_| !key.life.revoked);
        Listed {
            kid: key.kid,
            algorithm: key.algorithm,
            state: stage.name(),
            active: stage == Stage::Active,
            created_at: key.created_at,
            signs_from: key.life.signs_from,
            signs_until: key.life.signs_until,
            published_until: until.map(|until| until + schedule.overlap),
            private: key.private.is_some(),
        }
    };
    Ok(read(db).await?.into_iter().map(listed).collect())
}
