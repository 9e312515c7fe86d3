//! Sealed columns and blind indexes.
//!
//! A sealed value is `version(1) key-id(4) nonce(12) ciphertext tag(16)`, AES-256-GCM with the
//! column's purpose as associated data, so that a value cannot be moved to another column. A blind
//! index is HMAC-SHA-256 under a key of its own: equal values meet, and nothing else is learnt.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

use crate::StoreError;

const VERSION: u8 = 1;
const HEADER: usize = 5;

/// Keys of sealed columns and blind indexes. Clones share them.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    /// Newest first; the first seals, all open.
    sealing: Vec<([u8; 4], LessSafeKey)>,
    blind: hmac::Key,
    master: Vec<u8>,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(master: &[u8], purpose: &str) -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    let refused = |_| StoreError::Data("a key cannot be derived".to_owned());
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"tongban")
        .extract(master)
        .expand(&[purpose.as_bytes()], Length(32))
        .and_then(|material| material.fill(&mut key))
        .map_err(refused)?;
    Ok(key)
}

impl Vault {
    /// Derives all keys from master secrets, newest first; blind indexes use the last (oldest),
    /// which therefore has to stay.
    ///
    /// # Errors
    /// [`StoreError::Data`] if there is no secret, or one has fewer than 32 bytes.
    pub fn new(masters: &[&[u8]]) -> Result<Self, StoreError> {
        let oldest = masters.last().filter(|_| masters.iter().all(|secret| secret.len() >= 32));
        let oldest = oldest.ok_or_else(|| {
            StoreError::Data("the master secret must have at least 32 bytes".to_owned())
        })?;
        let mut sealing = Vec::new();
        for master in masters {
            let key = derive(master, "seal")?;
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key);
            let mut id = [0; 4];
            for (to, from) in id.iter_mut().zip(digest.as_ref()) {
                *to = *from;
            }
            let key = UnboundKey::new(&AES_256_GCM, &key)
                .map_err(|_| StoreError::Data("a key cannot be used".to_owned()))?;
            sealing.push((id, LessSafeKey::new(key)));
        }
        let blind = hmac::Key::new(hmac::HMAC_SHA256, &derive(oldest, "blind")?);
        Ok(Self(Arc::new(Keys { sealing, blind, master: oldest.to_vec() })))
    }

    /// A further 32-byte key for one purpose (pairwise subjects, client secrets, caches).
    ///
    /// # Errors
    /// [`StoreError::Data`] if derivation fails.
    pub fn derive(&self, purpose: &str) -> Result<[u8; 32], StoreError> {
        derive(&self.0.master, purpose)
    }

    /// Seals bytes for a column.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the operating system gives no randomness.
    pub fn seal(&self, purpose: &str, plain: impl AsRef<[u8]>) -> Result<Vec<u8>, StoreError> {
        let refused = |_| StoreError::Data("a value cannot be sealed".to_owned());
        let (id, key) =
            self.0.sealing.first().ok_or_else(|| StoreError::Data("no key".to_owned()))?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(refused)?;
        let mut body = plain.as_ref().to_vec();
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_used, Aad::from(purpose.as_bytes()), &mut body)
            .map_err(refused)?;
        let mut sealed = Vec::with_capacity(HEADER + NONCE_LEN + body.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`Vault::seal`] sealed for the same purpose.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the value was changed, moved from another column, or sealed under a
    /// key that is not here.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let refused = || StoreError::Data(format!("{purpose} cannot be opened"));
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or_else(refused)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let id = header.strip_prefix(&[VERSION]).ok_or_else(refused)?;
        let (_, key) = self.0.sealing.iter().find(|(known, _)| known == id).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut plain = body.to_vec();
        let length = key
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut plain)
            .map_err(|_| refused())?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// Opens text.
    ///
    /// # Errors
    /// As [`Vault::open`], and for bytes that are not UTF-8.
    pub fn open_text(&self, purpose: &str, sealed: &[u8]) -> Result<String, StoreError> {
        String::from_utf8(self.open(purpose, sealed)?)
            .map_err(|_| StoreError::Data(format!("{purpose} is not text")))
    }

    /// The blind index of a value in a column, hex.
    #[must_use]
    pub fn blind(&self, purpose: &str, value: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0.blind);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(value.as_bytes());
        hex::encode(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_opens_for_its_own_column_only_and_keys_rotate() {
        let old = Vault::new(&[&[1; 32]]).unwrap();
        let sealed = old.seal("person.name", "林").unwrap();
        assert!(old.open("person.phone", &sealed).is_err());
        let new = Vault::new(&[&[2; 32], &[1; 32]]).unwrap();
        assert_eq!(new.open_text("person.name", &sealed).unwrap(), "林");
        assert!(old.open("person.name", &new.seal("person.name", "林").unwrap()).is_err());
        assert_eq!(old.blind("a", "x"), new.blind("a", "x"));
        assert_ne!(old.blind("a", "x"), old.blind("b", "x"));
        assert!(Vault::new(&[&[1; 31]]).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_and_whatever_is_changed_does_not(
            plain: Vec<u8>, at: usize, bit in 0_u8..8,
        ) {
            let vault = Vault::new(&[&[7; 32]]).unwrap();
            let mut sealed = vault.seal("c", &plain).unwrap();
            prop_assert_eq!(vault.open("c", &sealed).unwrap(), plain);
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(vault.open("c", &sealed).is_err());
        }

        #[test]
        fn outside_bytes_never_panic(bytes: Vec<u8>) {
            let vault = Vault::new(&[&[7; 32]]).unwrap();
            prop_assert!(vault.open("c", &bytes).is_err());
        }
    }
}
