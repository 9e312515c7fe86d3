//! Encryption (RFC 7516, RFC 7518 §4, §5): compact JWE to a client's key, and those that clients
//! send to ours.
//!
//! Two ways to agree on a key and two ciphers, both authenticated; nothing is compressed (a zip bomb
//! is three lines long), and RSA with PKCS#1 v1.5 padding is not there (Bleichenbacher). Written
//! here on aws-lc-rs as the signatures are (docs/decisions/0003).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::jose::JoseError;
use crate::metadata::Offer;

mod opener;

pub use opener::{Opener, open};

/// Bytes of an authentication tag (RFC 7518 §5.3).
const TAG: usize = 16;

/// How the content key is agreed upon (RFC 7518 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Management {
    /// Elliptic curve Diffie-Hellman with P-256, used directly.
    EcdhEs,
    /// RSA with OAEP and SHA-256.
    RsaOaep256,
}

impl Management {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::EcdhEs, Self::RsaOaep256];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdhEs => "ECDH-ES",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }

    /// By its registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// How the content is encrypted (RFC 7518 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// AES-GCM with 128 bits.
    A128Gcm,
    /// AES-GCM with 256 bits.
    A256Gcm,
}

impl Content {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::A128Gcm, Self::A256Gcm];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// By its registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    fn bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }

    fn key(self, bytes: &[u8]) -> Result<LessSafeKey, JoseError> {
        let algorithm = if self == Self::A128Gcm { &AES_128_GCM } else { &AES_256_GCM };
        UnboundKey::new(algorithm, bytes).map(LessSafeKey::new).map_err(|_| JoseError::Unusable)
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Malformed)
}

fn member(key: &Value, name: &str) -> Result<Vec<u8>, JoseError> {
    let text = key.get(name).and_then(Value::as_str).ok_or(JoseError::Key)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Key)
}

/// SEC 1 §2.3.3: the uncompressed point of a P-256 key.
fn point(key: &Value) -> Result<Vec<u8>, JoseError> {
    if key.get("crv").and_then(Value::as_str) != Some("P-256") {
        return Err(JoseError::Key);
    }
    let mut point = vec![4];
    point.extend(member(key, "x")?);
    point.extend(member(key, "y")?);
    Ok(point)
}

/// The key derivation of RFC 7518 §4.6.2 with one round: the agreed secret, what it is for, and
/// between whom.
fn derive(secret: &[u8], content: Content, apu: &[u8], apv: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut input = Zeroizing::new(vec![0, 0, 0, 1]);
    input.extend_from_slice(secret);
    for part in [content.name().as_bytes(), apu, apv] {
        input.extend_from_slice(&length(part));
        input.extend_from_slice(part);
    }
    let bits = u32::try_from(content.bytes() * 8).unwrap_or_default();
    input.extend_from_slice(&bits.to_be_bytes());
    let hash = digest(&SHA256, &input);
    Zeroizing::new(hash.as_ref().get(..content.bytes()).unwrap_or_default().to_vec())
}

fn agree(
    own: &PrivateKey,
    point: &[u8],
    derived: impl FnOnce(&[u8]) -> Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let other = UnparsedPublicKey::new(&ECDH_P256, point);
    agreement::agree(own, other, JoseError::Key, |secret| Ok(derived(secret)))
}

/// Encrypts to a public key; `cty` says what is inside (`JWT` for a signed token: RFC 7519 §5.2).
///
/// # Errors
/// [`JoseError::Key`] for a key that does not fit, [`JoseError::Unusable`] if the library refuses.
pub fn encrypt(
    plain: &[u8],
    key: &Value,
    management: Management,
    content: Content,
    cty: Option<&str>,
) -> Result<String, JoseError> {
    let cty = cty.map(|cty| ("cty".to_owned(), cty.into()));
    encrypt_under(plain, key, management, content, cty.into_iter().collect())
}

/// Encrypts a signed token (RFC 7519 §5.2); `iss` stands in the header too, where its receiver has
/// to know the issuer before it opens the token (RFC 7519 §5.3).
///
/// # Errors
/// As [`encrypt`].
pub fn encrypt_token(
    token: &str,
    key: &Value,
    management: Management,
    content: Content,
    iss: Option<&str>,
) -> Result<String, JoseError> {
    let said = [("cty", Some("JWT")), ("iss", iss)];
    let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    encrypt_under(token.as_bytes(), key, management, content, said.collect())
}

/// Encrypts under a header that says `said` beside what its opening needs.
fn encrypt_under(
    plain: &[u8],
    key: &Value,
    management: Management,
    content: Content,
    said: Map<String, Value>,
) -> Result<String, JoseError> {
    let mut header = Map::new();
    let mut set = |name: &str, value: Value| header.insert(name.to_owned(), value);
    set("alg", management.name().into());
    set("enc", content.name().into());
    for (name, value) in said {
        set(&name, value);
    }
    if let Some(kid) = key.get("kid").filter(|kid| kid.is_string()) {
        set("kid", kid.clone());
    }
    let (content_key, sealed) = match management {
        Management::EcdhEs => {
            let own = PrivateKey::generate(&ECDH_P256).map_err(|_| JoseError::Unusable)?;
            let public = own.compute_public_key().map_err(|_| JoseError::Unusable)?;
            let (x, y) = (public.as_ref().get(1..33), public.as_ref().get(33..65));
            let (Some(x), Some(y)) = (x, y) else { return Err(JoseError::Unusable) };
            set("epk", json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}));
            let agreed = agree(&own, &point(key)?, |secret| derive(secret, content, b"", b""))?;
            (agreed, Vec::new())
        }
        Management::RsaOaep256 => {
            let mut fresh = Zeroizing::new(vec![0; content.bytes()]);
            aws_lc_rs::rand::fill(&mut fresh).map_err(|_| JoseError::Unusable)?;
            let components = PublicKeyComponents { n: member(key, "n")?, e: member(key, "e")? };
            let public: PublicEncryptingKey = components.try_into().map_err(|_| JoseError::Key)?;
            let public = OaepPublicEncryptingKey::new(public).map_err(|_| JoseError::Key)?;
            let mut room = vec![0; public.ciphertext_size()];
            let sealed = public.encrypt(&OAEP_SHA256_MGF1SHA256, &fresh, &mut room, None);
            let sealed = sealed.map_err(|_| JoseError::Key)?.to_vec();
            (fresh, sealed)
        }
    };
    let protected = encode(Value::Object(header).to_string());
    let mut iv = [0; 12];
    aws_lc_rs::rand::fill(&mut iv).map_err(|_| JoseError::Unusable)?;
    let mut text = plain.to_vec();
    let tag = content
        .key(&content_key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(protected.as_bytes()),
            &mut text,
        )
        .map_err(|_| JoseError::Unusable)?;
    Ok([protected, encode(sealed), encode(iv), encode(text), encode(tag.as_ref())].join("."))
}

/// Whether a public key can be encrypted to (RFC 7517 §4.2, §4.4).
#[must_use]
pub fn fits(key: &Value, management: Management) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = match management {
        Management::EcdhEs => text("kty") == "EC" && text("crv") == "P-256",
        Management::RsaOaep256 => text("kty") == "RSA",
    };
    let meant =
        text("use") != "sig" && (text("alg").is_empty() || text("alg") == management.name());
    // An RSA key of fewer than 2048 bits and a point off the curve are found by using them.
    kind && meant && encrypt(b"", key, management, Content::A128Gcm, None).is_ok()
}

/// Members of the metadata: what tokens can be encrypted with, to clients and to us.
pub(crate) fn metadata(offer: &Offer) -> Value {
    let (managements, contents) =
        (Management::ALL.map(Management::name), Content::ALL.map(Content::name));
    let mut members = Map::new();
    for what in ["id_token", "userinfo", "authorization", "introspection", "request_object"] {
        members.insert(format!("{what}_encryption_alg_values_supported"), json!(managements));
        members.insert(format!("{what}_encryption_enc_values_supported"), json!(contents));
    }
    for what in ["userinfo", "introspection"] {
        let name = format!("{what}_signing_alg_values_supported");
        members.insert(name, json!(crate::client::signing_algorithms(offer)));
    }
    Value::Object(members)
}

/// Whether a text has the five parts of a JWE.
#[must_use]
pub fn is_encrypted(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 4
}

/// A fresh private key, PKCS#8 DER.
///
/// # Errors
/// [`JoseError::Unusable`] if the library refuses.
pub fn generate(management: Management) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    // The same kinds of keys sign; one key never does both (RFC 8725 §3.9 keeps uses apart).
    crate::jose::generate(match management {
        Management::EcdhEs => crate::jose::Algorithm::Es256,
        Management::RsaOaep256 => crate::jose::Algorithm::Rs256,
    })
}

#[cfg(test)]
mod tests;
