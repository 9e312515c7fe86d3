//! An access token that is presented to an endpoint of ours.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use idp_protocol::exchange::Actor;
use idp_protocol::jose::{Algorithm, Unverified};
use idp_protocol::{ErrorCode, ProtocolError, dpop};
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx};

use super::believed::Access;
use super::reply::Failure;
use super::sender::{self, Sender};
use crate::State;
use crate::certificate::Chain;

/// The claims of a token that we signed for our own API and that has not expired; whether it was
/// revoked is another question.
///
/// # Errors
/// As the database says.
pub(crate) async fn believe(state: &State, text: &str) -> Result<Option<Arc<Access>>, StoreError> {
    let issuer = &state.settings.issuer;
    // RFC 9068 §4, RFC 8707 §3: what is meant for another resource opens nothing here.
    Ok(issued(state, text).await?.filter(|access| access.aud.has(issuer)))
}

/// The same for whomever it is meant: for those who ask about a token, not with it.
///
/// # Errors
/// As the database says.
pub(crate) async fn issued(state: &State, text: &str) -> Result<Option<Arc<Access>>, StoreError> {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    let now = state.now() / 1000;
    let ring = state.keys.ring(state).await?;
    if let Some(access) = ring.believed.get(&key) {
        return Ok(Some(access).filter(|access| access.exp > now));
    }
    let ring = state.keys.ring_for(state, text).await?;
    // RFC 9068 §4: typ, alg, iss, exp (attacks row 11).
    let claims = Unverified::parse(text)
        .and_then(|token| token.verify(&ring.public, &[Algorithm::Es256], Some("at+jwt")));
    let Ok(claims) = claims else { return Ok(None) };
    let Ok(access) = serde_json::from_value::<Access>(claims) else { return Ok(None) };
    if access.iss != state.settings.issuer || access.exp <= now {
        return Ok(None);
    }
    let access = Arc::new(access);
    ring.believed.keep(key, access.clone());
    Ok(Some(access))
}

/// What stands behind a token now.
pub(crate) enum Stands {
    /// Revoked, or its grant has ended.
    No,
    /// The client itself.
    Client,
    /// A grant.
    Grant(Box<Grant>),
}

/// Asks the database whether the token and its grant still stand: a revocation on any node holds
/// at once.
///
/// # Errors
/// As the database says.
pub(crate) async fn stands(state: &State, access: &Arc<Access>) -> Result<Stands, StoreError> {
    let now = state.now();
    let Some(gid) = &access.gid else {
        let (id, jti) = (&access.client_id, &access.jti);
        let stands = idp_store::client::stands_for_token(&state.db, id, jti).await?;
        return Ok(if stands { Stands::Client } else { Stands::No });
    };
    let found = idp_store::grant::of_token(&state.db, gid, &access.jti, now).await?;
    let Some(grant) = found else { return Ok(Stands::No) };
    if !access.from.is_empty() {
        let access = access.clone();
        let acting = state.db.read("token_acting", move |tx: &mut Tx| {
            let access = access.clone();
            Box::pin(async move { acting(tx, &access).await })
        });
        let acting: Result<bool, StoreError> = acting.await;
        if !acting? {
            return Ok(Stands::No);
        }
    }
    Ok(Stands::Grant(Box::new(grant)))
}

/// Whether a token that was exchanged still stands: no client that acts, or acted before it, is kept
/// out, and no token that it was exchanged for is revoked (attacks row 39).
///
/// # Errors
/// As the database says.
pub(crate) async fn acting(tx: &mut Tx, access: &Access) -> Result<bool, StoreError> {
    let before = access.act.iter().flat_map(Actor::chain).filter(|id| *id != access.client_id);
    for id in std::iter::once(access.client_id.as_str()).chain(before) {
        let client = idp_store::client::find(tx, id).await?;
        if client.is_none_or(|client| client.disabled) {
            return Ok(false);
        }
    }
    for jti in &access.from {
        if idp_store::single_use::is_revoked(tx, jti).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The scheme under which a token came (RFC 6750 §2.1, RFC 9449 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Whoever holds it may use it.
    Bearer,
    /// With a proof of its key.
    Dpop,
}

/// The token of an `Authorization` header; RFC 9110 §11.1: the scheme's name in any case.
#[must_use]
pub fn presented(authorization: &str) -> Option<(Scheme, &str)> {
    let (scheme, token) = authorization.split_once(' ')?;
    let scheme = match scheme {
        bearer if bearer.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        dpop if dpop.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return None,
    };
    Some((scheme, token.trim()))
}

/// Whether the sender holds the key to which a token is bound (RFC 9449 §7.1, RFC 8705 §3).
///
/// # Errors
/// `invalid_token` for a bound token that comes without its key, or an unbound one that comes with
/// the scheme `DPoP`; `invalid_dpop_proof` and `use_dpop_nonce` for the proof itself.
pub(crate) async fn held(
    state: &State,
    sender: &Sender,
    scheme: Scheme,
    token: &str,
    access: &Access,
) -> Result<(), Failure> {
    let wrong = ProtocolError::invalid_token("The access token is bound to a key of another.");
    let bound = access.cnf.clone().unwrap_or_default();
    // RFC 8705 §3: shown with the certificate to which it is bound.
    let certificate = sender.certificate.as_ref().map(Chain::thumbprint);
    if bound.x5t.is_some() && bound.x5t != certificate {
        return Err(wrong.into());
    }
    match (&bound.jkt, scheme) {
        // RFC 9449 §7.2: a bound token is not taken as a bearer token (attacks row 15).
        (Some(_), Scheme::Bearer) | (None, Scheme::Dpop) => Err(wrong.into()),
        (None, Scheme::Bearer) => Ok(()),
        (Some(jkt), Scheme::Dpop) => {
            let proven = sender::proven(state, sender, Some(token)).await?;
            match proven.jkt {
                Some(held) if held == *jkt => Ok(()),
                Some(_) => Err(wrong.into()),
                None => {
                    let text = "The DPoP proof is missing.";
                    Err(ProtocolError::new(ErrorCode::InvalidDpopProof, text).into())
                }
            }
        }
    }
}

/// Challenges of a refused call (RFC 6750 §3, RFC 9449 §7.1); without an error for a call without a
/// token, which may choose the scheme.
#[must_use]
pub fn challenges(error: Option<&str>, scheme: Option<Scheme>) -> Vec<HeaderValue> {
    let error = error.map(|code| format!(", error=\"{code}\"")).unwrap_or_default();
    let names: Vec<&str> = dpop::ALGORITHMS.iter().map(|algorithm| algorithm.name()).collect();
    let bearer = format!("Bearer realm=\"tongban\"{error}");
    let dpop = format!("DPoP realm=\"tongban\"{error}, algs=\"{}\"", names.join(" "));
    let told: &[String] = match scheme {
        Some(Scheme::Bearer) => &[bearer],
        Some(Scheme::Dpop) => &[dpop],
        None => &[bearer, dpop],
    };
    told.iter().filter_map(|text| HeaderValue::from_str(text).ok()).collect()
}
