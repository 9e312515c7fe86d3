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
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::jose::{JoseError, thumbprint};
use crate::metadata::Offer;

/// Bytes of a token that is looked at (attacks row 42).
const LONGEST: usize = 96 * 1024;
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
    let mut header = json!({"alg": management.name(), "enc": content.name()});
    let mut set = |name: &str, value: Value| {
        if let Some(members) = header.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if let Some(kid) = key.get("kid").filter(|kid| kid.is_string()) {
        set("kid", kid.clone());
    }
    if let Some(cty) = cty {
        set("cty", cty.into());
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
    let protected = encode(header.to_string());
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
pub(crate) fn metadata(_: &Offer) -> Value {
    let (managements, contents) =
        (Management::ALL.map(Management::name), Content::ALL.map(Content::name));
    let mut members = serde_json::Map::new();
    for what in ["id_token", "userinfo", "authorization", "introspection", "request_object"] {
        members.insert(format!("{what}_encryption_alg_values_supported"), json!(managements));
        members.insert(format!("{what}_encryption_enc_values_supported"), json!(contents));
    }
    for what in ["userinfo", "introspection"] {
        let name = format!("{what}_signing_alg_values_supported");
        members.insert(name, json!(crate::client::SIGNING_ALGORITHMS));
    }
    Value::Object(members)
}

/// Whether a text has the five parts of a JWE.
#[must_use]
pub fn is_encrypted(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 4
}

enum Private {
    Ec(PrivateKey),
    Rsa(Box<OaepPrivateDecryptingKey>),
}

/// A private key that opens what was encrypted to it.
pub struct Opener {
    management: Management,
    private: Private,
    kid: String,
    jwk: Value,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opener({}, {})", self.management.name(), self.kid)
    }
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

impl Opener {
    /// Parses a PKCS#8 key.
    ///
    /// # Errors
    /// [`JoseError::Unusable`] if it is no key of this kind.
    pub fn new(management: Management, pkcs8: &[u8]) -> Result<Self, JoseError> {
        let unusable = |_| JoseError::Unusable;
        let (private, mut jwk) = match management {
            Management::EcdhEs => {
                let private = PrivateKey::from_private_key_der(&ECDH_P256, pkcs8);
                let private = private.map_err(|_| JoseError::Unusable)?;
                let public = private.compute_public_key().map_err(|_| JoseError::Unusable)?;
                let (x, y) = (public.as_ref().get(1..33), public.as_ref().get(33..65));
                let (Some(x), Some(y)) = (x, y) else { return Err(JoseError::Unusable) };
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
                (Private::Ec(private), jwk)
            }
            Management::RsaOaep256 => {
                // The public half as the signing library reads it from the same bytes.
                let signer = crate::jose::Signer::new(crate::jose::Algorithm::Rs256, pkcs8)?;
                let jwk =
                    json!({"kty": "RSA", "n": signer.jwk().get("n"), "e": signer.jwk().get("e")});
                let private = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(unusable)?;
                let private = OaepPrivateDecryptingKey::new(private);
                let private = private.map_err(|_| JoseError::Unusable)?;
                (Private::Rsa(Box::new(private)), jwk)
            }
        };
        let kid = thumbprint(&jwk)?.get(..22).unwrap_or_default().to_owned();
        if let Some(members) = jwk.as_object_mut() {
            for (name, value) in [("kid", kid.as_str()), ("alg", management.name()), ("use", "enc")]
            {
                members.insert(name.to_owned(), value.into());
            }
        }
        Ok(Self { management, private, kid, jwk })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    fn content_key(
        &self,
        header: &Value,
        content: Content,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, JoseError> {
        match &self.private {
            Private::Ec(own) => {
                let epk = header.get("epk").ok_or(JoseError::Malformed)?;
                let party = |name: &str| match header.get(name) {
                    None => Ok(Vec::new()),
                    Some(value) => decode(value.as_str().ok_or(JoseError::Malformed)?),
                };
                let (apu, apv) = (party("apu")?, party("apv")?);
                // RFC 7518 §4.6: used directly, so that nothing is wrapped.
                if !sealed.is_empty() {
                    return Err(JoseError::Malformed);
                }
                agree(own, &point(epk)?, |secret| derive(secret, content, &apu, &apv))
            }
            Private::Rsa(own) => {
                let mut room = Zeroizing::new(vec![0; own.min_output_size()]);
                let opened = own.decrypt(&OAEP_SHA256_MGF1SHA256, sealed, &mut room, None);
                match opened {
                    Ok(key) if key.len() == content.bytes() => Ok(Zeroizing::new(key.to_vec())),
                    // RFC 7516 §11.5: a key that cannot be had looks like one that does not fit.
                    _ => {
                        let mut other = Zeroizing::new(vec![0; content.bytes()]);
                        aws_lc_rs::rand::fill(&mut other).map_err(|_| JoseError::Unusable)?;
                        Ok(other)
                    }
                }
            }
        }
    }
}

/// Keys that are tried on a token that names none: the one that is in use, and those before it.
const TRIED: usize = 4;

/// Opens a token with the key that it names, or with whichever of ours opens it. The keys come
/// oldest first, as they were made; a token that names none is tried on the newest first.
///
/// # Errors
/// [`JoseError`]; everything that is wrong with key or content is one and the same.
pub fn open(openers: &[Opener], text: &str) -> Result<Vec<u8>, JoseError> {
    if text.len() > LONGEST {
        return Err(JoseError::Malformed);
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [protected, sealed, iv, body, tag] = parts.as_slice() else {
        return Err(JoseError::Malformed);
    };
    let header: Value =
        serde_json::from_slice(&decode(protected)?).map_err(|_| JoseError::Malformed)?;
    let named = |name: &str| header.get(name).and_then(Value::as_str);
    // RFC 7516 §4.1.13, §4.1.3: nothing that is not understood, and nothing compressed.
    if header.get("crit").is_some() || header.get("zip").is_some() {
        return Err(JoseError::Critical);
    }
    let management = named("alg").and_then(Management::from_name).ok_or(JoseError::Algorithm)?;
    let content = named("enc").and_then(Content::from_name).ok_or(JoseError::Algorithm)?;
    let fits = |opener: &&Opener| {
        opener.management == management && named("kid").is_none_or(|kid| kid == opener.kid)
    };
    let sealed = decode(sealed)?;
    let iv: [u8; 12] = decode(iv)?.try_into().map_err(|_| JoseError::Malformed)?;
    let (mut text, tag) = (decode(body)?, decode(tag)?);
    if tag.len() != TAG {
        return Err(JoseError::Malformed);
    }
    text.extend_from_slice(&tag);
    let mut outcome = Err(JoseError::Key);
    for opener in openers.iter().rev().filter(fits).take(TRIED) {
        let key = opener.content_key(&header, content, &sealed)?;
        let mut text = text.clone();
        let opened = content.key(&key)?.open_in_place(
            Nonce::assume_unique_for_key(iv),
            Aad::from(protected.as_bytes()),
            &mut text,
        );
        if let Ok(plain) = opened {
            return Ok(plain.to_vec());
        }
        outcome = Err(JoseError::Signature);
    }
    outcome
}

#[cfg(test)]
mod tests;
