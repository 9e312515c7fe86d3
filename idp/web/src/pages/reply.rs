//! Answers that are pages: their headers and their status.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Nothing but our own style sheet and pictures, in no frame (attacks rows 35, 37).
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    frame-ancestors 'none'; base-uri 'none'";

/// Where the forms of a page may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forms {
    /// To ourselves.
    Ours,
    /// The page belongs to a flow: its answer redirects to the partner, and browsers apply
    /// `form-action` to every redirect after a form; the partner's own redirects are unknown to
    /// us, so that the directive is left out.
    Onward,
}

/// A page.
pub(crate) fn page(status: StatusCode, forms: Forms, template: &impl Template) -> Response {
    let policy = match forms {
        Forms::Ours => format!("{POLICY}; form-action 'self'"),
        Forms::Onward => POLICY.to_owned(),
    };
    html(status, &policy, template)
}

/// A page with one inline script of this digest (CSP3 §8.4), for the form_post answer.
pub(crate) fn page_with_script(script_digest: &str, template: &impl Template) -> Response {
    let policy = format!("{POLICY}; script-src 'sha256-{script_digest}'");
    html(StatusCode::OK, &policy, template)
}

/// A page that holds frames of these origins and one inline script of this digest.
pub(crate) fn page_with_frames(
    origins: &[String],
    script_digest: &str,
    template: &impl Template,
) -> Response {
    let origins = origins.join(" ");
    let policy = format!(
        "{POLICY}; form-action 'self'; frame-src {origins}; script-src 'sha256-{script_digest}'"
    );
    html(StatusCode::OK, &policy, template)
}

fn html(status: StatusCode, policy: &str, template: &impl Template) -> Response {
    let body = match template.render() {
        Ok(body) => body,
        Err(cause) => {
            tracing::error!(%cause, "a page cannot be rendered");
            return plain(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in PAGE_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `same-origin` rather than `no-referrer`, which would make browsers send `Origin: null` with
/// our own forms; other sites learn nothing either way (attacks row 36).
const PAGE_HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
];

/// A bare answer, for when not even a page can be made.
pub(crate) fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::from(status.as_str().to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// 303: the browser goes there with GET and does not send the form again (attacks row 36).
pub(crate) fn see_other(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    match HeaderValue::from_str(to) {
        Ok(to) => {
            response.headers_mut().insert(LOCATION, to);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Adds cookies to an answer.
pub(crate) fn with_cookies(response: Response, cookies: crate::session::Cookies) -> Response {
    cookies.into_iter().fold(response, with_cookie)
}

/// Adds a cookie to an answer.
pub(crate) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}
