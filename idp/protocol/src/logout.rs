//! The end of a session, told to partners: Back-Channel Logout 1.0, Front-Channel Logout 1.0,
//! Session Management 1.0.

use serde_json::{Value, json};
use url::Url;

use crate::metadata::Offer;

/// `typ` of a logout token (Back-Channel Logout §2.4), so that it is taken for nothing else
/// (attacks row 11).
pub const TYP: &str = "logout+jwt";
/// The only member of `events` (Back-Channel Logout §2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long a logout token is good for, seconds: two minutes at most (Back-Channel Logout §4).
const LIFE: i64 = 120;

/// Whose session has ended, as one client knows it.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The subject of its ID tokens.
    pub sub: &'a str,
    /// The session of its ID tokens; none where they had none.
    pub sid: Option<&'a str>,
}

/// Claims of a logout token (Back-Channel Logout §2.4). There is no `nonce`, which would make it
/// an ID token. `now` in seconds UTC.
#[must_use]
pub fn claims(issuer: &str, notice: Notice<'_>, jti: &str, now: i64) -> Value {
    let mut claims = json!({
        "iss": issuer,
        "aud": notice.client_id,
        "iat": now,
        "exp": now + LIFE,
        "jti": jti,
        "events": { EVENT: {} },
        "sub": notice.sub,
    });
    if let (Some(members), Some(sid)) = (claims.as_object_mut(), notice.sid) {
        members.insert("sid".to_owned(), sid.into());
    }
    claims
}

/// The address of a client's frame (Front-Channel Logout §2). Both parameters are always there:
/// a client that did not ask for them ignores them.
#[must_use]
pub fn frame(uri: &str, issuer: &str, sid: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("iss", issuer)
        .append_pair("sid", sid)
        .finish();
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}

/// The web origin of an address (RFC 6454 §6.1); none for schemes that have none.
#[must_use]
pub fn origin(uri: &str) -> Option<String> {
    let origin = Url::parse(uri).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// `session_state` (Session Management §3): what the check-session frame computes again from the
/// browser's state. None for a client without a web origin.
#[must_use]
pub fn session_state(
    client_id: &str,
    redirect_uri: &str,
    browser_state: &str,
    salt: &str,
) -> Option<String> {
    let text = format!("{client_id} {} {browser_state} {salt}", origin(redirect_uri)?);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    Some(format!("{}.{salt}", hex::encode(digest.as_ref())))
}

/// Back-Channel Logout §2.1, Front-Channel Logout §3, Session Management §2.
#[must_use]
pub fn metadata(offer: &Offer) -> Value {
    json!({
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "check_session_iframe": offer.at("/oauth2/check_session"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTICE: Notice<'_> = Notice { client_id: "a", sub: "s", sid: Some("x") };

    #[test]
    fn backchannel_logout_2_4_the_claims_are_those_of_a_logout_token() {
        let all = claims("https://id.example", NOTICE, "j", 1000);
        let expected = json!({"iss": "https://id.example", "aud": "a", "iat": 1000, "exp": 1120,
            "jti": "j", "sub": "s", "sid": "x",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
        assert_eq!(all, expected);
        let none = claims("https://id.example", Notice { sid: None, ..NOTICE }, "j", 1000);
        assert!(none.get("sid").is_none() && none.get("nonce").is_none());
    }

    #[test]
    fn frontchannel_logout_2_the_frame_keeps_the_registered_query() {
        let frame = |uri| frame(uri, "https://id.example", "x y");
        let tail = "iss=https%3A%2F%2Fid.example&sid=x+y";
        assert_eq!(frame("https://a.example/out"), format!("https://a.example/out?{tail}"));
        assert_eq!(frame("https://a.example/out?b=1"), format!("https://a.example/out?b=1&{tail}"));
    }

    #[test]
    fn session_management_3_the_state_is_of_client_origin_browser_and_salt() {
        let state = |client, uri, browser, salt| session_state(client, uri, browser, salt);
        let one = state("a", "https://a.example/cb?x", "b", "salt").unwrap();
        // SHA-256 of "a https://a.example b salt".
        let digest = "b503537b6133d65b6b4352432457e58d3f21e80941ec9abb34fee1422c3ad3dd";
        assert_eq!(one, format!("{digest}.salt"));
        assert_eq!(Some(one.clone()), state("a", "https://a.example/other", "b", "salt"));
        for other in [
            state("c", "https://a.example/cb", "b", "salt"),
            state("a", "https://a.example:8443/cb", "b", "salt"),
            state("a", "https://a.example/cb", "", "salt"),
            state("a", "https://a.example/cb", "b", "other"),
        ] {
            assert_ne!(Some(&one), other.as_ref());
        }
        assert_eq!(state("a", "com.example.app:/cb", "b", "salt"), None);
    }
}
