//! Believing a token: pinned algorithm, checked `typ`, trusted keys only.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Algorithm, JoseError, sm2};
use crate::jwe::{Management, fits};

/// Bytes of a token that is looked at (attacks row 42).
const LONGEST: usize = 16 * 1024;

/// A token that is split and decoded but not believed.
#[derive(Debug, Clone)]
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    header: Value,
    /// The claims, not to be acted upon.
    pub unverified_claims: Value,
}

impl<'t> Unverified<'t> {
    /// Splits and decodes.
    ///
    /// # Errors
    /// [`JoseError::Malformed`] or [`JoseError::Critical`].
    pub fn parse(token: &'t str) -> Result<Self, JoseError> {
        if token.len() > LONGEST {
            return Err(JoseError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JoseError::Malformed)?;
        let (header, body) = signed.split_once('.').ok_or(JoseError::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JoseError::Malformed);
        let object = |bytes: Vec<u8>| {
            // A NUL, which JSON can write only so: no claim needs one, and PostgreSQL has no text
            // with it, so that a `jti` of a partner's would be a failure of ours.
            if bytes.windows(6).any(|six| six == br"\u0000") {
                return Err(JoseError::Malformed);
            }
            serde_json::from_slice::<Value>(&bytes)
                .ok()
                .filter(Value::is_object)
                .ok_or(JoseError::Malformed)
        };
        let header = object(decode(header)?)?;
        // RFC 7515 §4.1.11: what is critical and not understood must be refused.
        if header.get("crit").is_some() {
            return Err(JoseError::Critical);
        }
        let unverified_claims = object(decode(body)?)?;
        Ok(Self { signed, signature: decode(signature)?, header, unverified_claims })
    }

    /// The key that the token says it was signed with: a hint for choosing among trusted keys.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The algorithm that the token names, to be compared with what is allowed.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name)
    }

    /// The algorithm's name as the token has it.
    #[must_use]
    pub fn algorithm_name(&self) -> Option<&str> {
        self.header.get("alg").and_then(Value::as_str)
    }

    /// The key that stands in the header: of use only where the token is about that very key
    /// (RFC 9449 §4.2); everywhere else it is an attacker's (attacks row 11).
    #[must_use]
    pub fn jwk(&self) -> Option<&Value> {
        self.header.get("jwk").filter(|key| key.is_object())
    }

    /// Whether it says that it is this kind of token. A media type's case means nothing (RFC 2045
    /// §5.1).
    #[must_use]
    pub fn is_typed(&self, typ: &str) -> bool {
        self.typ().is_some_and(|named| named.eq_ignore_ascii_case(typ))
    }

    /// The kind of token that it says it is, without the prefix that RFC 7515 §4.1.9 lets away.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        let named = self.header.get("typ").and_then(Value::as_str)?;
        match named.get(..12) {
            Some(prefix) if prefix.eq_ignore_ascii_case("application/") => named.get(12..),
            _ => Some(named),
        }
    }

    /// Believes the claims if one of `keys` (JWKs) signed them with an allowed algorithm and the
    /// `typ` is the expected one (none: absent or `JWT`).
    ///
    /// # Errors
    /// The first reason not to.
    pub fn verify(
        self,
        keys: &[Value],
        allowed: &[Algorithm],
        typ: Option<&str>,
    ) -> Result<Value, JoseError> {
        // RFC 8725 §3.1: the caller's algorithms, never the token's choice.
        let algorithm =
            self.algorithm().filter(|named| allowed.contains(named)).ok_or(JoseError::Algorithm)?;
        // RFC 8725 §3.11: explicit typing keeps tokens of one kind out of another's place. An
        // untyped token may call itself JWT; any other name (at+jwt, dpop+jwt, logout+jwt …) is
        // another kind, whoever invents it.
        let typed = match (typ, self.typ()) {
            (Some(expected), Some(named)) => named.eq_ignore_ascii_case(expected),
            (Some(_), None) => false,
            (None, Some(named)) => named.eq_ignore_ascii_case("JWT"),
            (None, None) => self.header.get("typ").is_none(),
        };
        if !typed {
            return Err(JoseError::Type);
        }
        let kid = self.kid();
        let candidates = keys.iter().filter(|key| {
            let key_kid = key.get("kid").and_then(Value::as_str);
            kid.is_none() || key_kid.is_none() || kid == key_kid
        });
        let mut outcome = JoseError::Key;
        for key in candidates.take(8) {
            match verify_with(key, algorithm, self.signed.as_bytes(), &self.signature) {
                Ok(()) => return Ok(self.unverified_claims),
                Err(JoseError::Signature) => outcome = JoseError::Signature,
                Err(_) => {}
            }
        }
        Err(outcome)
    }
}

fn member(key: &Value, name: &str) -> Result<Vec<u8>, JoseError> {
    let text = key.get(name).and_then(Value::as_str).ok_or(JoseError::Key)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Key)
}

fn verify_with(
    key: &Value,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), JoseError> {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    // A key that names its algorithm or use is good for nothing else (RFC 7517 §4.2, §4.4).
    if !text("alg").is_empty() && text("alg") != algorithm.name() || text("use") == "enc" {
        return Err(JoseError::Key);
    }
    let wrong = |_| JoseError::Signature;
    match (algorithm, text("kty"), text("crv")) {
        (Algorithm::Rs256 | Algorithm::Ps256, "RSA", _) => {
            let components = PublicKeyComponents { n: member(key, "n")?, e: member(key, "e")? };
            let parameters = if algorithm == Algorithm::Ps256 {
                &RSA_PSS_2048_8192_SHA256
            } else {
                &RSA_PKCS1_2048_8192_SHA256
            };
            components.verify(parameters, message, signature).map_err(wrong)
        }
        (Algorithm::Es256, "EC", "P-256") => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(key)?)
                .verify(message, signature)
                .map_err(wrong)
        }
        (Algorithm::EdDsa, "OKP", "Ed25519") => UnparsedPublicKey::new(&ED25519, member(key, "x")?)
            .verify(message, signature)
            .map_err(wrong),
        (Algorithm::Sm2, "EC", sm2::CURVE) => sm2::verify(&point(key)?, message, signature),
        _ => Err(JoseError::Key),
    }
}

/// Why a key set cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not `{"keys": […]}` with one to sixteen members.
    #[error("`jwks` must be an object with 1 to 16 `keys`")]
    Shape,
    /// A private or symmetric key: it is known to others than its owner now.
    #[error("`jwks` holds private or symmetric key material: register public keys only")]
    Private,
    /// Two keys with one name.
    #[error("`jwks` holds two keys of the same `kid`")]
    Twice,
    /// No key that a signature of this provider's algorithms can be checked with, nor one that it
    /// could encrypt to.
    #[error(
        "`jwks` holds no usable key: RSA of 2048 bits, P-256, Ed25519 or sm2p256v1 for signatures, RSA or P-256 for encryption"
    )]
    Unusable,
}

/// Whether a key holds what its owner alone should know (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
#[must_use]
pub fn is_private(key: &Value) -> bool {
    let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    secret.iter().any(|name| key.get(name).is_some())
}

/// The thumbprint of a key with SHA-256 (RFC 7638 §3), base64url.
///
/// # Errors
/// [`JoseError::Key`] if it is no key that this provider can use.
pub fn thumbprint(key: &Value) -> Result<String, JoseError> {
    let text = |name: &str| key.get(name).and_then(Value::as_str).ok_or(JoseError::Key);
    // RFC 7638 §3.2: the required members in lexicographic order, without whitespace.
    let members: &[&str] = match text("kty")? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => return Err(JoseError::Key),
    };
    let mut plain = serde_json::Map::new();
    for name in members {
        plain.insert((*name).to_owned(), text(name)?.into());
    }
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        Value::Object(plain).to_string().as_bytes(),
    );
    Ok(URL_SAFE_NO_PAD.encode(hash))
}

/// A NumericDate, whole seconds (RFC 7519 §2: it may have a fraction).
#[must_use]
pub fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Checks a client's key set as it is registered (RFC 7517 §5, §9.3).
///
/// # Errors
/// The first [`KeyFault`].
pub fn registrable(jwks: &Value) -> Result<(), KeyFault> {
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or(KeyFault::Shape)?;
    if !(1..=16).contains(&keys.len()) || !keys.iter().all(Value::is_object) {
        return Err(KeyFault::Shape);
    }
    if keys.iter().any(is_private) {
        return Err(KeyFault::Private);
    }
    let mut names: Vec<&Value> = keys.iter().filter_map(|key| key.get("kid")).collect();
    let named = names.len();
    names.sort_by_key(|name| name.to_string());
    names.dedup();
    if names.len() != named {
        return Err(KeyFault::Twice);
    }
    // Keys of other kinds may stand beside (RFC 7517 §5: they are ignored).
    let usable = |key: &Value| parses(key) || Management::ALL.iter().any(|way| fits(key, *way));
    if keys.iter().any(usable) { Ok(()) } else { Err(KeyFault::Unusable) }
}

/// Whether a key set holds one that signatures can be checked with.
#[must_use]
pub fn verifies(jwks: &Value) -> bool {
    jwks.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(parses))
}

/// Whether a key can check signatures at all, instead of failing at the first one.
fn parses(key: &Value) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let named = text("alg");
    if !named.is_empty() && Algorithm::from_name(named).is_none() || text("use") == "enc" {
        return false;
    }
    match (text("kty"), text("crv")) {
        ("RSA", _) => {
            let (Ok(n), Ok(e)) = (member(key, "n"), member(key, "e")) else { return false };
            // RFC 7518 §3.3: 2048 bits or more; an even or tiny exponent is no key.
            (256..=1024).contains(&n.len())
                && n.first().is_some_and(|byte| *byte >= 0x80)
                && e.last().is_some_and(|byte| byte % 2 == 1)
                && e.len() <= 4
                && e != [1]
        }
        ("EC", "P-256") => point(key)
            .is_ok_and(|point| ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok()),
        ("EC", sm2::CURVE) => point(key).is_ok_and(|point| sm2::is_point(&point)),
        ("OKP", "Ed25519") => {
            member(key, "x").is_ok_and(|x| ParsedPublicKey::new(&ED25519, x).is_ok())
        }
        _ => false,
    }
}

/// SEC 1 §2.3.3: the uncompressed point.
fn point(key: &Value) -> Result<Vec<u8>, JoseError> {
    let mut point = vec![4];
    point.extend(member(key, "x")?);
    point.extend(member(key, "y")?);
    Ok(point)
}
