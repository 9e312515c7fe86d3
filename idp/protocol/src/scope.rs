//! Scopes: a small ordered set of known words.

use serde::{Deserialize, Serialize};

use crate::ProtocolError;

/// Scopes that this provider knows; a department's or partner's own are added at registration.
pub const KNOWN: &[&str] = &[
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "identity",
    "offline_access",
    "cases",
    "staff",
];

/// A set of scope words in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Parses a scope parameter (RFC 6749 §3.3); a repeated word counts once.
    ///
    /// # Errors
    /// `invalid_scope` for characters outside the grammar, more than 32 words (attacks row 42).
    pub fn parse(text: &str) -> Result<Self, ProtocolError> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            // RFC 6749 §3.3: NQCHAR without the space.
            let legal = word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
            if !legal || word.len() > 128 || words.len() == 32 {
                return Err(ProtocolError::invalid_scope("The scope is malformed."));
            }
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Ok(Self(words))
    }

    /// Whether a word is in the set.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }

    /// Whether every word is in `other`.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|word| other.has(word))
    }

    /// The words that are also in `other`, in this set's order: unknown scopes are ignored
    /// (OpenID Connect Core §3.1.2.1).
    #[must_use]
    pub fn only(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|word| other.has(word)).cloned().collect())
    }

    /// The set without one word.
    #[must_use]
    pub fn without(&self, word: &str) -> Self {
        Self(self.0.iter().filter(|known| *known != word).cloned().collect())
    }

    /// The words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameter's text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_6749_3_3_words_count_once_and_keep_their_order() {
        let scope = Scope::parse("openid profile openid").unwrap();
        assert_eq!(scope.text(), "openid profile");
        assert!(Scope::parse("a\"b").is_err());
        assert!(scope.within(&Scope::parse("profile openid x").unwrap()));
        assert!(!scope.within(&Scope::parse("openid").unwrap()));
    }

    #[test]
    fn attack_42_a_huge_scope_list_is_refused() {
        let text: String = (0..40).map(|n| format!("s{n} ")).collect();
        assert!(Scope::parse(&text).is_err());
    }

    proptest! {
        #[test]
        fn outside_text_never_panics_and_printing_parses_back(text: String) {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.text()).unwrap(), scope);
            }
        }
    }
}
