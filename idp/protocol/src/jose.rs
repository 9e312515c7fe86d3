//! Signing and verifying compact JWS (RFC 7515) with keys that are parsed once.
//!
//! On aws-lc-rs directly: the usual crate parses the key at every signature, which costs RS256
//! more than half of its speed (docs/decisions/0003). The algorithm is always the verifier's,
//! never the token's (attacks row 11).

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

mod sm2;
mod verify;

pub use verify::{KeyFault, Unverified, is_private, registrable, seconds, thumbprint, verifies};

/// Signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1, GM/T 0125).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// SM2 with SM3.
    Sm2,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rs256, Self::Es256, Self::Ps256, Self::EdDsa, Self::Sm2];
    /// Those that serve whoever registers nothing. SM2 is for clients whose registration names it,
    /// never by what a token says.
    pub const USUAL: [Self; 4] = [Self::Rs256, Self::Es256, Self::Ps256, Self::EdDsa];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Sm2 => "SGD_SM3_SM2",
        }
    }

    /// By its registered name; `none` and the symmetric ones have none here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Why a token is not believed. For the log; a client is told a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Not a compact JWS of reasonable size.
    #[error("not a compact JWS")]
    Malformed,
    /// Another algorithm than the one that is pinned.
    #[error("another algorithm than the registered one")]
    Algorithm,
    /// Another `typ`: a token made for something else.
    #[error("a token of another type")]
    Type,
    /// A critical extension that is not understood (RFC 7515 §4.1.11).
    #[error("an extension that is not understood")]
    Critical,
    /// No key fits.
    #[error("no key fits")]
    Key,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// A key cannot be made or read.
    #[error("the key cannot be used")]
    Unusable,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Sm2(Box<sm2::Pair>),
}

/// A private key, parsed once, for one algorithm.
pub struct Signer {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
    random: SystemRandom,
    jwk: Value,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({}, {})", self.algorithm.name(), self.kid)
    }
}

/// A fresh private key, PKCS#8 DER.
///
/// # Errors
/// [`JoseError::Unusable`] if the library refuses.
pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let random = SystemRandom::new();
    let bytes = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| JoseError::Unusable)?;
            pair.as_der().map_err(|_| JoseError::Unusable)?.as_ref().to_vec()
        }
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| JoseError::Unusable)?
            .as_ref()
            .to_vec(),
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)
            .map_err(|_| JoseError::Unusable)?
            .as_ref()
            .to_vec(),
        Algorithm::Sm2 => return sm2::generate(&random),
    };
    Ok(Zeroizing::new(bytes))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The members of a key on a curve (RFC 7518 §6.2.1), of the uncompressed point.
fn curve(name: &str, point: &[u8]) -> Result<Value, JoseError> {
    let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
        return Err(JoseError::Unusable);
    };
    Ok(json!({"crv": name, "kty": "EC", "x": encode(x), "y": encode(y)}))
}

impl Signer {
    /// Parses a PKCS#8 key; its `kid` is the key's thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`JoseError::Unusable`] if it is not a key of this algorithm.
    pub fn new(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        let unusable = |_| JoseError::Unusable;
        let (pair, jwk) = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
                let public = pair.public_key();
                let n = encode(public.modulus().big_endian_without_leading_zero());
                let e = encode(public.exponent().big_endian_without_leading_zero());
                (Pair::Rsa(Box::new(pair)), json!({"e": e, "kty": "RSA", "n": n}))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(unusable)?;
                let jwk = curve("P-256", pair.public_key().as_ref())?;
                (Pair::Ec(pair), jwk)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
                let x = encode(pair.public_key().as_ref());
                (Pair::Ed(pair), json!({"crv": "Ed25519", "kty": "OKP", "x": x}))
            }
            Algorithm::Sm2 => {
                let (pair, point) = sm2::Pair::parse(pkcs8)?;
                (Pair::Sm2(Box::new(pair)), curve(sm2::CURVE, &point)?)
            }
        };
        // RFC 7638 §3.2: the required members in lexicographic order, as built above. The
        // algorithm keeps RS256 and PS256 of one RSA key apart.
        let thumbprint = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{jwk}{}", algorithm.name()).as_bytes(),
        );
        let kid = encode(thumbprint.as_ref().get(..16).unwrap_or_default());
        let mut jwk = jwk;
        for (name, value) in [("kid", kid.as_str()), ("alg", algorithm.name()), ("use", "sig")] {
            if let Some(members) = jwk.as_object_mut() {
                members.insert(name.to_owned(), Value::String(value.to_owned()));
            }
        }
        Ok(Self { algorithm, kid, pair, random: SystemRandom::new(), jwk })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs claims as a compact JWS with this `typ`.
    ///
    /// # Errors
    /// [`JoseError::Unusable`] if the library refuses.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let header =
            format!(r#"{{"typ":"{typ}","alg":"{}","kid":"{}"}}"#, self.algorithm.name(), self.kid);
        self.compact(&header, claims)
    }

    /// Signs claims under a header of the caller's own: tests and simulators act clients, proofs
    /// and liars with it.
    ///
    /// # Errors
    /// [`JoseError::Unusable`] if the library refuses.
    pub fn sign_with_header(
        &self,
        header: &Value,
        claims: &impl Serialize,
    ) -> Result<String, JoseError> {
        self.compact(&header.to_string(), claims)
    }

    fn compact(&self, header: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let body = serde_json::to_vec(claims).map_err(|_| JoseError::Unusable)?;
        let mut token = String::with_capacity(header.len() * 2 + body.len() * 2 + 350);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(body, &mut token);
        let signature = self.raw(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn raw(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                pair.sign(padding, &self.random, message, &mut signature)
                    .map_err(|_| JoseError::Unusable)?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                let signature =
                    pair.sign(&self.random, message).map_err(|_| JoseError::Unusable)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Sm2(pair) => pair.sign(message),
        }
    }
}

/// Left half of the hash of a token (OpenID Connect Core §3.1.3.6), with the hash of the ID
/// token's algorithm: SHA-512 for Ed25519, whose own hash it is, SM3 for SM2.
#[must_use]
pub fn half_hash(algorithm: Algorithm, token: &str) -> String {
    use aws_lc_rs::digest::{SHA256, SHA512, digest};
    let hash = match algorithm {
        Algorithm::Sm2 => sm2::hash(token.as_bytes()),
        Algorithm::EdDsa => digest(&SHA512, token.as_bytes()).as_ref().to_vec(),
        _ => digest(&SHA256, token.as_bytes()).as_ref().to_vec(),
    };
    encode(hash.get(..hash.len() / 2).unwrap_or_default())
}

#[cfg(test)]
mod tests;
