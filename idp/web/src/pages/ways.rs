//! The ways that begin with a code to a phone: registration, recovery, signing in by SMS.

use idp_domain::citizen::journey::{Purpose, State as At};

use super::text::Lang;
use super::view::Step;

/// One of the ways: its addresses and its words.
pub(crate) struct Way {
    pub(crate) purpose: Purpose,
    /// Where the phone is asked for.
    pub(crate) start: &'static str,
    /// Where the code is asked for.
    pub(crate) code: &'static str,
    /// Where a further code is asked for.
    pub(crate) resend: &'static str,
    /// Where an accepted code leads.
    pub(crate) next: &'static str,
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    /// The message to the phone.
    pub(crate) message: &'static str,
    steps: &'static [&'static str],
}

/// Registration.
pub(crate) static REGISTER: Way = Way {
    purpose: Purpose::Registration,
    start: "/register",
    code: "/register/code",
    resend: "/register/resend",
    next: "/register/password",
    title: "register-title",
    lead: "register-lead",
    message: "sms-register",
    steps: &["step-phone", "step-code", "step-password", "step-identity"],
};

/// Recovery.
pub(crate) static RECOVER: Way = Way {
    purpose: Purpose::Recovery,
    start: "/recover",
    code: "/recover/code",
    resend: "/recover/resend",
    next: "/recover/evidence",
    title: "recover-title",
    lead: "recover-lead",
    message: "sms-recover",
    steps: &["step-phone", "step-code", "step-identity", "step-password"],
};

/// Signing in by SMS.
pub(crate) static SMS: Way = Way {
    purpose: Purpose::SmsSignIn,
    start: "/signin/sms",
    code: "/signin/sms/code",
    resend: "/signin/sms/resend",
    next: "/account",
    title: "sms-title",
    lead: "sms-lead",
    message: "sms-signin",
    steps: &[],
};

impl Way {
    /// The steps, the `current`th (from 0) being due.
    pub(crate) fn steps(&self, lang: Lang, current: usize) -> Vec<Step> {
        let step = |(n, key): (usize, &&'static str)| Step {
            label: lang.t(key),
            done: n < current,
            current: n == current,
        };
        self.steps.iter().enumerate().map(step).collect()
    }

    /// The page on which a journey that stands here goes on.
    pub(crate) fn page_of(&self, at: At) -> &'static str {
        match (self.purpose, at) {
            (_, At::CodeSent) => self.code,
            (_, At::PhoneVerified) => self.next,
            (_, At::PasswordChosen) => "/register/identity",
            (_, At::EvidenceMatched) => "/recover/password",
            (_, At::HasAccount) => "/register/exists",
            (_, At::Finished) => self.start,
        }
    }
}
