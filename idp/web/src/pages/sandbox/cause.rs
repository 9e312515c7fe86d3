//! Why a request failed, in more words than its public error has: worked out from what was seen of
//! the client before, so that the endpoints themselves say nothing more than in production.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_protocol::client::AuthMethod;
use serde_json::Value;

use super::observe::{Answered, Seen};
use super::read;
use super::recorder::{Cause, Recorder};
use crate::clients::Known;

/// Seconds that a code lives, as the sentence says.
const SECONDS: i64 = 1000;

fn cause(key: &'static str, args: Vec<(&'static str, String)>) -> Cause {
    Cause { key, args }
}

fn name(method: AuthMethod) -> String {
    let name = serde_json::to_value(method).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// The private cause of an error; none where the public one says it all.
pub(super) fn of(
    recorder: &Recorder,
    known: &Known,
    seen: &Seen,
    answered: &Answered,
    now: i64,
) -> Option<Cause> {
    let error = answered.error()?;
    match (seen.path.as_str(), error) {
        ("/oauth2/authorize" | "/oauth2/par", "invalid_request") => redirect(known, seen),
        (_, "invalid_client") => authentication(known, seen, now),
        ("/oauth2/token", "invalid_grant") => code(recorder, known, seen, now),
        ("/oauth2/userinfo", "invalid_token") => token(seen, now),
        (_, "invalid_scope") => Some(cause(
            "sandbox-cause-scope",
            vec![("sent", seen.get("scope")?.to_owned()), ("known", known.client.scope.clone())],
        )),
        _ => None,
    }
}

/// Characters that two texts begin with together.
fn shared(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// Where an address leaves the nearest of those that it should be (attacks row 4: the comparison is
/// of strings, and a slash or a letter's case is a difference).
fn differs(sent: &str, allowed: &[String]) -> Option<Cause> {
    if allowed.iter().any(|known| known == sent) {
        return None;
    }
    let nearest = allowed.iter().max_by_key(|known| shared(sent, known))?;
    let at = shared(sent, nearest);
    let rest = |text: &str| match text.chars().skip(at).take(24).collect::<String>() {
        rest if rest.is_empty() => "∅".to_owned(),
        rest => rest,
    };
    Some(cause(
        "sandbox-cause-redirect",
        vec![
            ("at", (at + 1).to_string()),
            ("sent", rest(sent)),
            ("known", rest(nearest)),
            ("list", nearest.clone()),
        ],
    ))
}

fn redirect(known: &Known, seen: &Seen) -> Option<Cause> {
    match seen.get("redirect_uri") {
        Some(sent) => differs(sent, &known.client.redirect_uris),
        None if seen.get("request_uri").or(seen.get("request")).is_none() => {
            Some(cause("sandbox-cause-redirect-missing", Vec::new()))
        }
        None => None,
    }
}

fn authentication(known: &Known, seen: &Seen, now: i64) -> Option<Cause> {
    let registered = known.client.token_endpoint_auth_method;
    let basic = seen.authorization.as_deref().and_then(read::basic);
    let sent = match (&basic, seen.get("client_secret"), seen.get("client_assertion")) {
        (Some(_), ..) => AuthMethod::ClientSecretBasic,
        (None, Some(_), _) => AuthMethod::ClientSecretPost,
        (None, None, Some(_)) => AuthMethod::PrivateKeyJwt,
        (None, None, None) => AuthMethod::None,
    };
    if sent != registered {
        let args = vec![("sent", name(sent)), ("known", name(registered))];
        return Some(cause("sandbox-cause-method", args));
    }
    if let Some(assertion) = seen.get("client_assertion") {
        return asserted(assertion, now);
    }
    let secret = basic.map(|(_, secret)| secret);
    let length = secret.as_deref().or(seen.get("client_secret"))?.chars().count();
    Some(cause("sandbox-cause-secret", vec![("sent", length.to_string())]))
}

/// What of an assertion can be told without its key (RFC 7523 §3).
fn asserted(assertion: &str, now: i64) -> Option<Cause> {
    let claims = read::claims(assertion)?;
    let text = |name: &str| claims.get(name).map(Value::to_string).unwrap_or_default();
    let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    if expires * SECONDS < now {
        let late = (now / SECONDS - expires).to_string();
        return Some(cause("sandbox-cause-assertion-expired", vec![("at", late)]));
    }
    let args = vec![("sent", text("aud")), ("known", text("iss")), ("list", text("sub"))];
    Some(cause("sandbox-cause-assertion", args))
}

fn code(recorder: &Recorder, known: &Known, seen: &Seen, now: i64) -> Option<Cause> {
    let Some(code) = seen.get("code") else {
        let refresh = seen.get("refresh_token").is_some();
        return refresh.then(|| cause("sandbox-cause-refresh", Vec::new()));
    };
    let Some(issued) = recorder.issued(&known.client.client_id, code) else {
        return Some(cause("sandbox-cause-code-unknown", Vec::new()));
    };
    let ago = |then: i64| ((now - then) / SECONDS).to_string();
    if let Some(used_at) = issued.used_at {
        return Some(cause("sandbox-cause-code-used", vec![("at", ago(used_at))]));
    }
    let sent = seen.get("redirect_uri").unwrap_or_default();
    if let Some(asked) = &issued.asked.redirect_uri
        && let Some(cause) = differs(sent, std::slice::from_ref(asked))
    {
        return Some(cause);
    }
    if let Some(challenge) = issued.asked.challenge {
        let Some(verifier) = seen.get("code_verifier") else {
            return Some(cause("sandbox-cause-verifier-missing", Vec::new()));
        };
        let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        if made != challenge {
            let args = vec![("sent", made), ("known", challenge)];
            return Some(cause("sandbox-cause-verifier", args));
        }
    }
    Some(cause("sandbox-cause-code-old", vec![("at", ago(issued.at))]))
}

fn token(seen: &Seen, now: i64) -> Option<Cause> {
    let Some(claims) = seen.bearer().and_then(read::claims) else {
        return Some(cause("sandbox-cause-token-form", Vec::new()));
    };
    let expires = claims.get("exp").and_then(Value::as_i64)?;
    let late = now / SECONDS - expires;
    (late >= 0).then(|| cause("sandbox-cause-token-expired", vec![("at", late.to_string())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_04_redirect_uri_differences_are_named_to_the_character() {
        let allowed = ["https://a.example/cb".to_owned(), "http://localhost:3000/cb".to_owned()];
        assert!(differs("https://a.example/cb", &allowed).is_none());
        let told = differs("http://localhost:3000/callback", &allowed).unwrap();
        let args: Vec<&str> = told.args.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(args, ["24", "allback", "b", "http://localhost:3000/cb"]);
        let told = differs("https://a.example/cb/", &allowed).unwrap();
        assert_eq!((told.args[0].1.as_str(), told.args[2].1.as_str()), ("21", "∅"));
    }
}
