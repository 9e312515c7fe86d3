//! What of a request or an answer may be kept: secrets are cut before anything is written down.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use idp_protocol::jose::Unverified;
use serde_json::Value;

use super::recorder::{Decoded, Line, Signature};

/// Characters of a value that are kept.
const LONGEST: usize = 300;
/// Characters of a decoded token's half.
const LONGEST_TOKEN: usize = 3000;
/// Lines of one request or answer.
const MOST: usize = 40;
/// Characters of a bearer secret that are kept: its prefix and a little to tell two apart.
const PREFIX: usize = 10;

/// Nothing of these is kept but their length.
const HIDDEN: &[&str] = &["client_secret", "password", "registration_access_token"];
/// Of these the beginning.
const CUT: &[&str] =
    &["code", "code_verifier", "refresh_token", "device_code", "auth_req_id", "user_code", "token"];
/// Tokens that stand decoded beside the lines.
pub(super) const TOKENS: &[&str] = &[
    "id_token",
    "access_token",
    "client_assertion",
    "request",
    "id_token_hint",
    "assertion",
    "subject_token",
    "actor_token",
    "response",
    "token",
    "DPoP",
];

fn short(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A parameter as it may be kept.
pub(super) fn line(name: &str, value: &str) -> Line {
    // Whatever it is called: a token, or a secret of ours.
    let secret = value.starts_with("eyJ")
        || value.as_bytes().get(3) == Some(&b'_') && value.starts_with("tb");
    let value = if HIDDEN.contains(&name) {
        format!("•••••••• ({})", value.chars().count())
    } else if TOKENS.contains(&name) && value.split('.').count() > 2 {
        let header = value.split('.').next().unwrap_or_default();
        format!("{}.…", short(header, PREFIX))
    } else if secret || CUT.contains(&name) || TOKENS.contains(&name) {
        short(value, PREFIX)
    } else {
        short(value, LONGEST)
    };
    Line { name: short(name, 60), value }
}

/// Parameters, as far as they may be kept.
pub(super) fn lines(pairs: &[(String, String)]) -> Vec<Line> {
    pairs.iter().take(MOST).map(|(name, value)| line(name, value)).collect()
}

/// Members of a JSON answer.
pub(super) fn members(body: &Value) -> Vec<Line> {
    let Value::Object(members) = body else { return Vec::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.iter().take(MOST).map(|(name, value)| line(name, &text(value))).collect()
}

/// Id and secret of HTTP Basic (RFC 6749 §2.3.1).
pub(super) fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, coded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into();
    Some((plain(id), plain(secret)))
}

/// Claims of a token, not checked.
pub(super) fn claims(token: &str) -> Option<Value> {
    let body = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn pretty(part: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    Some(short(&serde_json::to_string_pretty(&value).ok()?, LONGEST_TOKEN))
}

/// A token's halves, and whether one of `keys` made its signature; none if it is no token.
pub(super) fn decoded(name: &str, token: &str, keys: &[Value]) -> Option<Decoded> {
    let parts: Vec<&str> = token.split('.').collect();
    let header = pretty(parts.first()?)?;
    let name = name.to_owned();
    if parts.len() == 5 {
        let (claims, signature) = (String::new(), Signature::Sealed);
        return Some(Decoded { name, header, claims, signature });
    }
    let claims = parts.get(1).filter(|_| parts.len() == 3).and_then(|part| pretty(part))?;
    let good = Unverified::parse(token).is_ok_and(|read| {
        let (algorithm, typ) = (read.algorithm(), read.typ().map(str::to_owned));
        let typ = typ.filter(|typ| !typ.eq_ignore_ascii_case("JWT"));
        algorithm.is_some_and(|alg| read.verify(keys, &[alg], typ.as_deref()).is_ok())
    });
    let signature = if good { Signature::Good } else { Signature::Bad };
    Some(Decoded { name, header, claims, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_48_no_secret_is_kept_whole() {
        let secret = "tbr_0123456789abcdefghijklmnopqrstuvwxyz";
        for name in HIDDEN.iter().chain(CUT).chain(TOKENS).chain(&["anything"]) {
            let kept = line(name, secret).value;
            assert!(kept.chars().count() < 20 && !kept.contains("6789"), "{name}: {kept}");
            let kept = line(name, "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2lnbmF0dXJl").value;
            assert!(!kept.contains("c2lnbmF0dXJl"), "{name}: {kept}");
        }
        assert_eq!(line("client_secret", "abc").value, "•••••••• (3)");
        assert_eq!(line("scope", "openid").value, "openid");
        let kept = decoded("id_token", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2lnbmF0dXJl", &[]).unwrap();
        assert_eq!(kept.signature, Signature::Bad);
        assert!(kept.claims.contains("\"a\": 1") && !format!("{kept:?}").contains("c2lnb"));
    }

    #[test]
    fn rfc_6749_2_3_1_basic_is_read() {
        let coded = STANDARD.encode("a%3Ab:s%20x");
        let read = basic(&format!("Basic {coded}")).unwrap();
        assert_eq!(read, ("a:b".to_owned(), "s x".to_owned()));
        assert_eq!(basic("Bearer x"), None);
    }
}
