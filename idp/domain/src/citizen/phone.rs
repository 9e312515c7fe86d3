//! Mobile numbers: the loose rule of domain.md §2 (`1[3-9]` and nine digits; tables of prefixes
//! go stale since numbers move between carriers), kept as E.164.

use std::fmt;

/// Why a text is no mobile number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PhoneFault {
    /// Nothing was given.
    #[error("no mobile number was given\nhint: give the 11 digits")]
    Empty,
    /// Something other than digits.
    #[error("a mobile number has digits only\nhint: leave out letters")]
    Characters,
    /// Not 11 digits.
    #[error("a mobile number has 11 digits\nhint: compare it once more")]
    Length,
    /// 11 digits, but no mobile number of the mainland.
    #[error("this is no mobile number\nhint: it begins with 13 to 19")]
    NotMobile,
}

/// A mainland mobile number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Reads what a person types: spaces, hyphens, brackets, `+86`, `0086` and full-width digits
    /// are forgiven.
    pub fn parse(text: &str) -> Result<Self, PhoneFault> {
        let text: String = text
            .chars()
            .filter(|c| {
                !c.is_whitespace() && !matches!(c, '-' | '(' | ')' | '（' | '）' | '\u{200b}')
            })
            .map(|c| match c {
                '０'..='９' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
                '＋' => '+',
                other => other,
            })
            .collect();
        if text.is_empty() {
            return Err(PhoneFault::Empty);
        }
        let national =
            text.strip_prefix("+86").or_else(|| text.strip_prefix("0086")).unwrap_or(&text);
        if !national.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PhoneFault::Characters);
        }
        let national = match national.strip_prefix("86") {
            Some(rest) if national.len() == 13 => rest,
            _ => national,
        };
        if national.len() != 11 {
            return Err(PhoneFault::Length);
        }
        match national.as_bytes() {
            [b'1', b'3'..=b'9', ..] => Ok(Self(format!("+86{national}"))),
            _ => Err(PhoneFault::NotMobile),
        }
    }

    /// E.164, `+86…`.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The 11 digits as people write them.
    pub fn national(&self) -> &str {
        self.0.get(3..).unwrap_or_default()
    }

    /// For showing: the middle four digits hidden.
    pub fn masked(&self) -> String {
        let digits = self.national();
        format!(
            "{}****{}",
            digits.get(..3).unwrap_or_default(),
            digits.get(7..).unwrap_or_default()
        )
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_people_type_are_one_number() {
        for text in [
            "13950123456",
            "139 5012 3456",
            "+86 139-5012-3456",
            "0086 13950123456",
            "8613950123456",
            "１３９５０１２３４５６",
            "(+86)13950123456",
        ] {
            assert_eq!(Phone::parse(text).unwrap().e164(), "+8613950123456", "{text}");
        }
    }

    #[test]
    fn each_fault_has_its_own_name() {
        for (text, fault) in [
            ("", PhoneFault::Empty),
            (" - ", PhoneFault::Empty),
            ("1395012345", PhoneFault::Length),
            ("139501234567", PhoneFault::Length),
            ("139501234a6", PhoneFault::Characters),
            ("someone@example.cn", PhoneFault::Characters),
            ("12950123456", PhoneFault::NotMobile),
            ("05911234567", PhoneFault::NotMobile),
        ] {
            assert_eq!(Phone::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_middle_is_hidden() {
        let phone = Phone::parse("13950123456").unwrap();
        assert_eq!(phone.masked(), "139****3456");
        assert_eq!(format!("{phone:?}"), "Phone(139****3456)");
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_reading_is_stable(text in "\\PC{0,24}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert_eq!(phone.e164().len(), 14);
                prop_assert_eq!(Phone::parse(phone.e164()), Ok(phone.clone()));
                prop_assert_eq!(Phone::parse(phone.national()), Ok(phone));
            }
        }
    }
}
