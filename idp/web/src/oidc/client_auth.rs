//! Who is the client (RFC 6749 §2.3, OpenID Connect Core §9).

use std::sync::Arc;

use http::{HeaderMap, header};
use idp_protocol::client::AuthMethod;
use idp_protocol::parameters::Parameters;
use idp_protocol::token::Presented;
use idp_protocol::{ProtocolError, assertion, compare};
use idp_store::Tx;

use super::reply::Failure;
use crate::clients::Known;
use crate::{State, cookie};

const REFUSED: ProtocolError = ProtocolError::invalid_client("Client authentication failed.");

/// The client of a request to `endpoint` (a path), by the one method that it registered.
///
/// # Errors
/// `invalid_client`, or `invalid_request` for more than one method.
pub(crate) async fn client(
    state: &State,
    headers: &HeaderMap,
    body: &Parameters,
    endpoint: &str,
) -> Result<Arc<Known>, Failure> {
    let authorization = cookie::header(headers, header::AUTHORIZATION);
    let presented = Presented::read(authorization, body)?;
    let known = state.clients.find(state, presented.client_id()).await?;
    let known = known.ok_or(REFUSED)?;
    let registered = known.client.token_endpoint_auth_method;
    match presented {
        Presented::Secret { method, secret, .. } => {
            // OpenID Connect Registration §2: the registered method, no other.
            let stored = known.secret_hash.as_deref().filter(|_| method == registered);
            // Keyed digests of equal length in constant time (attacks row 44).
            let digest = state.db.vault().blind("client.secret", &secret);
            if !stored.is_some_and(|stored| compare::same(stored, &digest)) {
                return Err(REFUSED.into());
            }
        }
        Presented::Assertion { assertion, .. } => {
            if registered != AuthMethod::PrivateKeyJwt {
                return Err(REFUSED.into());
            }
            asserted(state, &known, &assertion, endpoint).await?;
        }
        Presented::Name { .. } => {
            if registered != AuthMethod::None {
                return Err(REFUSED.into());
            }
        }
    }
    Ok(known)
}

async fn asserted(state: &State, known: &Known, text: &str, endpoint: &str) -> Result<(), Failure> {
    let issuer = &state.settings.issuer;
    // OpenID Connect Core §9 names the token endpoint; the issuer is what RFC 7523bis wants.
    let (token, here) = (format!("{issuer}/oauth2/token"), format!("{issuer}{endpoint}"));
    let audiences = [issuer.as_str(), &token, &here];
    let checked = assertion::check(&known.client, text, &audiences, state.now() / 1000)?;
    let (id, jti) = (known.client.client_id.clone(), checked.jti);
    let until = checked.expires.saturating_mul(1000);
    let first: bool = state
        .db
        .write("assertion", move |tx: &mut Tx| {
            let (id, jti) = (id.clone(), jti.clone());
            Box::pin(async move { idp_store::single_use::assertion(tx, &id, &jti, until).await })
        })
        .await?;
    // RFC 7523 §3, item 7; attacks row 16.
    if first { Ok(()) } else { Err(REFUSED.into()) }
}
