//! The answer to a client through the browser (OpenID Connect Core §3.1.2.5, §3.1.2.6).

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idp_protocol::authorize::{AuthorizationRequest, Carrier, ResponseMode};
use idp_protocol::{ProtocolError, logout};

use crate::{State, pages, session};

/// Where an answer goes: a registered address, always.
pub(super) struct Place<'a> {
    pub(super) redirect_uri: &'a str,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<String>,
}

impl<'a> Place<'a> {
    pub(super) fn of(request: &'a AuthorizationRequest) -> Self {
        Self {
            redirect_uri: &request.redirect_uri,
            mode: request.response_mode,
            state: request.state.clone(),
        }
    }
}

/// A code for the client.
pub(super) fn code(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    code: String,
    session_state: Option<String>,
) -> Response {
    let mut fields = vec![("code".to_owned(), code)];
    // Session Management §2.
    fields.extend(session_state.map(|value| ("session_state".to_owned(), value)));
    send(state, headers, place, fields)
}

/// `session_state` of a client in this session (Session Management §3); none for a client without
/// a web origin, and none for plain OAuth, which has no sessions.
pub(super) fn session_state(
    state: &State,
    request: &AuthorizationRequest,
    session_id: &str,
) -> Option<String> {
    if !request.scope.has("openid") {
        return None;
    }
    let browser = session::browser_state(state, session_id);
    let salt = state.ambient.secret();
    let salt = salt.get(..22).unwrap_or(&salt);
    logout::session_state(&request.client_id, &request.redirect_uri, &browser, salt)
}

/// An error for the client.
pub(super) fn error(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    error: &ProtocolError,
) -> Response {
    let fields = vec![
        ("error".to_owned(), error.code.as_str().to_owned()),
        ("error_description".to_owned(), error.description.to_owned()),
    ];
    send(state, headers, place, fields)
}

fn send(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    mut fields: Vec<(String, String)>,
) -> Response {
    // RFC 6749 §4.1.2: exactly as it was sent.
    fields.extend(place.state.clone().map(|value| ("state".to_owned(), value)));
    // RFC 9207 §2: in every response, errors included (attacks row 7).
    fields.push(("iss".to_owned(), state.settings.issuer.clone()));
    match place.mode.carrier {
        Carrier::FormPost => pages::form_post(state, headers, place.redirect_uri, &fields),
        Carrier::Query => see_other(&with_query(place.redirect_uri, &fields)),
        Carrier::Fragment => see_other(&with_fragment(place.redirect_uri, &fields)),
    }
}

/// Adds parameters to a registered address and leaves what it has (RFC 6749 §3.1.2).
pub(in crate::oidc) fn with_query(uri: &str, fields: &[(String, String)]) -> String {
    let mut text = uri.to_owned();
    text.push(if uri.contains('?') { '&' } else { '?' });
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    text.push_str(&query);
    text
}

/// Adds parameters as the fragment, which a registered address does not have (RFC 6749 §3.1.2).
fn with_fragment(uri: &str, fields: &[(String, String)]) -> String {
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("{uri}#{text}")
}

/// A redirect that turns every method into GET: 307 would send a password on (attacks row 36).
pub(in crate::oidc) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
