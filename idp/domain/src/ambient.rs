//! Clock and randomness as parameters, and the ids and secrets made from them.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

/// What time it is.
pub trait Clock: Send + Sync {
    /// Milliseconds UTC since 1970.
    fn now(&self) -> i64;
}

/// Unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes`; never returns without having done so.
    fn fill(&self, bytes: &mut [u8]);
}

/// Clock and randomness together. Clones share them.
#[derive(Clone)]
pub struct Ambient {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient")
    }
}

/// A bearer secret as it leaves the house: `prefix + id + secret`. The id is the key of its row
/// (time-ordered, because random keys cost three to nine times on insert); only a digest of the
/// secret is stored, so that a stolen database holds nothing usable (attacks row 48).
#[derive(Clone)]
pub struct Token {
    /// 22 characters, time-ordered.
    pub id: String,
    /// 43 characters, 256 bits.
    pub secret: String,
    prefix: &'static str,
}

const ID_LENGTH: usize = 22;
const SECRET_LENGTH: usize = 43;

impl Token {
    /// The text that is handed out.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}{}", self.prefix, self.id, self.secret)
    }

    /// What is stored.
    #[must_use]
    pub fn stored(&self) -> String {
        hash(&self.secret)
    }

    /// Splits a text into id and secret; none if it cannot be one of ours.
    #[must_use]
    pub fn parse(prefix: &'static str, text: &str) -> Option<Self> {
        let body = text.strip_prefix(prefix)?;
        let plain = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if body.len() != ID_LENGTH + SECRET_LENGTH || !plain {
            return None;
        }
        let (id, secret) = body.split_at(ID_LENGTH);
        Some(Self { id: id.to_owned(), secret: secret.to_owned(), prefix })
    }

    /// Whether `stored` is this token's secret, in constant time (attacks row 44).
    #[must_use]
    pub fn matches(&self, stored: &str) -> bool {
        self.stored().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

/// SHA-256 of a 256-bit random secret, base64url: such a secret needs no slow hash.
#[must_use]
pub fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

impl Ambient {
    /// Milliseconds UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    fn id_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let time = self.clock.now().to_be_bytes();
        for (to, from) in bytes.iter_mut().zip(time.iter().skip(2)) {
            *to = *from;
        }
        {
            let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
            *version = (*version & 0x0f) | 0x70;
            *variant = (*variant & 0x3f) | 0x80;
        }
        bytes
    }

    /// A UUID of version 7 (RFC 9562 §5.7) in its usual form: time-ordered.
    #[must_use]
    pub fn id(&self) -> String {
        let hex = hex::encode(self.id_bytes());
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }

    /// 256 random bits, base64url.
    #[must_use]
    pub fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A fresh bearer secret.
    #[must_use]
    pub fn token(&self, prefix: &'static str) -> Token {
        // Base64url does not keep the order of bytes; hexadecimal of the time does, the rest is
        // random: 12 characters of time and 10 of randomness.
        let time = hex::encode(self.clock.now().to_be_bytes());
        let mut bytes = [0; 5];
        self.random.fill(&mut bytes);
        let id = format!("{}{}", time.get(4..).unwrap_or_default(), hex::encode(bytes));
        Token { id, secret: self.secret(), prefix }
    }

    /// Six decimal digits for a one-time code, without the bias of a remainder.
    #[must_use]
    pub fn digits(&self) -> String {
        loop {
            let mut bytes = [0; 4];
            self.random.fill(&mut bytes);
            let number = u32::from_be_bytes(bytes);
            // The last incomplete million would make small codes likelier.
            if number < 4_294_000_000 {
                return format!("{:06}", number % 1_000_000);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(i64, u8);
    impl Clock for Fixed {
        fn now(&self) -> i64 {
            self.0
        }
    }
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.1);
        }
    }

    fn at(now: i64) -> Ambient {
        Ambient { clock: Arc::new(Fixed(now, 0xab)), random: Arc::new(Fixed(now, 0xab)) }
    }

    #[test]
    fn ids_are_version_7_and_ordered_by_time() {
        let (early, late) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert_eq!(early.id().len(), 36);
        assert_eq!(early.id().as_bytes()[14], b'7');
        assert!(early.id() < late.id());
        assert!(early.token("t_").id < late.token("t_").id);
    }

    #[test]
    fn attack_48_a_token_is_not_stored_and_attack_44_is_compared_whole() {
        let token = at(1_700_000_000_000).token("tbc_");
        let text = token.text();
        let parsed = Token::parse("tbc_", &text).unwrap();
        assert!(parsed.matches(&token.stored()));
        assert!(!token.stored().contains(&token.secret));
        assert!(Token::parse("tbr_", &text).is_none());
        assert!(Token::parse("tbc_", &text[..text.len() - 1]).is_none());
        let mut other = text.clone();
        other.replace_range(text.len() - 1.., "0");
        assert!(!Token::parse("tbc_", &other).unwrap().matches(&token.stored()));
    }

    #[test]
    fn codes_have_six_digits() {
        assert_eq!(at(0).digits().len(), 6);
    }
}
