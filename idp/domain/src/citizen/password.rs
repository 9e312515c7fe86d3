//! Rules of passwords: long enough, not on every attacker's list, not the person's own number
//! or phone. No rules of composition (NIST SP 800-63B §5.1.1.2).

/// Shortest password, in characters.
pub const SHORTEST: usize = 8;
/// Longest password, in characters: hashing is dear, so length is bounded (attacks.md row 42).
pub const LONGEST: usize = 128;

/// Compared in small letters and without what people put around them.
const BLOCKED: [&str; 40] = [
    "password",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "qwertyui",
    "qwertyuiop",
    "asdfghjk",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx",
    "qazwsxedc",
    "q1w2e3r4",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "12345678",
    "123456789",
    "1234567890",
    "87654321",
    "987654321",
    "01234567",
    "abcdefgh",
    "abc12345",
    "abcd1234",
    "a1234567",
    "a12345678",
    "aa123456",
    "aa12345678",
    "qq123456",
    "woaini1314",
    "woaini520",
    "5201314",
    "iloveyou",
    "letmein",
    "welcome",
    "sunshine",
    "tongban",
    "tongban1",
    "admin",
    "administrator",
    "changeme",
];

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`SHORTEST`] characters.
    #[error("the password is too short\nhint: at least 8 characters")]
    Short,
    /// More than [`LONGEST`] characters.
    #[error("the password is too long\nhint: at most 128 characters")]
    Long,
    /// On the list of passwords that attackers try first, or a single character repeated.
    #[error("this password is tried first by attackers\nhint: use several words")]
    Common,
    /// Holds the person's number or phone.
    #[error("the password holds your number or phone\nhint: use something nobody can look up")]
    Personal,
}

/// Judges a new password. `personal` holds what must not stand in it (number, phone digits, user
/// name); texts of fewer than six characters in it are ignored.
pub fn check(password: &str, personal: &[&str]) -> Result<(), PasswordFault> {
    let count = password.chars().take(LONGEST + 1).count();
    if count < SHORTEST {
        return Err(PasswordFault::Short);
    }
    if count > LONGEST {
        return Err(PasswordFault::Long);
    }
    let small = password.to_lowercase();
    let inner = small.trim_matches(|c: char| !c.is_alphanumeric());
    let repeated = small.chars().all(|c| small.starts_with(c));
    if repeated || BLOCKED.contains(&small.as_str()) || BLOCKED.contains(&inner) {
        return Err(PasswordFault::Common);
    }
    let personal_inside = personal
        .iter()
        .filter(|text| text.chars().count() >= 6)
        .any(|text| small.contains(&text.to_lowercase()));
    if personal_inside { Err(PasswordFault::Personal) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_fault_has_its_own_name() {
        let personal = ["359901199001010011", "13950123456", "lin"];
        for (password, expected) in [
            ("", Err(PasswordFault::Short)),
            ("1234567", Err(PasswordFault::Short)),
            ("山高月小水落石", Err(PasswordFault::Short)),
            ("山高月小水落石出", Ok(())),
            ("Password", Err(PasswordFault::Common)),
            ("!!PassW0rd!!", Err(PasswordFault::Common)),
            ("aaaaaaaaaa", Err(PasswordFault::Common)),
            ("x13950123456", Err(PasswordFault::Personal)),
            ("359901199001010011", Err(PasswordFault::Personal)),
            ("lin-xiao-man-88", Ok(())),
            ("correct horse battery", Ok(())),
        ] {
            assert_eq!(check(password, &personal), expected, "{password}");
        }
        assert_eq!(check(&"ab".repeat(64), &[]), Ok(()));
        assert_eq!(check(&"ab".repeat(65), &[]), Err(PasswordFault::Long));
    }

    proptest! {
        #[test]
        fn length_is_counted_in_characters(password in "\\PC{0,200}") {
            let count = password.chars().count();
            let verdict = check(&password, &[]);
            prop_assert_eq!(verdict == Err(PasswordFault::Short), count < SHORTEST);
            prop_assert_eq!(verdict == Err(PasswordFault::Long), count > LONGEST);
        }
    }
}
