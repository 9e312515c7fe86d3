//! Our side of encryption: keys that open what was encrypted to them.

use aws_lc_rs::aead::{Aad, Nonce};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Content, Management, TAG, agree, decode, derive, encode, point};
use crate::jose::{JoseError, thumbprint};

/// Bytes of a token that is looked at (attacks row 42).
const LONGEST: usize = 96 * 1024;

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
