//! Opens the request object of an authorization request, if it has one (RFC 9101).

use idp_protocol::parameters::Parameters;
use idp_protocol::{ErrorCode, ProtocolError, jwe, request_object};

use super::reference;
use crate::State;
use crate::clients::Known;
use crate::oidc::client_keys;
use crate::oidc::reply::Failure;

/// The parameters that count, and whether the client has signed them.
///
/// # Errors
/// `invalid_request_object`, `invalid_request_uri`, `request_not_supported`.
pub(in crate::oidc) async fn open(
    state: &State,
    known: &Known,
    network: &str,
    parameters: &Parameters,
) -> Result<(Parameters, bool), Failure> {
    let client = &known.client;
    let referred;
    let text = match (parameters.get("request"), parameters.get("request_uri")) {
        (None, None) => return Ok((parameters.clone(), false)),
        // RFC 9101 §5: by value or by reference, never both.
        (Some(_), Some(_)) => {
            let text = "Both request and request_uri were sent.";
            return Err(ProtocolError::invalid_request(text).into());
        }
        (Some(text), None) => text,
        // RFC 9126 §5: nothing is fetched for a client whose requests come another way.
        (None, Some(_)) if client.rules().pushed => {
            let text = "This client must push its authorization requests.";
            return Err(ProtocolError::invalid_request(text).into());
        }
        (None, Some(uri)) => {
            referred = reference::fetch(state, client, network, uri).await?;
            &*referred
        }
    };
    let (issuer, now) = (&state.settings.issuer, state.now() / 1000);
    // RFC 9101 §6.1: decrypted first; what is inside is then held to its signature like any other
    // (attacks row 12).
    let opened;
    let text = if jwe::is_encrypted(text) {
        let told = "The request object cannot be decrypted.";
        let refused = |_| ProtocolError::new(ErrorCode::InvalidRequestObject, told);
        opened = state.keys.ring(state).await?.open(text).map_err(refused)?;
        opened.as_str()
    } else {
        text
    };
    let keys = client_keys::for_jwt(state, client, text).await;
    Ok((request_object::open(client, text, parameters, &keys, issuer, now)?, true))
}
