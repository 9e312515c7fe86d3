//! Further evidence of a person beside number and phone (domain.md §3: at least three kinds of
//! evidence, the number always; 国办函〔2016〕108号).

use std::fmt;

/// A kind of evidence that the register can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// 社会保障卡号, the number printed on the card.
    SocialSecurityCard,
    /// 驾驶证档案编号, 12 digits (the licence number itself is the identity number).
    DrivingLicenceFile,
}

impl EvidenceKind {
    /// Every kind, in the order of the page.
    pub const ALL: [Self; 2] = [Self::SocialSecurityCard, Self::DrivingLicenceFile];

    /// The name in forms, in the register's wire format and in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SocialSecurityCard => "social_security_card",
            Self::DrivingLicenceFile => "driving_licence_file",
        }
    }

    /// The kind of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Why an evidence cannot be one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EvidenceFault {
    /// Nothing was given.
    #[error("no evidence was given\nhint: give the number printed on the card")]
    Empty,
    /// Not a card number's length or characters.
    #[error(
        "this is no social-security card number\nhint: 8 to 20 letters and digits, printed on the card"
    )]
    SocialSecurityCard,
    /// Not 12 digits.
    #[error(
        "this is no driving-licence file number\nhint: 12 digits, on the licence's second page"
    )]
    DrivingLicenceFile,
}

/// An evidence in the form in which it is compared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Evidence {
    kind: EvidenceKind,
    value: String,
}

impl Evidence {
    /// Reads what a person typed: spaces, hyphens, full-width characters and small letters are
    /// forgiven.
    pub fn parse(kind: EvidenceKind, text: &str) -> Result<Self, EvidenceFault> {
        let value: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c {
                '！'..='～' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
                other => other,
            })
            .map(|c| c.to_ascii_uppercase())
            .collect();
        if value.is_empty() {
            return Err(EvidenceFault::Empty);
        }
        match kind {
            EvidenceKind::SocialSecurityCard => {
                let fits = (8..=20).contains(&value.len())
                    && value.bytes().all(|b| b.is_ascii_alphanumeric())
                    && value.bytes().any(|b| b.is_ascii_digit());
                if fits { Ok(Self { kind, value }) } else { Err(EvidenceFault::SocialSecurityCard) }
            }
            EvidenceKind::DrivingLicenceFile => {
                let fits = value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit());
                if fits { Ok(Self { kind, value }) } else { Err(EvidenceFault::DrivingLicenceFile) }
            }
        }
    }

    /// The kind.
    pub const fn kind(&self) -> EvidenceKind {
        self.kind
    }

    /// The value. Never for a URL or a log.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({}, ***)", self.kind.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_have_their_own_faults() {
        use EvidenceKind::{DrivingLicenceFile, SocialSecurityCard};
        for (kind, text, expected) in [
            (SocialSecurityCard, "A1234567 8", Ok("A12345678")),
            (SocialSecurityCard, "ａ１２３４５６７８", Ok("A12345678")),
            (SocialSecurityCard, "", Err(EvidenceFault::Empty)),
            (SocialSecurityCard, "A1", Err(EvidenceFault::SocialSecurityCard)),
            (SocialSecurityCard, "社会保障卡号码", Err(EvidenceFault::SocialSecurityCard)),
            (SocialSecurityCard, "ABCDEFGHI", Err(EvidenceFault::SocialSecurityCard)),
            (DrivingLicenceFile, "3501 0012 3456", Ok("350100123456")),
            (DrivingLicenceFile, "35010012345", Err(EvidenceFault::DrivingLicenceFile)),
            (DrivingLicenceFile, "35010012345A", Err(EvidenceFault::DrivingLicenceFile)),
        ] {
            let got = Evidence::parse(kind, text);
            assert_eq!(got.as_ref().map(Evidence::value), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_value_and_codes_read_back() {
        let evidence = Evidence::parse(EvidenceKind::DrivingLicenceFile, "350100123456").unwrap();
        assert!(!format!("{evidence:?}").contains("3501"));
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(EvidenceKind::from_code("bank_card"), None);
    }

    proptest! {
        #[test]
        fn reading_is_stable(text in "\\PC{0,30}") {
            for kind in EvidenceKind::ALL {
                if let Ok(evidence) = Evidence::parse(kind, &text) {
                    prop_assert_eq!(Evidence::parse(kind, evidence.value()), Ok(evidence));
                }
            }
        }
    }
}
