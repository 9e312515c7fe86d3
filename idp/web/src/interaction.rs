//! `x-fapi-interaction-id` at resources: one name for a call in both sides' logs (FAPI 1.0 Part 1
//! §6.2.1, clauses 11 and 12, which FAPI-CIBA asks for).

use axum::extract::Request;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue};

use crate::State;

const NAME: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// Whether programs fetch people's data there.
fn is_resource(path: &str) -> bool {
    path == "/oauth2/userinfo" || path == "/api/cases" || path.starts_with("/api/cases/")
}

/// The id that an answer is to carry: at a resource the one that the caller sent, if it is a UUID,
/// or one of ours.
pub(crate) fn of(state: &State, request: &mut Request) -> Option<HeaderValue> {
    if !is_resource(request.uri().path()) {
        return None;
    }
    let sent = request.headers_mut().remove(NAME);
    // Attacks row 43: nothing but a UUID comes back or could reach a log.
    let known = sent.filter(|value| value.to_str().is_ok_and(is_uuid));
    known.or_else(|| HeaderValue::from_str(&state.ambient.id()).ok())
}

/// Names an answer.
pub(crate) fn name(response: &mut Response, id: Option<HeaderValue>) {
    if let Some(id) = id {
        response.headers_mut().insert(NAME, id);
    }
}

/// RFC 9562 §4: five groups of hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_43_only_a_uuid_comes_back() {
        assert!(is_uuid("c770aef3-6784-41f7-8e0e-ff5f97bddb3a"));
        for text in
            ["", "x", "c770aef3-6784-41f7-8e0e-ff5f97bddb3", "c770aef3678441f78e0eff5f97bddb3a"]
        {
            assert!(!is_uuid(text), "{text}");
        }
        assert!(!is_uuid("c770aef3-6784-41f7-8e0e-ff5f97bddbzz"));
    }
}
