//! Fields and signatures of the gateway: names in order, joined, hashed, signed.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Names and values of a message.
pub(crate) type Fields = BTreeMap<String, String>;

/// What is signed: the hash of all fields but the signature, in hexadecimal. Empty fields are not
/// sent and not signed.
fn signed_text(fields: &Fields) -> String {
    let mut joined = String::new();
    for (name, value) in fields {
        if name == "signature" || value.is_empty() {
            continue;
        }
        if !joined.is_empty() {
            joined.push('&');
        }
        joined.push_str(name);
        joined.push('=');
        joined.push_str(value);
    }
    hex::encode(digest(&SHA256, joined.as_bytes()))
}

/// Our private key, parsed once, and the gateway's public one.
pub(crate) struct Keys {
    ours: RsaKeyPair,
    certificate: String,
    theirs: Vec<u8>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.certificate)
    }
}

impl Keys {
    /// Parses our PKCS#8 key; `theirs` is DER.
    pub(crate) fn new(pkcs8: &[u8], theirs: Vec<u8>) -> Result<Self, KeyRejected> {
        let ours = RsaKeyPair::from_pkcs8(pkcs8)?;
        let hash = digest(&SHA256, ours.public_key().as_ref());
        let number =
            hash.as_ref().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok(Self { ours, certificate: number.to_string(), theirs })
    }

    /// Adds `certId`, `signMethod` (RSA) and `signature`.
    pub(crate) fn sign(&self, fields: &mut Fields) -> Result<(), Unspecified> {
        fields.insert("certId".to_owned(), self.certificate.clone());
        fields.insert("signMethod".to_owned(), "01".to_owned());
        fields.retain(|_, value| !value.is_empty());
        let mut signature = vec![0; self.ours.public_modulus_len()];
        let text = signed_text(fields);
        self.ours.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)?;
        fields.insert("signature".to_owned(), STANDARD.encode(signature));
        Ok(())
    }

    /// Whether the gateway signed these fields. The method is ours: a message that names a weaker
    /// one does not choose it.
    pub(crate) fn verify(&self, fields: &Fields) -> bool {
        let Some(Ok(signature)) = fields.get("signature").map(|text| STANDARD.decode(text)) else {
            return false;
        };
        fields.get("signMethod").is_none_or(|method| method == "01")
            && UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.theirs)
                .verify(signed_text(fields).as_bytes(), &signature)
                .is_ok()
    }
}

/// Pairs as fields; none if a name comes twice, because two readers might believe two values, or
/// if there is too much.
pub(crate) fn unique<N: Into<String>, V: Into<String>>(
    pairs: impl IntoIterator<Item = (N, V)>,
) -> Option<Fields> {
    let mut fields = Fields::new();
    for (name, value) in pairs {
        if fields.len() == 100 || fields.insert(name.into(), value.into()).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// Reads a form.
pub(crate) fn read(body: &[u8]) -> Option<Fields> {
    unique(url::form_urlencoded::parse(body))
}

/// Writes a form.
pub(crate) fn write(fields: &Fields) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
