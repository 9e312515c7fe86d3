//! Fields and signatures of the gateway: names in order, joined, hashed, signed (domain.md §10).

use std::collections::BTreeMap;
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Names and values of a message.
pub(crate) type Fields = BTreeMap<String, String>;

/// What is signed: the hash of all fields but the signature, in hexadecimal.
fn signed_text(fields: &Fields) -> String {
    let joined: Vec<_> = fields
        .iter()
        .filter(|(name, value)| *name != "signature" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    hex::encode(digest(&SHA256, joined.join("&").as_bytes()))
}

/// A private key, parsed once.
pub(crate) struct Signing {
    pair: RsaKeyPair,
    certificate: String,
}

impl Signing {
    /// Parses a PKCS#8 key.
    pub(crate) fn new(pkcs8: &[u8]) -> io::Result<Self> {
        use aws_lc_rs::signature::KeyPair as _;
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(io::Error::other)?;
        let hash = digest(&SHA256, pair.public_key().as_ref());
        let start =
            hash.as_ref().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok(Self { pair, certificate: start.to_string() })
    }

    /// Adds `certId`, `signMethod` and `signature`.
    pub(crate) fn sign(&self, fields: &mut Fields) -> io::Result<()> {
        fields.insert("certId".to_owned(), self.certificate.clone());
        fields.insert("signMethod".to_owned(), "01".to_owned());
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed_text(fields).as_bytes(),
                &mut signature,
            )
            .map_err(io::Error::other)?;
        fields.insert("signature".to_owned(), STANDARD.encode(signature));
        Ok(())
    }
}

/// Whether the fields carry the signature of a public key.
pub(crate) fn verify(public: &[u8], fields: &Fields) -> bool {
    let Some(Ok(signature)) = fields.get("signature").map(|text| STANDARD.decode(text)) else {
        return false;
    };
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(signed_text(fields).as_bytes(), &signature)
        .is_ok()
}

/// Reads a form; the first of two fields of one name counts, as in the gateway's own kit.
pub(crate) fn read(body: &[u8]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in url::form_urlencoded::parse(body).take(100) {
        fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
    }
    fields
}

/// Writes a form.
pub(crate) fn write(fields: &Fields) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
