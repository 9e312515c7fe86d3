//! What a person sees.

use axum::Router;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use crate::State;

/// The pages' routes.
pub fn router() -> Router<State> {
    Router::new()
}

/// A protocol error shown to a person.
pub(crate) fn protocol_error(
    _state: &State,
    _headers: &HeaderMap,
    status: StatusCode,
    code: &str,
    description: &str,
) -> Response {
    (status, Html(format!("<p role=alert>{code}: {description}</p>"))).into_response()
}

/// A page that posts `fields` to `redirect_uri` (OAuth 2.0 Form Post Response Mode §2).
pub(crate) fn form_post(
    _state: &State,
    _headers: &HeaderMap,
    redirect_uri: &str,
    fields: &[(String, String)],
) -> Response {
    let escape = |text: &str| {
        text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
    };
    let inputs: String = fields
        .iter()
        .map(|(name, value)| {
            format!(r#"<input type=hidden name="{}" value="{}">"#, escape(name), escape(value))
        })
        .collect();
    let form = format!(
        r#"<form method=post action="{}">{inputs}<button>&rarr;</button></form>"#,
        escape(redirect_uri)
    );
    Html(form).into_response()
}

/// Asks whether to sign out.
pub(crate) fn confirm_logout(
    _state: &State,
    _headers: &HeaderMap,
    _client_name: Option<&str>,
    _fields: &[(String, String)],
) -> Response {
    StatusCode::NOT_IMPLEMENTED.into_response()
}

/// Says that nobody is signed in any more.
pub(crate) fn signed_out(_state: &State, _headers: &HeaderMap) -> Response {
    StatusCode::NOT_IMPLEMENTED.into_response()
}
