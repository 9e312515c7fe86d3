//! Keys under which effects leave: at most one effect outside for each (plugin-host.md §4.5).

use sha2::{Digest as _, Sha256};

/// No letter that looks like a digit, and no run of digits long enough to look like a telephone
/// or document number.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `H(plugin, case, event, interface, author's key)`: 30 letters and digits, fit for an order
/// number of UnionPay (8–40, domain.md §10).
#[must_use]
pub fn key(plugin: &str, case: &str, seq: i64, interface: &str, author: &str) -> String {
    let digest = hash(&[plugin, case, &seq.to_string(), interface, author]);
    digest
        .iter()
        .take(30)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|byte| char::from(*byte))
        .collect()
}

/// SHA-256 of parts with their lengths, so that no two lists of parts have the same bytes.
#[must_use]
pub fn hash(parts: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn other_parts_give_another_key(a: [String; 4], b: [String; 4], n in 0_i64..3, m in 0_i64..3) {
            let of = |p: &[String; 4], n| key(&p[0], &p[1], n, &p[2], &p[3]);
            prop_assert_eq!(of(&a, n).len(), 30);
            prop_assert_eq!(of(&a, n) == of(&b, m), (&a, n) == (&b, m));
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key("ab", "c", 1, "x", ""), key("a", "bc", 1, "x", ""));
        assert_ne!(key("a", "b", 11, "x", ""), key("a", "b", 1, "1x", ""));
    }
}
