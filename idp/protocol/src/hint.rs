//! `id_token_hint`: an ID token of ours, given back (OpenID Connect Core §3.1.2.1, RP-Initiated
//! Logout §2).

use serde_json::Value;

use crate::ProtocolError;
use crate::jose::{Algorithm, Unverified};

/// What a believed hint says. It names a person and a client, and authenticates nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The subject as the client knows it.
    pub subject: String,
    /// The client to which the ID token was issued.
    pub client_id: String,
    /// The session, if the token named it.
    pub sid: Option<String>,
}

/// Checks a hint against our published keys, retired ones included. An expired token is accepted:
/// both specifications say that it should be.
///
/// # Errors
/// `invalid_request` if it was not issued by us as an ID token for one client.
pub fn check(text: &str, keys: &[Value], issuer: &str) -> Result<Hint, ProtocolError> {
    let refuse = ProtocolError::invalid_request("The id_token_hint was not issued here.");
    // `none` has no Algorithm, another signer no key here, an access token another typ (row 11).
    let claims = Unverified::parse(text)
        .and_then(|token| token.verify(keys, &Algorithm::ALL, None))
        .map_err(|_| refuse.clone())?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    // RP-Initiated Logout §2: the OP must have issued it.
    if text("iss").as_deref() != Some(issuer) {
        return Err(refuse);
    }
    // OpenID Connect Core §2: we issue to one audience.
    let client_id = match claims.get("aud") {
        Some(Value::String(only)) => Some(only.clone()),
        Some(Value::Array(list)) => match list.as_slice() {
            [only] => only.as_str().map(str::to_owned),
            _ => None,
        },
        _ => None,
    };
    let (Some(client_id), Some(subject)) = (client_id, text("sub")) else { return Err(refuse) };
    Ok(Hint { subject, client_id, sid: text("sid") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::jose::{Signer, generate};

    const ISSUER: &str = "https://id.example";

    fn signer(algorithm: Algorithm) -> Signer {
        Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap()
    }

    fn good() -> Value {
        json!({"iss": ISSUER, "sub": "p", "aud": "a", "exp": 1, "iat": 0, "sid": "s"})
    }

    #[test]
    fn core_3_1_2_1_an_expired_hint_is_accepted() {
        let signer = signer(Algorithm::Es256);
        let token = signer.sign("JWT", &good()).unwrap();
        let hint = check(&token, &[signer.jwk().clone()], ISSUER).unwrap();
        let sid = Some("s".to_owned());
        assert_eq!(hint, Hint { subject: "p".to_owned(), client_id: "a".to_owned(), sid });
    }

    #[test]
    fn attack_19_a_hint_that_is_not_ours_is_refused() {
        let (ours, theirs) = (signer(Algorithm::Es256), signer(Algorithm::Es256));
        let keys = [ours.jwk().clone()];
        let signed = |signer: &Signer, typ: &str, claims: &Value| signer.sign(typ, claims).unwrap();
        assert!(check(&signed(&theirs, "JWT", &good()), &keys, ISSUER).is_err(), "another signer");
        assert!(check(&signed(&ours, "at+jwt", &good()), &keys, ISSUER).is_err(), "access token");
        for (name, value) in [
            ("iss", json!("https://other.example")),
            ("iss", json!(null)),
            ("aud", json!(["a", "b"])),
            ("aud", json!(null)),
            ("sub", json!(1)),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            let token = signed(&ours, "JWT", &claims);
            assert!(check(&token, &keys, ISSUER).is_err(), "{name} {value}");
        }
        let token = signed(&ours, "JWT", &good());
        let body = token.split('.').nth(1).unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{body}.");
        assert!(check(&none, &keys, ISSUER).is_err(), "alg none");
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String) {
            prop_assert!(check(&text, &[], ISSUER).is_err());
        }
    }
}
