//! Comparing secrets in constant time (attacks row 44).

use subtle::ConstantTimeEq as _;

/// Whether two secrets are the same. The time depends on the lengths only, so compare digests or
/// values of a known length.
#[must_use]
pub fn same(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    one.as_ref().ct_eq(other.as_ref()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attack_44_a_prefix_is_not_the_secret() {
        assert!(same("secret", "secret"));
        for other in ["", "secre", "secret ", "Secret", "secrets"] {
            assert!(!same("secret", other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn attack_44_says_what_equality_says(one: Vec<u8>, other: Vec<u8>) {
            prop_assert_eq!(same(&one, &other), one == other);
            prop_assert!(same(&one, &one));
        }
    }
}
