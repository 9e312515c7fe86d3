//! Two axes of assurance: proofing (who is it, a lasting fact) and authentication (this session).

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::parameters::Parameters;

const PROOFING: &str = "urn:tongban:proofing:";
const AUTH: &str = "urn:tongban:auth:";

/// All values, for the metadata.
pub const VALUES: &[&str] = &[
    "urn:tongban:proofing:1",
    "urn:tongban:proofing:2",
    "urn:tongban:proofing:3",
    "urn:tongban:proofing:4",
    "urn:tongban:auth:1",
    "urn:tongban:auth:2",
];

/// What a request asks of each axis; 0 asks nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// 0–5.
    pub proofing: u8,
    /// 0–3.
    pub auth: u8,
    /// The request cannot go on without it (`essential`, OpenID Connect Core §5.5.1.1).
    pub essential: bool,
}

/// Levels that a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// 1–5.
    pub proofing: u8,
    /// 1–3.
    pub auth: u8,
}

/// Levels that nobody can reach here are unknown: asking for one must not end in a loop of step-ups.
fn level(value: &str, prefix: &str) -> Option<u8> {
    VALUES.contains(&value).then(|| value.strip_prefix(prefix)?.parse().ok()).flatten()
}

/// Reads `acr_values`: in order of preference (OpenID Connect Core §3.1.2.1), so the first known
/// value of each axis counts; unknown ones are ignored.
#[must_use]
pub fn wanted(acr_values: Option<&str>) -> Wanted {
    let mut wanted = Wanted::default();
    for value in acr_values.unwrap_or_default().split(' ').take(16) {
        if let Some(level) = level(value, PROOFING).filter(|_| wanted.proofing == 0) {
            wanted.proofing = level;
        }
        if let Some(level) = level(value, AUTH).filter(|_| wanted.auth == 0) {
            wanted.auth = level;
        }
    }
    wanted
}

/// What a request wants, and where it names nothing what its client registered (OpenID Connect
/// Registration §2, `default_acr_values`).
#[must_use]
pub fn wanted_of(client: &Client, parameters: &Parameters) -> Wanted {
    match parameters.get("acr_values") {
        Some(values) => wanted(Some(values)),
        None => default(client),
    }
}

/// What a client wants of each sign-in.
#[must_use]
pub fn default(client: &Client) -> Wanted {
    wanted(Some(&client.default_acr_values.join(" ")))
}

impl Wanted {
    /// Whether a session satisfies both axes.
    #[must_use]
    pub fn satisfied(self, reached: Reached) -> bool {
        reached.proofing >= self.proofing && reached.auth >= self.auth
    }
}

/// The `acr` claim: the value of the axis that was asked for, if it is satisfied, else what was
/// reached; proofing if both or neither were asked for. What was asked for comes back as it was,
/// because relying parties compare it with their list (OpenID Connect Core §5.5.1.1); the claims
/// `proofing_level` and `auth_level` say how much more there is.
#[must_use]
pub fn claim(wanted: Wanted, reached: Reached) -> String {
    match (wanted.proofing, wanted.auth) {
        (0, 0) => format!("{PROOFING}{}", reached.proofing),
        (0, auth) => format!("{AUTH}{}", auth.min(reached.auth)),
        (proofing, _) => format!("{PROOFING}{}", proofing.min(reached.proofing)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_of_each_axis_is_asked_for_and_unknown_values_are_ignored() {
        let both = wanted(Some("urn:x urn:tongban:auth:2 urn:tongban:proofing:4"));
        assert_eq!((both.proofing, both.auth), (4, 2));
        assert_eq!(wanted(Some("urn:tongban:proofing:9 1")), Wanted::default());
        let reached = Reached { proofing: 4, auth: 1 };
        assert!(!both.satisfied(reached));
        assert_eq!(claim(wanted(Some("urn:tongban:auth:1")), reached), "urn:tongban:auth:1");
        assert_eq!(claim(both, reached), "urn:tongban:proofing:4");
        assert_eq!(claim(Wanted::default(), reached), "urn:tongban:proofing:4");
    }

    #[test]
    fn the_claim_is_what_was_asked_for_and_never_more_than_was_reached() {
        let reached = Reached { proofing: 3, auth: 2 };
        for (asked, answered) in [
            ("urn:tongban:proofing:2", "urn:tongban:proofing:2"),
            ("urn:tongban:proofing:3", "urn:tongban:proofing:3"),
            ("urn:tongban:proofing:4", "urn:tongban:proofing:3"),
            ("urn:tongban:auth:1", "urn:tongban:auth:1"),
            ("urn:tongban:proofing:1 urn:tongban:auth:2", "urn:tongban:proofing:1"),
        ] {
            assert_eq!(claim(wanted(Some(asked)), reached), answered, "{asked}");
        }
    }

    #[test]
    fn every_published_value_can_be_asked_for_and_no_other() {
        for value in VALUES {
            assert_ne!(wanted(Some(value)), Wanted::default(), "{value}");
        }
        for value in ["urn:tongban:proofing:5", "urn:tongban:auth:3", "urn:tongban:auth:+1", "1"] {
            assert_eq!(wanted(Some(value)), Wanted::default(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String, proofing in 1_u8..=5, auth in 1_u8..=3) {
            let asked = wanted(Some(&text));
            let answered = claim(asked, Reached { proofing, auth });
            prop_assert!(answered.starts_with("urn:tongban:"));
        }
    }
}
