//! Keys of partners: the private half as the library takes it, the public half as it is registered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

/// A pair.
pub(crate) struct Key {
    /// PKCS #8 as PEM.
    pub(crate) pem: String,
    /// JWK (RFC 7517).
    pub(crate) public: Value,
}

impl Key {
    /// On P-256, to sign with (`ES256`) or to be written to (`ECDH-ES`).
    pub(crate) fn p256(kid: &str, alg: &str) -> Self {
        let pair = KeyPair::generate().unwrap();
        let point = pair.der_bytes();
        // SEC 1 §2.3.3: uncompressed.
        let (x, y) = point[point.len() - 64..].split_at(32);
        let usage = if alg == "ES256" { "sig" } else { "enc" };
        let public = json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": usage, "alg": alg,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
        Self { pem: pair.serialize_pem(), public }
    }
}
