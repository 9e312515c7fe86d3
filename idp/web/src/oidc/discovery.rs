//! Metadata and keys (OpenID Connect Discovery §4, RFC 8414 §3): made once, served as bytes.

use axum::extract;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::reply::Failure;
use crate::State;

/// `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(extract::State(state): extract::State<State>) -> Response {
    json(state.metadata.clone())
}

/// `/oauth2/jwks` (RFC 7517 §5).
pub(crate) async fn jwks(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
) -> Response {
    match state.keys.ring(&state).await {
        Ok(ring) => json(ring.document.clone()),
        Err(cause) => Failure::from(cause).body(&headers),
    }
}

/// `/oauth2/jwks/sm2`: the same with keys for SM2 (GM/T 0125).
pub(crate) async fn jwks_sm2(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
) -> Response {
    match state.keys.ring(&state).await {
        Ok(ring) => json(ring.document_sm2.clone()),
        Err(cause) => Failure::from(cause).body(&headers),
    }
}

fn json(body: Bytes) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Shorter than a new key waits before it signs (keys::LEAST_AHEAD; attacks row 47).
    let age = HeaderValue::from_str(&format!("public, max-age={}", crate::keys::MAX_AGE));
    if let Ok(age) = age {
        headers.insert(header::CACHE_CONTROL, age);
    }
    response
}
