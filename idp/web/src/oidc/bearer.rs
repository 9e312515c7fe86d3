//! An access token that is presented to an endpoint of ours.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use idp_protocol::jose::{Algorithm, Unverified};
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx};

use super::believed::Access;
use crate::State;

/// The claims of a token that we signed and that has not expired; whether it was revoked is
/// another question.
///
/// # Errors
/// As the database says.
pub(crate) async fn believe(state: &State, text: &str) -> Result<Option<Arc<Access>>, StoreError> {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    let now = state.now() / 1000;
    let ring = state.keys.ring(state).await?;
    if let Some(access) = ring.believed.get(&key) {
        return Ok(Some(access).filter(|access| access.exp > now));
    }
    // RFC 9068 §4: typ, alg, iss, aud, exp (attacks row 11).
    let claims = Unverified::parse(text)
        .and_then(|token| token.verify(&ring.public, &[Algorithm::Es256], Some("at+jwt")));
    let Ok(claims) = claims else { return Ok(None) };
    let Ok(access) = serde_json::from_value::<Access>(claims) else { return Ok(None) };
    let issuer = &state.settings.issuer;
    if access.iss != *issuer || access.aud != *issuer || access.exp <= now {
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
    let (access, now) = (access.clone(), state.now());
    state
        .db
        .read("token_stands", move |tx: &mut Tx| {
            let access = access.clone();
            Box::pin(async move {
                let Some(gid) = &access.gid else {
                    let revoked = idp_store::single_use::is_revoked(tx, &access.jti).await?;
                    return Ok(if revoked { Stands::No } else { Stands::Client });
                };
                let found = idp_store::grant::find_for_token(tx, gid, &access.jti, now).await?;
                Ok(found.map_or(Stands::No, |grant| Stands::Grant(Box::new(grant))))
            })
        })
        .await
}

/// The challenge of a refused call (RFC 6750 §3); without an error for a call without a token.
pub(crate) fn challenge(error: Option<&str>) -> HeaderValue {
    let text = match error {
        Some(code) => format!("Bearer realm=\"tongban\", error=\"{code}\""),
        None => "Bearer realm=\"tongban\"".to_owned(),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}
