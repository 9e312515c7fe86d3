//! Keys of clients: registered with them, or fetched from where they publish them
//! (OpenID Connect Registration §2 `jwks_uri`; attacks row 17).
//!
//! What was fetched is kept. A `kid` that is not among it makes us look again, but no more often
//! than once in a while for each address and so many times a minute for each host, whoever asks. A
//! site that fails costs nobody a sign-in while what it last said is recent.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use idp_domain::outgoing::Limits;
use idp_protocol::client::{Client, published};
use idp_protocol::jose::Unverified;
use serde_json::Value;

use super::counted::Counted;
use crate::State;

/// Between two fetches of one address, milliseconds: well below the minute within which a new key
/// has to be known.
const PAUSE: i64 = 10_000;
/// How long a set is kept, if its site does not say, and between which bounds it may say it,
/// milliseconds.
const FRESH: i64 = 5 * 60_000;
const SHORTEST: i64 = 60_000;
const LONGEST: i64 = 60 * 60_000;
/// How long a set serves while its site fails, milliseconds.
const STALE: i64 = 24 * 60 * 60_000;
/// Fetches from one host within a minute: many clients may live on one, and many clients may be
/// registered to hurt one.
const PER_HOST: u32 = 300;
/// Sets kept; beyond, all begins anew.
const MOST: usize = 10_000;

/// The keys of a client.
pub(crate) enum Keys<'c> {
    /// As registered.
    Registered(&'c [Value]),
    /// As published.
    Published(Arc<Vec<Value>>),
}

impl Deref for Keys<'_> {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        match self {
            Self::Registered(keys) => keys,
            Self::Published(keys) => keys,
        }
    }
}

/// One address.
#[derive(Default)]
struct Slot {
    kept: Mutex<Kept>,
    /// Whoever holds it is fetching.
    fetching: tokio::sync::Mutex<()>,
}

/// What an address last said. Times in milliseconds UTC.
#[derive(Default, Clone)]
struct Kept {
    keys: Arc<Vec<Value>>,
    fetched: Option<i64>,
    until: i64,
    tried: Option<i64>,
    /// Why the last try brought nothing.
    problem: Option<String>,
}

impl Kept {
    fn has(&self, kid: Option<&str>) -> bool {
        let named = |kid: &str| {
            self.keys.iter().any(|key| key.get("kid").and_then(Value::as_str) == Some(kid))
        };
        self.fetched.is_some() && kid.is_none_or(named)
    }

    /// Whether it has to be fetched, and may be.
    fn wants(&self, now: i64, kid: Option<&str>) -> bool {
        let rested = self.tried.is_none_or(|tried| !(0..PAUSE).contains(&(now - tried)));
        // Without a name nobody can tell a new key from a wrong signature: it is looked up sooner.
        let until = if kid.is_some() {
            self.until
        } else {
            self.until.min(self.fetched.unwrap_or(0) + SHORTEST)
        };
        rested && !(self.has(kid) && now < until)
    }

    fn is_stale(&self, now: i64) -> bool {
        self.fetched.is_none_or(|fetched| now - fetched >= STALE)
    }

    /// What may still be believed.
    fn good(&self, now: i64) -> Arc<Vec<Value>> {
        if self.is_stale(now) { Arc::default() } else { self.keys.clone() }
    }
}

/// Sets by their address.
#[derive(Default)]
pub(crate) struct ClientKeys {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    hosts: Counted,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientKeys {
    fn slot(&self, uri: &str) -> Arc<Slot> {
        let mut slots = locked(&self.slots);
        if let Some(slot) = slots.get(uri) {
            return slot.clone();
        }
        if slots.len() >= MOST {
            slots.clear();
        }
        slots.entry(uri.to_owned()).or_default().clone()
    }

    /// Counts a fetch; false if its host has had enough in this minute.
    fn may_fetch(&self, uri: &str, now: i64) -> bool {
        let url = url::Url::parse(uri).ok();
        let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
        self.hosts.within(host.to_owned(), PER_HOST, now)
    }

    async fn published(&self, state: &State, uri: &str, kid: Option<&str>) -> Arc<Vec<Value>> {
        let slot = self.slot(uri);
        let kept = locked(&slot.kept).clone();
        let turn = if kept.has(kid) {
            if !kept.wants(state.now(), kid) {
                return kept.good(state.now());
            }
            // Somebody fetches: who finds the key in the old set need not wait for the new one.
            let Ok(turn) = slot.fetching.try_lock() else { return kept.good(state.now()) };
            turn
        } else {
            slot.fetching.lock().await
        };
        let now = state.now();
        if locked(&slot.kept).wants(now, kid) {
            if self.may_fetch(uri, now) {
                locked(&slot.kept).tried = Some(now);
                fetch(state, uri, &slot, now).await;
            } else {
                locked(&slot.kept).problem = Some("its host was asked too often".to_owned());
            }
        }
        drop(turn);
        let kept = locked(&slot.kept);
        kept.good(now)
    }
}

async fn fetch(state: &State, uri: &str, slot: &Slot, now: i64) {
    let found = look_up(state, uri).await;
    let mut kept = locked(&slot.kept);
    match found {
        Ok((keys, life)) => {
            kept.keys = Arc::new(keys);
            kept.fetched = Some(now);
            kept.until = now + life;
            kept.problem = None;
        }
        Err(problem) => {
            tracing::info!(problem, "the keys of a client could not be fetched");
            kept.problem = Some(problem);
        }
    }
}

/// What stands at an address, and how long it is good for, milliseconds; or why it is no use, for
/// the operator.
async fn look_up(state: &State, uri: &str) -> Result<(Vec<Value>, i64), String> {
    let answer = state.outgoing().get(uri, Limits::default()).await;
    let answer = answer.map_err(|cause| cause.to_string())?;
    if answer.status != 200 {
        return Err(format!("the site answered {}", answer.status));
    }
    // The type is left to the site: many serve `application/json`, some text.
    let keys = published::keys(&answer.body).ok_or("what it shows is no set of public keys")?;
    let said = answer.max_age.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
    let life = said.map_or(FRESH, |seconds| seconds.saturating_mul(1000).clamp(SHORTEST, LONGEST));
    Ok((keys, life))
}

/// Keys that are registered; none where they are published.
fn registered(client: &Client) -> &[Value] {
    let keys = client.jwks.as_ref().and_then(|jwks| jwks.get("keys")).and_then(Value::as_array);
    keys.map_or(&[], Vec::as_slice)
}

/// The keys of a client. `kid` is the name of the one that is looked for.
pub(crate) async fn of<'c>(state: &State, client: &'c Client, kid: Option<&str>) -> Keys<'c> {
    match &client.jwks_uri {
        Some(uri) if client.jwks.is_none() => {
            Keys::Published(state.client_keys.published(state, uri, kid).await)
        }
        _ => Keys::Registered(registered(client)),
    }
}

/// The keys of a client as far as they are at hand: nobody waits for its site.
pub(crate) fn at_hand<'c>(state: &State, client: &'c Client) -> Keys<'c> {
    match &client.jwks_uri {
        Some(uri) if client.jwks.is_none() => {
            let slot = state.client_keys.slot(uri);
            let kept = locked(&slot.kept);
            Keys::Published(kept.good(state.now()))
        }
        _ => Keys::Registered(registered(client)),
    }
}

/// Why a client has no key that fits, for the operator.
pub(crate) fn problem(state: &State, client: &Client) -> String {
    let Some(uri) = client.jwks_uri.as_ref().filter(|_| client.jwks.is_none()) else {
        return "none of its `jwks` fits".to_owned();
    };
    let slot = state.client_keys.slot(uri);
    let kept = locked(&slot.kept);
    match &kept.problem {
        Some(problem) => format!("its `jwks_uri`: {problem}"),
        None if kept.is_stale(state.now()) => "its `jwks_uri` is still to be fetched".to_owned(),
        None => "none of those at its `jwks_uri` fits".to_owned(),
    }
}

/// The keys of a client, of which one should have signed `jwt`.
pub(crate) async fn for_jwt<'c>(state: &State, client: &'c Client, jwt: &str) -> Keys<'c> {
    if client.jwks_uri.is_none() {
        return of(state, client, None).await;
    }
    let kid = Unverified::parse(jwt).ok().and_then(|token| token.kid().map(str::to_owned));
    of(state, client, kid.as_deref()).await
}
