//! Registration, recovery and sign-in by SMS as state machines. The state lives on the server; a page names an
//! event and never a state, so that no request reaches "set password" or the register without
//! the verified phone (attacks.md rows 22, 23).

/// What a journey is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A new account.
    Registration,
    /// A new password for an account whose person holds phone and evidence.
    Recovery,
    /// Signing in by a code to the account's phone.
    SmsSignIn,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Registration, Self::Recovery, Self::SmsSignIn];

    /// The name in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Recovery => "recovery",
            Self::SmsSignIn => "sms_sign_in",
        }
    }

    /// The purpose of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }
}

/// Where a journey stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A code was sent to the phone.
    CodeSent,
    /// The code came back: the phone is the person's.
    PhoneVerified,
    /// Registration: the new password is chosen.
    PasswordChosen,
    /// Recovery: name, number and evidence are those of the account.
    EvidenceMatched,
    /// The account stands, or has its new password.
    Finished,
    /// Registration: the person, proven by all evidence, has an account already.
    HasAccount,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::CodeSent,
        Self::PhoneVerified,
        Self::PasswordChosen,
        Self::EvidenceMatched,
        Self::Finished,
        Self::HasAccount,
    ];

    /// The name in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CodeSent => "code_sent",
            Self::PhoneVerified => "phone_verified",
            Self::PasswordChosen => "password_chosen",
            Self::EvidenceMatched => "evidence_matched",
            Self::Finished => "finished",
            Self::HasAccount => "has_account",
        }
    }

    /// The state of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What happens on a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A code goes to the phone (again).
    SendCode,
    /// The right code in time.
    CodeAccepted,
    /// A password that keeps the rules.
    PasswordChosen,
    /// Name, number and evidence are to be compared with the register. Changes nothing, but is
    /// refused where it may not be asked.
    AskRegister,
    /// The register matched a person who has no account.
    MatchedNew,
    /// The register matched a person who has an account.
    MatchedExisting,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 6] = [
        Self::SendCode,
        Self::CodeAccepted,
        Self::PasswordChosen,
        Self::AskRegister,
        Self::MatchedNew,
        Self::MatchedExisting,
    ];
}

/// The event has no edge where the journey stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this step is not due: the journey stands at {}\nhint: go on from the page that the journey shows", at.code())]
pub struct OutOfOrder {
    /// Where it stands.
    pub at: State,
}

/// The state after an event.
pub fn step(purpose: Purpose, at: State, event: Event) -> Result<State, OutOfOrder> {
    use Event as E;
    use State as S;
    let next = match (purpose, at, event) {
        (_, S::CodeSent, E::SendCode) => S::CodeSent,
        (Purpose::SmsSignIn, S::CodeSent, E::CodeAccepted) => S::Finished,
        (_, S::CodeSent, E::CodeAccepted) => S::PhoneVerified,
        (Purpose::Registration, S::PhoneVerified, E::PasswordChosen) => S::PasswordChosen,
        (Purpose::Registration, S::PasswordChosen, E::AskRegister) => S::PasswordChosen,
        (Purpose::Registration, S::PasswordChosen, E::MatchedNew) => S::Finished,
        (Purpose::Registration, S::PasswordChosen, E::MatchedExisting) => S::HasAccount,
        (Purpose::Recovery, S::PhoneVerified, E::AskRegister) => S::PhoneVerified,
        (Purpose::Recovery, S::PhoneVerified, E::MatchedExisting) => S::EvidenceMatched,
        (Purpose::Recovery, S::EvidenceMatched, E::PasswordChosen) => S::Finished,
        _ => return Err(OutOfOrder { at }),
    };
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(purpose: Purpose, events: &[Event]) -> (State, Vec<Event>) {
        let mut at = State::CodeSent;
        let mut taken = Vec::new();
        for event in events {
            if let Ok(next) = step(purpose, at, *event) {
                at = next;
                taken.push(*event);
            }
        }
        (at, taken)
    }

    fn place(taken: &[Event], event: Event) -> Option<usize> {
        taken.iter().position(|other| *other == event)
    }

    #[test]
    fn the_straight_ways_arrive() {
        use Event::{
            AskRegister, CodeAccepted, MatchedExisting, MatchedNew, PasswordChosen, SendCode,
        };
        let registration = [SendCode, CodeAccepted, PasswordChosen, AskRegister, MatchedNew];
        assert_eq!(walk(Purpose::Registration, &registration).0, State::Finished);
        let recovery = [CodeAccepted, AskRegister, MatchedExisting, PasswordChosen];
        assert_eq!(walk(Purpose::Recovery, &recovery).0, State::Finished);
        let existing = [CodeAccepted, PasswordChosen, MatchedExisting, PasswordChosen];
        assert_eq!(walk(Purpose::Registration, &existing).0, State::HasAccount);
        assert_eq!(walk(Purpose::SmsSignIn, &[AskRegister, CodeAccepted]).0, State::Finished);
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
        }
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_code(purpose.code()), Some(purpose));
        }
    }

    proptest! {
        /// attacks.md row 23: whatever the order of requests, a password is chosen and the
        /// register is asked only after the phone is verified, and a recovery chooses its
        /// password only after the evidence matched.
        #[test]
        fn attack_23_no_order_of_requests_skips_the_proof(
            purpose in 0usize..Purpose::ALL.len(),
            order in proptest::collection::vec(0usize..Event::ALL.len(), 0..24),
        ) {
            let purpose = Purpose::ALL[purpose];
            let events: Vec<Event> = order.iter().map(|n| Event::ALL[*n]).collect();
            let (at, taken) = walk(purpose, &events);
            let verified = place(&taken, Event::CodeAccepted);
            for guarded in [Event::PasswordChosen, Event::AskRegister, Event::MatchedNew, Event::MatchedExisting] {
                if let Some(at) = place(&taken, guarded) {
                    prop_assert!(verified.is_some_and(|verified| verified < at));
                }
            }
            if purpose == Purpose::Recovery && at == State::Finished {
                let matched = place(&taken, Event::MatchedExisting).unwrap();
                prop_assert!(place(&taken, Event::PasswordChosen).unwrap() > matched);
                prop_assert_eq!(place(&taken, Event::MatchedNew), None);
            }
            if purpose == Purpose::Registration && at == State::Finished {
                prop_assert!(place(&taken, Event::PasswordChosen).is_some());
                prop_assert!(place(&taken, Event::MatchedNew).is_some());
            }
        }
    }
}
