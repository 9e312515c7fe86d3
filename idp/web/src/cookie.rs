//! Cookies of this half. Names carry the port, because cookies do not know ports and the demo's
//! sites share one host.

use http::header::{COOKIE, HeaderValue};
use http::{HeaderMap, HeaderName};

use crate::State;

/// All cookies of a request, name and value.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// The value of a cookie; of two of the same name, the first (RFC 6265 §5.4: longest path first).
#[must_use]
pub fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    all(headers).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// A cookie's name with the issuer's port. Over TLS the name itself makes browsers refuse it from
/// a neighbouring host (RFC 6265bis §4.1.3.2; attacks row 20).
pub(crate) fn name(state: &State, stem: &str) -> String {
    let prefix = if state.settings.secure { "__Host-" } else { "" };
    format!("{prefix}{stem}_{}", state.settings.port)
}

/// `Set-Cookie` for a secret of ours: out of reach of scripts, sent with navigations from other
/// sites (a partner's redirect), and over TLS only where the issuer is. Without an age it ends
/// with the browser.
pub(crate) fn set(state: &State, name: &str, value: &str, seconds: Option<i64>) -> HeaderValue {
    let secure = if state.settings.secure { "; Secure" } else { "" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `Set-Cookie` for what our own script reads inside a partner's page (Session Management §3.2),
/// where only `SameSite=None` is seen, which browsers take over TLS only. Never for a secret.
pub(crate) fn readable(
    state: &State,
    name: &str,
    value: &str,
    seconds: Option<i64>,
) -> HeaderValue {
    let site = if state.settings.secure { "SameSite=None; Secure" } else { "SameSite=Lax" };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    HeaderValue::from_str(&format!("{name}={value}; Path=/{age}; {site}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `Set-Cookie` that removes a cookie.
pub(crate) fn clear(state: &State, name: &str) -> HeaderValue {
    set(state, name, "", Some(0))
}

/// Text of a header.
pub(crate) fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
