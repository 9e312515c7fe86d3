//! The life of a key of ours: known, in use, kept for what it did, gone (attacks row 47).
//!
//! A stage follows from times alone, so that nodes agree without telling each other.

/// Where a key stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Known to all nodes and published, not yet in use.
    Next,
    /// Signs; others are told to encrypt to it.
    Active,
    /// Verifies what it signed, or opens what was encrypted to it.
    Retired,
    /// Nothing of it is alive any more.
    Over,
    /// Out of use at once, with all that it did.
    Revoked,
}

impl Stage {
    /// As it is told to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Over => "over",
            Self::Revoked => "revoked",
        }
    }

    /// Whether what it did is believed.
    #[must_use]
    pub fn stands(self) -> bool {
        matches!(self, Self::Next | Self::Active | Self::Retired)
    }
}

/// The times of a key, milliseconds UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// From when it signs.
    pub signs_from: i64,
    /// When its successor takes over, or it was revoked; none at the newest of its kind.
    pub signs_until: Option<i64>,
    /// Taken out of use.
    pub revoked: bool,
}

impl Life {
    /// Where it stands; `overlap` is how long what it did may live after it, milliseconds.
    #[must_use]
    pub fn stage(&self, now: i64, overlap: i64) -> Stage {
        match self.signs_until {
            _ if self.revoked => Stage::Revoked,
            Some(until) if until.saturating_add(overlap) <= now => Stage::Over,
            Some(until) if until <= now => Stage::Retired,
            _ if self.signs_from > now => Stage::Next,
            _ => Stage::Active,
        }
    }
}

/// When and how keys follow each other, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// A new key is published this long before it signs: longer than any node or partner, told so
    /// by us, keeps an older set.
    pub publish_ahead: i64,
    /// A key is kept this long after it signed last.
    pub overlap: i64,
    /// Age at which a key gets a successor; 0: only by command.
    pub rotate_after: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_47_each_stage_begins_at_its_millisecond() {
        let life = Life { signs_from: 100, signs_until: Some(200), revoked: false };
        let at = |now| life.stage(now, 50);
        assert_eq!([at(99), at(100), at(199)], [Stage::Next, Stage::Active, Stage::Active]);
        assert_eq!([at(200), at(249), at(250)], [Stage::Retired, Stage::Retired, Stage::Over]);
        assert_eq!(Life { revoked: true, ..life }.stage(150, 50), Stage::Revoked);
        let newest = Life { signs_until: None, ..life };
        assert_eq!(newest.stage(i64::MAX, i64::MAX), Stage::Active);
    }
}
