//! How well a person's identity is proven (domain.md §3). A lasting, dated fact of the person;
//! how well this session is authenticated is another axis (design.md §3).

/// Proofing level L1 to L5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proofing {
    /// An account: a phone with a one-time code.
    Account,
    /// Self-declared name and number, form and checksum only.
    Declared,
    /// 实名: name, number and further evidence match the population register.
    RealName,
    /// 实人: real name, and the live face equals the register's photo.
    RealPerson,
    /// Identity shown at a counter, or a digital certificate.
    Counter,
}

impl Proofing {
    /// Every level, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Account, Self::Declared, Self::RealName, Self::RealPerson, Self::Counter];

    /// 1 to 5.
    pub const fn level(self) -> i64 {
        match self {
            Self::Account => 1,
            Self::Declared => 2,
            Self::RealName => 3,
            Self::RealPerson => 4,
            Self::Counter => 5,
        }
    }

    /// The level of a number.
    pub fn from_level(level: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|proofing| proofing.level() == level)
    }

    /// The `acr` value (contract.md).
    pub const fn acr(self) -> &'static str {
        match self {
            Self::Account => "urn:tongban:proofing:1",
            Self::Declared => "urn:tongban:proofing:2",
            Self::RealName => "urn:tongban:proofing:3",
            Self::RealPerson => "urn:tongban:proofing:4",
            Self::Counter => "urn:tongban:proofing:5",
        }
    }

    /// The level of an `acr` value.
    pub fn from_acr(acr: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proofing| proofing.acr() == acr)
    }

    /// The level after a further fact: a later, weaker proof never lowers it.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        self.max(other)
    }
}

/// How a person can reach a level that they do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayUp {
    /// They have it.
    Reached,
    /// By the face check, here and now.
    FaceCheck,
    /// By registering with evidence.
    Evidence,
    /// Only at a counter: the person is told so, and not sent in circles.
    CounterOnly,
}

/// The way from one level to another.
pub fn way_up(has: Proofing, wanted: Proofing) -> WayUp {
    if has >= wanted {
        WayUp::Reached
    } else if wanted == Proofing::Counter {
        WayUp::CounterOnly
    } else if has < Proofing::RealName {
        WayUp::Evidence
    } else {
        WayUp::FaceCheck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_acr_values_read_back() {
        for (n, proofing) in (1..).zip(Proofing::ALL) {
            assert_eq!(proofing.level(), n);
            assert_eq!(Proofing::from_level(n), Some(proofing));
            assert_eq!(Proofing::from_acr(proofing.acr()), Some(proofing));
            assert_eq!(proofing.acr(), format!("urn:tongban:proofing:{n}"));
        }
        assert_eq!(Proofing::from_level(0), None);
        assert_eq!(Proofing::from_level(6), None);
        assert_eq!(Proofing::from_acr("urn:tongban:auth:1"), None);
    }

    #[test]
    fn a_level_never_falls() {
        for has in Proofing::ALL {
            for fact in Proofing::ALL {
                assert!(has.raised_to(fact) >= has);
            }
        }
    }

    #[test]
    fn the_way_up_is_honest() {
        assert_eq!(way_up(Proofing::RealName, Proofing::RealPerson), WayUp::FaceCheck);
        assert_eq!(way_up(Proofing::RealPerson, Proofing::RealName), WayUp::Reached);
        assert_eq!(way_up(Proofing::Account, Proofing::RealPerson), WayUp::Evidence);
        assert_eq!(way_up(Proofing::RealPerson, Proofing::Counter), WayUp::CounterOnly);
    }
}
