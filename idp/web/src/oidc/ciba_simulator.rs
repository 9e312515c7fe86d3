//! `/simulators/ciba`: the demo's person, who answers a request over the back channel as a program
//! wants. It exists in a demo only.

use axum::extract;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, Uri};
use idp_domain::ambient::Token;
use idp_protocol::ProtocolError;
use idp_protocol::parameters::Parameters;

use super::ciba::PREFIX;
use super::reply::Failure;
use crate::{State, backchannel};

/// `?auth_req_id=…&action=allow|deny`, by GET or POST.
pub(crate) async fn answer(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match decide(&state, uri.query().unwrap_or_default()).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(failure) => failure.body(&headers),
    }
}

async fn decide(state: &State, query: &str) -> Result<bool, Failure> {
    let parameters = Parameters::parse(query.as_bytes())?;
    let text = parameters.required("auth_req_id", "The auth_req_id is missing.")?;
    let allow = match parameters.get("action") {
        Some("allow") => true,
        Some("deny") => false,
        _ => {
            let text = "The action must be allow or deny.";
            return Err(ProtocolError::invalid_request(text).into());
        }
    };
    let Some(token) = Token::parse(PREFIX, text) else { return Ok(false) };
    let done = backchannel::decide(&state.db, &state.ambient, &token.id, allow).await?;
    state.outbox_wake.notify_one();
    Ok(done)
}
