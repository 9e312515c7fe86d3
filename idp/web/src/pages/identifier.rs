//! What a person types to say who they are: phone, document number, e-mail or user name.

use idp_domain::citizen::number::{ResidentNumber, day_in_china};
use idp_domain::citizen::phone::Phone;
use idp_store::account::Identifier;

/// Longest identifier that is looked up.
const LONGEST: usize = 254;

/// Reads an identifier; `now` is milliseconds UTC.
pub(crate) fn read(text: &str, now: i64) -> Option<Identifier> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    if let Ok(phone) = Phone::parse(text) {
        return Some(Identifier::Phone(phone));
    }
    let today = day_in_china(now);
    let number = ResidentNumber::parse(text, today, true)
        .or_else(|_| ResidentNumber::from_old_form(text, today, true));
    if let Ok(number) = number {
        return Some(Identifier::Number(number.as_str().to_owned()));
    }
    let small = text.to_lowercase();
    Some(if small.contains('@') { Identifier::Email(small) } else { Identifier::UserName(small) })
}

/// What tries are counted under: the same for every spelling of one identifier.
pub(crate) fn canonical(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Phone(phone) => format!("phone {}", phone.e164()),
        Identifier::Number(number) => format!("number {number}"),
        Identifier::Email(email) => format!("email {email}"),
        Identifier::UserName(name) => format!("name {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn each_form_is_told_apart() {
        let read = |text: &str| read(text, NOW).map(|found| canonical(&found));
        for (text, expected) in [
            ("139 5012 3456", "phone +8613950123456"),
            ("35990119900101002x", "number 35990119900101002X"),
            ("359901900101001", "number 359901199001010011"),
            (" Lin@Example.CN ", "email lin@example.cn"),
            ("Officer-Chen", "name officer-chen"),
            ("110105194912310021", "name 110105194912310021"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected));
        }
        assert_eq!(read("  "), None);
        assert_eq!(read(&"x".repeat(255)), None);
    }
}
