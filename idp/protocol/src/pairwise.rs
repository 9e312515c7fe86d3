//! Pairwise subjects (OpenID Connect Core §8.1): two partners cannot join their user lists.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The subject of a person at a sector: HMAC-SHA-256 of both under the deployment's salt.
#[must_use]
pub fn subject(salt: &[u8; 32], sector: &str, person: &str) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, salt));
    context.update(&(sector.len() as u64).to_be_bytes());
    context.update(sector.as_bytes());
    context.update(person.as_bytes());
    URL_SAFE_NO_PAD.encode(context.sign())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_8_1_subjects_differ_by_sector_and_person_and_stay() {
        let salt = [1; 32];
        assert_eq!(subject(&salt, "a.example", "p1"), subject(&salt, "a.example", "p1"));
        assert_ne!(subject(&salt, "a.example", "p1"), subject(&salt, "b.example", "p1"));
        assert_ne!(subject(&salt, "a.example", "p1"), subject(&salt, "a.example", "p2"));
        assert_ne!(subject(&salt, "a", "bp"), subject(&salt, "ab", "p"));
        assert_eq!(subject(&salt, "a", "b").len(), 43);
        assert_ne!(subject(&[2; 32], "a", "b"), subject(&salt, "a", "b"), "another deployment");
    }
}
