//! Opens the request object of an authorization request, if it has one (RFC 9101).

use idp_protocol::parameters::Parameters;
use idp_protocol::{ErrorCode, ProtocolError, jwe, request_object};

use crate::State;
use crate::clients::Known;
use crate::oidc::client_keys;
use crate::oidc::reply::Failure;

/// The parameters that count, and whether the client has signed them.
///
/// # Errors
/// `invalid_request_object`, `request_not_supported`, `request_uri_not_supported`.
pub(in crate::oidc) async fn open(
    state: &State,
    known: &Known,
    parameters: &Parameters,
) -> Result<(Parameters, bool), Failure> {
    // RFC 9101 §5: by value or by reference, never both.
    if parameters.get("request_uri").is_some() {
        let text = "Request objects by reference are not supported.";
        return Err(ProtocolError::new(ErrorCode::RequestUriNotSupported, text).into());
    }
    let Some(text) = parameters.get("request") else { return Ok((parameters.clone(), false)) };
    let client = &known.client;
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
