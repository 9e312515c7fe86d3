//! Who is the client (RFC 6749 §2.3, OpenID Connect Core §9).

use std::sync::Arc;

use http::{HeaderMap, header};
use idp_protocol::certificate::{self, Unvouched};
use idp_protocol::client::AuthMethod;
use idp_protocol::parameters::Parameters;
use idp_protocol::token::Presented;
use idp_protocol::{ProtocolError, assertion, compare};

use super::client_keys;
use super::reply::Failure;
use super::sender::Sender;
use crate::certificate::Chain;
use crate::clients::Known;
use crate::{State, cookie};

const REFUSED: ProtocolError = ProtocolError::invalid_client("Client authentication failed.");

const OTHER_METHOD: &str =
    "Another method is registered for this client; see token_endpoint_auth_method.";

/// The client of a request, by the one method that it registered.
///
/// # Errors
/// `invalid_client`, or `invalid_request` for more than one method.
pub(crate) async fn client(
    state: &State,
    headers: &HeaderMap,
    body: &Parameters,
    sender: &Sender,
) -> Result<Arc<Known>, Failure> {
    let authorization = cookie::header(headers, header::AUTHORIZATION);
    let presented = Presented::read(authorization, body)?;
    let known = state.clients.find(state, presented.client_id()).await?;
    let known = known.ok_or(REFUSED)?;
    let registered = known.client.token_endpoint_auth_method;
    match presented {
        Presented::Secret { method, secret, .. } => {
            // Keyed digests of equal length in constant time (attacks row 44).
            let digest = state.db.vault().blind("client.secret", &secret);
            let stored = known.secret_hash.as_deref();
            if !stored.is_some_and(|stored| compare::same(stored, &digest)) {
                return Err(REFUSED.into());
            }
            // OpenID Connect Registration §2: the registered method, no other. Whoever knows the
            // secret may know why.
            if method != registered {
                return Err(ProtocolError::invalid_client(OTHER_METHOD).into());
            }
        }
        Presented::Assertion { assertion, .. } => {
            if registered != AuthMethod::PrivateKeyJwt {
                return Err(REFUSED.into());
            }
            asserted(state, &known, &assertion, sender).await?;
        }
        Presented::Name { .. } => {
            let certificate = sender.certificate.as_ref();
            if registered != AuthMethod::None && !certified(state, &known, certificate).await {
                return Err(REFUSED.into());
            }
        }
    }
    Ok(known)
}

/// Whether the certificate is the client's (RFC 8705 §2). That its sender holds the key was shown
/// when the connection was made.
async fn certified(state: &State, known: &Known, certificate: Option<&Chain>) -> bool {
    let (client, now) = (&known.client, state.now() / 1000);
    let Some(chain) = certificate else { return false };
    let Some(own) = chain.read() else { return false };
    match client.token_endpoint_auth_method {
        // RFC 8705 §2.1: of the registered subject, and a chain that leads to an authority.
        AuthMethod::TlsClientAuth => {
            let authorities = &state.settings.certificates.authorities;
            own.is_of(client)
                && authorities
                    .vouch_for(chain.all(), now)
                    .inspect_err(|cause| {
                        // Anybody can make a certificate of this name: a line each would let
                        // strangers fill the disk. What a list refuses an authority has signed.
                        if *cause != Unvouched::Nobody {
                            let client_id = &client.client_id;
                            tracing::warn!(client_id, %cause, "a certificate is not believed");
                        }
                    })
                    .is_ok()
        }
        // RFC 8705 §2.2: registered itself; nobody vouches for it.
        AuthMethod::SelfSignedTlsClientAuth => {
            let keys = client_keys::of(state, client, None).await;
            own.is_valid_at(now) && certificate::is_registered(&keys, chain.own())
        }
        _ => false,
    }
}

/// What an assertion may name as its audience: the issuer, which is what RFC 7523bis wants, first;
/// the token endpoint, which OpenID Connect Core §9 names; and the address that was called.
pub(super) fn audiences(state: &State, sender: &Sender) -> Vec<String> {
    let issuer = &state.settings.issuer;
    let mut audiences = vec![issuer.clone(), format!("{issuer}/oauth2/token")];
    audiences.extend(sender.addresses(state));
    audiences
}

async fn asserted(
    state: &State,
    known: &Known,
    text: &str,
    sender: &Sender,
) -> Result<(), Failure> {
    let audiences = audiences(state, sender);
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    let keys = client_keys::for_jwt(state, &known.client, text).await;
    let checked = assertion::check(&known.client, &keys, text, &audiences, state.now() / 1000)?;
    let until = checked.expires.saturating_mul(1000);
    let (id, jti) = (&known.client.client_id, &checked.jti);
    let first = idp_store::single_use::assertion(&state.db, id, jti, until).await?;
    // RFC 7523 §3, item 7; attacks row 16.
    if first { Ok(()) } else { Err(REFUSED.into()) }
}
