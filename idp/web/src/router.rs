//! All routes of this half, and what holds for every answer of it.

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, extract};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::{State, certificate, interaction, oidc, pages};

/// The router of this half, without a fallback: the hall's routes stand beside it.
pub fn router(state: State) -> Router {
    let guarded = pages::router(&state).merge(oidc::guarded());
    let guarded = guarded.layer(middleware::from_fn_with_state(state.clone(), same_origin));
    guarded
        .merge(oidc::router(&state))
        // Attacks row 42.
        .layer(DefaultBodyLimit::max(state.settings.max_body_bytes))
        .layer(middleware::from_fn_with_state(state.clone(), headers))
        .with_state(state)
}

/// Refuses unsafe requests that another site's page sent (attacks rows 19, 20; Fetch Metadata,
/// RFC 6454 §7 for browsers without it). Programs send neither header.
pub async fn same_origin(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || ours(request.headers(), &state.settings.issuer) {
        return next.run(request).await;
    }
    let headers = request.headers();
    let text = "The form was sent from another site.";
    pages::protocol_error(&state, headers, StatusCode::FORBIDDEN, "invalid_request", text)
}

/// Whether a request comes from our own pages, or from a program (attacks rows 19, 20).
#[must_use]
pub fn ours(headers: &HeaderMap, issuer: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match text("origin") {
        // Programs.
        None => true,
        // Our pages send their own origin; the opaque one is a sandboxed frame's.
        Some(origin) => url::Url::parse(issuer)
            .is_ok_and(|issuer| issuer.origin().ascii_serialization() == origin),
    }
}

/// Mark of an answer that may stand in another site's frame; its own policy says in whose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framed;

const DEFAULTS: &[(HeaderName, &str)] = &[
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Addresses of this half hold flows, and answers hold codes (attacks row 36).
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Attacks row 35; pages set their own, with what they need.
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

/// What holds for every request of either half: whose certificate it came with, and its name.
pub async fn arrived(
    extract::State(state): extract::State<State>,
    mut request: Request,
    next: Next,
) -> Response {
    certificate::settle(&state, &mut request);
    let id = interaction::of(&state, &mut request);
    let mut response = next.run(request).await;
    interaction::name(&mut response, id);
    if state.settings.secure {
        // RFC 6797 §7.1: a browser that came over TLS once never comes without it.
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// The same, and what holds for every answer of this half. One layer: each costs a request some
/// allocations.
async fn headers(state: extract::State<State>, request: Request, next: Next) -> Response {
    // Nothing of ours has a NUL in its name, and PostgreSQL has no text with it.
    let named = !request.uri().path().contains("%00");
    let mut response = if named {
        arrived(state, request, next).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    };
    let framed = response.extensions().get::<Framed>().is_some();
    for (name, value) in DEFAULTS {
        if framed && *name == header::X_FRAME_OPTIONS {
            continue;
        }
        if !response.headers().contains_key(name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Lets browsers' programs of any site call an endpoint that takes no cookies (Fetch §3.2):
/// single-page partners fetch metadata, tokens and claims from their own origin.
pub(crate) async fn cross_origin(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if preflight {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, dpop"),
            (header::ACCESS_CONTROL_MAX_AGE, "3600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    } else {
        let exposed = HeaderValue::from_static("www-authenticate, dpop-nonce");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn attack_19_and_20_forms_of_other_sites_are_refused() {
        let ours = |headers| ours(&headers, "http://localhost:8080");
        assert!(ours(HeaderMap::new()));
        assert!(ours(with("sec-fetch-site", "same-origin")));
        assert!(ours(with("origin", "http://localhost:8080")));
        assert!(!ours(with("sec-fetch-site", "cross-site")));
        assert!(!ours(with("sec-fetch-site", "same-site")));
        assert!(!ours(with("origin", "http://localhost:8081")));
        assert!(!ours(with("origin", "https://evil.example")));
        assert!(!ours(with("origin", "null")));
    }
}
