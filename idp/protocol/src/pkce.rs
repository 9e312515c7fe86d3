//! Proof Key for Code Exchange (RFC 7636), S256 only.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{ProtocolError, compare};

/// RFC 7636 §4.2: BASE64URL(SHA256(verifier)) has 43 characters.
fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// RFC 7636 §4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// The challenge of an authorization request, if it has one.
///
/// # Errors
/// `invalid_request` if it is required and absent, malformed, or of another method than S256
/// (attacks row 6).
pub fn challenge(
    challenge: Option<&str>,
    method: Option<&str>,
    required: bool,
) -> Result<Option<String>, ProtocolError> {
    let Some(text) = challenge else {
        // RFC 9700 §2.1.1: public clients must use PKCE.
        if required {
            return Err(ProtocolError::invalid_request("PKCE with S256 is required."));
        }
        if method.is_some() {
            return Err(ProtocolError::invalid_request("A code_challenge is missing."));
        }
        return Ok(None);
    };
    // RFC 7636 §4.3: the default would be `plain`, which protects nothing (RFC 9700 §2.1.1).
    if method != Some("S256") {
        return Err(ProtocolError::invalid_request("The code_challenge_method must be S256."));
    }
    if !is_challenge(text) {
        return Err(ProtocolError::invalid_request("The code_challenge is malformed."));
    }
    Ok(Some(text.to_owned()))
}

/// Checks the verifier of a token request against the challenge of its code.
///
/// # Errors
/// `invalid_grant` if they do not belong together (RFC 7636 §4.6), or a verifier comes without a
/// challenge (RFC 9700 §4.8.2: the downgrade).
pub fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), ProtocolError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(ProtocolError::invalid_grant(
            "A code_verifier was sent for a code without a code_challenge.",
        )),
        (Some(_), None) => Err(ProtocolError::invalid_grant("The code_verifier is missing.")),
        (Some(challenge), Some(verifier)) => {
            let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            if compare::same(made, challenge) && is_verifier(verifier) {
                Ok(())
            } else {
                Err(ProtocolError::invalid_grant("The code_verifier does not fit."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn rfc_7636_appendix_b_fits() {
        assert_eq!(verify(Some(CHALLENGE), Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn attack_06_pkce_missing_plain_wrong_or_unasked_is_refused() {
        assert!(challenge(None, None, true).is_err());
        assert!(challenge(None, Some("S256"), false).is_err());
        assert!(challenge(Some(CHALLENGE), Some("plain"), false).is_err());
        assert!(challenge(Some(CHALLENGE), None, false).is_err());
        assert!(challenge(Some("short"), Some("S256"), false).is_err());
        assert!(verify(Some(CHALLENGE), None).is_err());
        assert!(verify(Some(CHALLENGE), Some(CHALLENGE)).is_err());
        assert!(verify(None, Some(VERIFIER)).is_err());
        assert_eq!(challenge(None, None, false), Ok(None));
        assert!(verify(Some(CHALLENGE), Some(&format!("{VERIFIER}A"))).is_err());
        let short = "A".repeat(42);
        let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, short.as_bytes()));
        assert!(verify(Some(&made), Some(&short)).is_err(), "too short a secret, though it fits");
    }

    proptest! {
        #[test]
        fn attack_06_pkce_only_its_own_verifier_fits(
            one in "[A-Za-z0-9._~-]{43,128}",
            other in "[A-Za-z0-9._~-]{43,128}",
        ) {
            let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, one.as_bytes()));
            prop_assert_eq!(challenge(Some(&made), Some("S256"), true), Ok(Some(made.clone())));
            prop_assert_eq!(verify(Some(&made), Some(&one)), Ok(()));
            prop_assert_eq!(verify(Some(&made), Some(&other)).is_ok(), one == other);
        }

        #[test]
        fn attack_06_pkce_outside_text_never_panics(text: String, method: String, required: bool) {
            let _ = challenge(Some(&text), Some(&method), required);
            prop_assert!(verify(Some(&text), Some(&method)).is_err());
        }
    }
}
