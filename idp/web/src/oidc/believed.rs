//! Access tokens whose signature was checked: signature and claims of a token never change, so
//! they are checked once; whether it still stands is asked every time.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use idp_protocol::exchange::Actor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issue::Binding;

/// Tokens kept; beyond, the cache begins anew.
const MOST: usize = 20_000;

/// Claims of an access token (RFC 9068 §2.2).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Access {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) scope: String,
    /// The grant that it came from; none for client credentials.
    #[serde(default)]
    pub(crate) gid: Option<String>,
    /// The key to which it is bound.
    #[serde(default)]
    pub(crate) cnf: Option<Binding>,
    /// Who acts with it (RFC 8693 §4.1).
    #[serde(default)]
    pub(crate) act: Option<Actor>,
    /// Who may (RFC 8693 §4.4).
    #[serde(default)]
    pub(crate) may_act: Option<Actor>,
    /// Tokens that it was exchanged for, the first one first: it falls with each.
    #[serde(default)]
    pub(crate) from: Vec<String>,
    /// What it permits in particular (RFC 9396 §9.1).
    #[serde(default)]
    pub(crate) authorization_details: Vec<Value>,
}

/// For whom a token is (RFC 7519 §4.1.3).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    /// One resource.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Several(list) => list.clone(),
        }
    }

    /// Whether a resource is among them.
    pub(crate) fn has(&self, resource: &str) -> bool {
        match self {
            Self::One(one) => one == resource,
            Self::Several(list) => list.iter().any(|one| one == resource),
        }
    }
}

type Digest = [u8; 32];

/// Tokens by digest.
#[derive(Default)]
pub(crate) struct Believed(RwLock<HashMap<Digest, Arc<Access>>>);

impl Believed {
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Access>> {
        self.0.read().ok()?.get(digest).cloned()
    }

    pub(crate) fn keep(&self, digest: Digest, access: Arc<Access>) {
        if let Ok(mut kept) = self.0.write() {
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(digest, access);
        }
    }
}
