//! `/oauth2/check_session` (Session Management §3.2): a page that partners hold in a hidden frame
//! and ask, by message, whether the browser's state is still the one of their sign-in.
//!
//! The script is plain old JavaScript with a SHA-256 of its own: browsers without `crypto.subtle`
//! run it, and the answer needs no request.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract;
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};

use crate::router::Framed;
use crate::{State, session};

const SCRIPT: &str = include_str!("../../static/check_session.js");

/// Nothing but this very script (CSP3 §8.4), and in anybody's page: which partner asks is not
/// known here, the script gives away one word, and there is nothing to click.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors *"
    )
});

/// The frame.
pub(crate) async fn frame(extract::State(state): extract::State<State>) -> Response {
    let name = session::state_cookie(&state);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\" data-cookie=\"{name}\"><head><meta charset=\"utf-8\">\
         <title>check_session</title></head><body><script>{SCRIPT}</script></body></html>\n"
    );
    let mut response = Html(page).into_response();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let keep = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    response.extensions_mut().insert(Framed);
    response
}
