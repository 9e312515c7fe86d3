//! The gate: whether an account may sign in or receive a token. Every grant passes it
//! (attacks.md row 26: a lock that one grant forgets).

/// State of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// In use.
    Active,
    /// Frozen by its person ("this was not me"); recovery with all evidence opens it.
    Frozen,
    /// Stopped by the operator, who alone opens it again.
    Disabled,
    /// Ended: merged into another, or closed.
    Closed,
}

impl AccountState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Frozen, Self::Disabled, Self::Closed];

    /// The name in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Disabled => "disabled",
            Self::Closed => "closed",
        }
    }

    /// The state of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// Status of a person's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonStatus {
    /// Living.
    Alive,
    /// Deceased: attacks.md row 51.
    Deceased,
    /// The number was changed; the person has another record.
    NumberChanged,
    /// The record was merged into another.
    Merged,
}

impl PersonStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Alive, Self::Deceased, Self::NumberChanged, Self::Merged];

    /// The name in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Deceased => "deceased",
            Self::NumberChanged => "number_changed",
            Self::Merged => "merged",
        }
    }

    /// The status of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// Why the gate is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Shut {
    /// The account is frozen.
    #[error("the account is frozen\nhint: recover it with the phone and all evidence")]
    Frozen,
    /// The account was stopped or closed.
    #[error("the account is not in use\nhint: ask at a counter")]
    NotInUse,
    /// The person's record has ended.
    #[error("the record of this person has ended\nhint: ask at a counter")]
    PersonEnded,
}

/// Whether an account may sign in or receive a token.
pub fn gate(account: AccountState, person: PersonStatus) -> Result<(), Shut> {
    if person != PersonStatus::Alive {
        return Err(Shut::PersonEnded);
    }
    match account {
        AccountState::Active => Ok(()),
        AccountState::Frozen => Err(Shut::Frozen),
        AccountState::Disabled | AccountState::Closed => Err(Shut::NotInUse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_account_of_a_living_person_passes() {
        let mut open = 0;
        for account in AccountState::ALL {
            assert_eq!(AccountState::from_code(account.code()), Some(account));
            for person in PersonStatus::ALL {
                open += i32::from(gate(account, person).is_ok());
            }
        }
        assert_eq!(open, 1);
        assert_eq!(gate(AccountState::Active, PersonStatus::Alive), Ok(()));
        assert_eq!(gate(AccountState::Frozen, PersonStatus::Alive), Err(Shut::Frozen));
        assert_eq!(gate(AccountState::Active, PersonStatus::Deceased), Err(Shut::PersonEnded));
    }

    #[test]
    fn statuses_read_back() {
        for status in PersonStatus::ALL {
            assert_eq!(PersonStatus::from_code(status.code()), Some(status));
        }
        assert_eq!(AccountState::from_code("open"), None);
    }
}
