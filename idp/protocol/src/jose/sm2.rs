//! SM2 with SM3 (GB/T 32918.2-2016, GB/T 32905-2016) behind the names of GM/T 0125: a JWK of
//! `kty` `EC` and `crv` `sm2p256v1`, `alg` `SGD_SM3_SM2`.
//!
//! The signature stands in a JWS as RFC 7518 §3.4 has it for other curves: `r` and `s`, 32 bytes
//! each. The signer's identity is the one that GM/T 0009-2012 §10 gives where none was agreed.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use sm2::SecretKey;
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use sm3::{Digest as _, Sm3};
use zeroize::Zeroizing;

use super::JoseError;

/// The curve's name in a JWK (GM/T 0125).
pub(super) const CURVE: &str = "sm2p256v1";
/// GM/T 0009-2012 §10.
const IDENTITY: &str = "1234567812345678";
/// Random texts that are no key: one in 2³², so that the second is never needed.
const TRIES: usize = 8;

/// A private key, parsed once.
pub(super) struct Pair(SigningKey);

/// A fresh private key, PKCS#8 DER.
pub(super) fn generate(random: &SystemRandom) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let mut bytes = Zeroizing::new([0; 32]);
    for _ in 0..TRIES {
        random.fill(bytes.as_mut_slice()).map_err(|_| JoseError::Unusable)?;
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            let document = key.to_pkcs8_der().map_err(|_| JoseError::Unusable)?;
            return Ok(Zeroizing::new(document.as_bytes().to_vec()));
        }
    }
    Err(JoseError::Unusable)
}

impl Pair {
    /// Of a PKCS#8 key, with the public point (SEC 1 §2.3.3, uncompressed).
    pub(super) fn parse(pkcs8: &[u8]) -> Result<(Self, Vec<u8>), JoseError> {
        let key = SecretKey::from_pkcs8_der(pkcs8).map_err(|_| JoseError::Unusable)?;
        let pair = SigningKey::new(IDENTITY, &key).map_err(|_| JoseError::Unusable)?;
        let point = pair.verifying_key().to_sec1_bytes().into_vec();
        Ok((Self(pair), point))
    }

    /// 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let signature = self.0.try_sign(message).map_err(|_| JoseError::Unusable)?;
        Ok(signature.to_vec())
    }
}

/// Whether the point is one of the curve.
pub(super) fn is_point(point: &[u8]) -> bool {
    VerifyingKey::from_sec1_bytes(IDENTITY, point).is_ok()
}

/// Checks a signature by the key of a point.
pub(super) fn verify(point: &[u8], message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
    let key = VerifyingKey::from_sec1_bytes(IDENTITY, point).map_err(|_| JoseError::Key)?;
    let signature = Signature::from_slice(signature).map_err(|_| JoseError::Signature)?;
    key.verify(message, &signature).map_err(|_| JoseError::Signature)
}

/// The hash that belongs to the signature, 32 bytes.
pub(super) fn hash(text: &[u8]) -> Vec<u8> {
    Sm3::digest(text).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// The example of GB/T 32918.5-2017, annex A: key, message and signature.
    #[test]
    fn gb_t_32918_5_a_2_the_example_is_believed_and_its_neighbours_are_not() {
        let point = bytes(concat!(
            "04",
            "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020",
            "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
        ));
        let signature = bytes(concat!(
            "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3",
            "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
        ));
        assert_eq!(verify(&point, b"message digest", &signature), Ok(()));
        assert_eq!(verify(&point, b"message digesT", &signature), Err(JoseError::Signature));
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            let said = verify(&point, b"message digest", &changed);
            assert_eq!(said, Err(JoseError::Signature), "{at}");
        }
        // Zero and the order itself are no members of a signature.
        let order = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
        for half in ["00".repeat(32), order.to_owned()] {
            for text in [
                half.clone() + &hex::encode(&signature[32..]),
                hex::encode(&signature[..32]) + &half,
            ] {
                let said = verify(&point, b"message digest", &bytes(&text));
                assert_eq!(said, Err(JoseError::Signature));
            }
        }
        let mut off = point.clone();
        off[64] ^= 1;
        assert!(is_point(&point) && !is_point(&off) && !is_point(&[0]));
        assert_eq!(verify(&off, b"message digest", &signature), Err(JoseError::Key));
    }

    /// The first example of GB/T 32905-2016, annex A.
    #[test]
    fn gb_t_32905_a_1_the_example_has_its_hash() {
        let known = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        assert_eq!(hex::encode(hash(b"abc")), known);
    }
}
