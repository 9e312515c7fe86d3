//! Cookies: reading one, and the header that sets or removes one.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// The value of the first cookie called `name`.
#[must_use]
pub fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

/// A `Set-Cookie` value (RFC 6265 §4.1). `seconds` 0 removes the cookie. `value` must be made of
/// token characters, as all of ours are.
#[must_use]
pub fn set(name: &str, value: &str, path: &str, seconds: u32, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    // Lax: the cookie must come along when the provider or the bank sends the browser back, and
    // must not when another site posts a form (attacks row 20).
    let text =
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("refused="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xa=1; a=2"));
        headers.append(COOKIE, HeaderValue::from_static("b=3"));
        assert_eq!(get(&headers, "a"), Some("2"));
        assert_eq!(get(&headers, "b"), Some("3"));
        assert_eq!(get(&headers, "c"), None);
    }

    #[test]
    fn a_value_with_a_line_break_never_becomes_a_header() {
        assert_eq!(set("a", "1\r\nX: y", "/", 1, true), "refused=");
        let good = set("a", "1", "/", 60, true);
        assert_eq!(good, "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }
}
