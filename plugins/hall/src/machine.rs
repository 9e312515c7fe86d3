//! The state machines of cases (domain.md §13) as data: what a plugin may choose, and from where.
//!
//! A plugin names an edge; the engine looks it up here. An edge may pass through several states at
//! once, each of which leaves its own line on the timeline. An edge that the machine lacks in a
//! state is the plugin's error and nothing happens to the case.

/// Who may take an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The applicant only.
    Applicant,
    /// A person on the officer's side only: a rule may approve, it may never refuse (design.md §4).
    Officer,
    /// A rule, a counterpart's event or a person.
    Anyone,
}

/// One way from a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Name that a plugin or a page chooses.
    pub name: &'static str,
    /// State in which it exists.
    pub from: &'static str,
    /// States that it passes, the last of which the case is then in.
    pub path: &'static [&'static str],
    /// Who may take it.
    pub by: By,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// Letter of domain.md §13.
    pub letter: &'static str,
    edges: &'static [Edge],
}

/// Why an edge cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// No such edge in this state.
    #[error("no edge `{0}` from this state")]
    None(String),
    /// This actor may not take it.
    #[error("the edge `{0}` is not for this actor")]
    Forbidden(String),
}

const fn edge(
    name: &'static str,
    from: &'static str,
    path: &'static [&'static str],
    by: By,
) -> Edge {
    Edge { name, from, path, by }
}

use By::{Anyone, Applicant, Officer};

/// A: an approval with a certificate.
static A: Machine = Machine {
    letter: "A",
    edges: &[
        edge("submit", "draft", &["submitted"], Applicant),
        edge("precheck", "submitted", &["precheck"], Anyone),
        edge("ask_correction", "submitted", &["correction"], Anyone),
        edge("ask_correction", "precheck", &["correction"], Anyone),
        edge("ask_correction", "review", &["correction"], Officer),
        edge("resubmit", "correction", &["submitted"], Applicant),
        edge("corrected", "correction", &["review"], Applicant),
        edge("reject", "submitted", &["rejected_accept"], Officer),
        edge("reject", "precheck", &["rejected_accept"], Officer),
        edge("accept", "submitted", &["accepted"], Anyone),
        edge("accept", "precheck", &["accepted"], Anyone),
        edge("ask_fee", "submitted", &["precheck", "accepted", "fee_due"], Anyone),
        edge("ask_fee", "precheck", &["accepted", "fee_due"], Anyone),
        edge("ask_fee", "accepted", &["fee_due"], Anyone),
        edge("settle", "fee_due", &["paid"], Anyone),
        edge("review", "submitted", &["precheck", "accepted", "review"], Anyone),
        edge("review", "accepted", &["review"], Anyone),
        edge("review", "fee_due", &["paid", "review"], Anyone),
        edge("review", "paid", &["review"], Anyone),
        edge("suspend", "review", &["special_procedure"], Officer),
        edge("resume", "special_procedure", &["review"], Officer),
        edge("approve", "submitted", &["accepted", "review", "approved"], Anyone),
        edge("approve", "fee_due", &["paid", "review", "approved"], Anyone),
        edge("approve", "paid", &["review", "approved"], Anyone),
        edge("approve", "review", &["approved"], Anyone),
        edge("refuse", "review", &["refused"], Officer),
        edge("make", "approved", &["making"], Anyone),
        edge("dispatch", "making", &["dispatch"], Anyone),
        edge("ready", "making", &["ready_for_pickup"], Anyone),
        edge("deliver", "making", &["dispatch", "delivered"], Anyone),
        edge("deliver", "dispatch", &["delivered"], Anyone),
        edge("deliver", "ready_for_pickup", &["delivered"], Anyone),
        edge("rate", "delivered", &["rated"], Applicant),
        edge("withdraw", "draft", &["withdrawn"], Applicant),
        edge("withdraw", "submitted", &["withdrawn"], Applicant),
        edge("withdraw", "precheck", &["withdrawn"], Applicant),
        edge("withdraw", "correction", &["withdrawn"], Applicant),
        edge("withdraw", "accepted", &["withdrawn"], Applicant),
        edge("withdraw", "fee_due", &["withdrawn"], Applicant),
        edge("withdraw", "paid", &["withdrawn"], Applicant),
        edge("withdraw", "review", &["withdrawn"], Applicant),
        edge("withdraw", "special_procedure", &["withdrawn"], Applicant),
        edge("refund", "withdrawn", &["refund_due"], Anyone),
        edge("refund", "refused", &["refund_due"], Officer),
        edge("refunded", "refund_due", &["refunded"], Anyone),
    ],
};

/// B: decided by rule at once, by a person where the rule does not approve.
static B: Machine = Machine {
    letter: "B",
    edges: &[
        edge("submit", "draft", &["submitted"], Applicant),
        edge("ask_correction", "submitted", &["correction"], Anyone),
        edge("ask_correction", "review", &["correction"], Officer),
        edge("resubmit", "correction", &["submitted"], Applicant),
        edge("corrected", "correction", &["review"], Applicant),
        edge("ask_fee", "submitted", &["accepted", "fee_due"], Anyone),
        edge("settle", "fee_due", &["paid"], Anyone),
        edge("review", "submitted", &["accepted", "review"], Anyone),
        edge("review", "fee_due", &["paid", "review"], Anyone),
        edge("review", "paid", &["review"], Anyone),
        edge("suspend", "review", &["special_procedure"], Officer),
        edge("resume", "special_procedure", &["review"], Officer),
        edge("approve", "submitted", &["accepted", "approved"], Anyone),
        edge("approve", "fee_due", &["paid", "approved"], Anyone),
        edge("approve", "paid", &["approved"], Anyone),
        edge("approve", "review", &["approved"], Anyone),
        edge("refuse", "review", &["refused"], Officer),
        edge("make", "approved", &["making"], Anyone),
        edge("dispatch", "making", &["dispatch"], Anyone),
        edge("ready", "making", &["ready_for_pickup"], Anyone),
        edge("deliver", "making", &["dispatch", "delivered"], Anyone),
        edge("deliver", "dispatch", &["delivered"], Anyone),
        edge("deliver", "ready_for_pickup", &["delivered"], Anyone),
        edge("rate", "delivered", &["rated"], Applicant),
        edge("withdraw", "draft", &["withdrawn"], Applicant),
        edge("withdraw", "submitted", &["withdrawn"], Applicant),
        edge("withdraw", "correction", &["withdrawn"], Applicant),
        edge("withdraw", "fee_due", &["withdrawn"], Applicant),
        edge("withdraw", "paid", &["withdrawn"], Applicant),
        edge("withdraw", "review", &["withdrawn"], Applicant),
        edge("withdraw", "special_procedure", &["withdrawn"], Applicant),
        edge("refund", "withdrawn", &["refund_due"], Anyone),
        edge("refund", "refused", &["refund_due"], Officer),
        edge("refunded", "refund_due", &["refunded"], Anyone),
    ],
};

/// The name of the edge that leads nowhere: the state stays and nothing is refused.
pub const STAY: &str = "stay";

impl Machine {
    /// The machine of a letter.
    #[must_use]
    pub fn find(letter: &str) -> Option<&'static Self> {
        [&A, &B].into_iter().find(|machine| machine.letter == letter)
    }

    /// The states that `edge` passes from `state` when `role` takes it; none of them for
    /// [`STAY`].
    ///
    /// # Errors
    /// [`EdgeError`] if there is no such edge or it is not for this role.
    pub fn take(
        &self,
        state: &str,
        edge: &str,
        role: &str,
    ) -> Result<&'static [&'static str], EdgeError> {
        if edge == STAY {
            return Ok(&[]);
        }
        let found = self.edges.iter().find(|known| known.name == edge && known.from == state);
        let found = found.ok_or_else(|| EdgeError::None(edge.to_owned()))?;
        let allowed = match found.by {
            By::Applicant => role == "citizen",
            By::Officer => role == "officer",
            By::Anyone => true,
        };
        if allowed { Ok(found.path) } else { Err(EdgeError::Forbidden(edge.to_owned())) }
    }

    /// Whether `role` may take `edge` from `state`.
    #[must_use]
    pub fn allows(&self, state: &str, edge: &str, role: &str) -> bool {
        self.take(state, edge, role).is_ok()
    }

    /// All edges.
    #[must_use]
    pub fn edges(&self) -> &'static [Edge] {
        self.edges
    }
}

/// The timeline's line for entering a state, where it has one of its own.
#[must_use]
pub fn line(state: &str) -> Option<&'static str> {
    Some(match state {
        "submitted" => "case.submitted",
        "accepted" => "case.accepted",
        "rejected_accept" => "case.rejected",
        "correction" => "correction.asked",
        "withdrawn" => "case.withdrawn",
        "fee_due" => "fee.due",
        "review" => "review.assigned",
        "special_procedure" => "clock.suspended",
        "approved" => "decision.approved",
        "refused" => "decision.refused",
        "ready_for_pickup" => "pickup.ready",
        "refund_due" => "refund.due",
        "refunded" => "refund.settled",
        _ => return None,
    })
}

/// Whether the promised and statutory limits still run in this state.
#[must_use]
pub fn under_clock(state: &str) -> bool {
    matches!(state, "accepted" | "fee_due" | "paid" | "review")
}

/// The way that most cases of the machine go, for a picture of progress.
#[must_use]
pub fn milestones(letter: &str) -> &'static [&'static str] {
    match letter {
        "B" => &["submitted", "fee_due", "approved", "making", "delivered"],
        _ => &["submitted", "accepted", "fee_due", "review", "approved", "dispatch", "delivered"],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// contract.md, States.
    const STATES: &str = "draft submitted precheck correction rejected_accept accepted fee_due \
        paid review special_procedure approved refused making dispatch ready_for_pickup delivered \
        rated withdrawn refund_due refunded";

    #[test]
    fn every_state_is_of_the_contract_and_can_be_reached() {
        let known: BTreeSet<&str> = STATES.split_whitespace().collect();
        for machine in [&A, &B] {
            let mut reached = BTreeSet::from(["draft"]);
            for _ in 0..known.len() {
                for edge in machine.edges {
                    assert!(known.contains(edge.from), "{}", edge.from);
                    if reached.contains(edge.from) {
                        reached.extend(edge.path);
                    }
                }
            }
            assert!(reached.is_subset(&known));
            for edge in machine.edges {
                assert!(reached.contains(edge.from), "{} {}", machine.letter, edge.from);
            }
            assert!(milestones(machine.letter).iter().all(|state| reached.contains(state)));
        }
    }

    #[test]
    fn no_edge_stands_twice() {
        for machine in [&A, &B] {
            let names: BTreeSet<_> = machine.edges.iter().map(|e| (e.name, e.from)).collect();
            assert_eq!(names.len(), machine.edges.len());
        }
    }

    #[test]
    fn a_rule_never_refuses_and_an_edge_from_elsewhere_is_none() {
        for machine in [&A, &B] {
            for role in ["citizen", "timer", "counterpart"] {
                for name in ["refuse", "reject", "suspend"] {
                    let taken = machine.edges.iter().filter(|edge| edge.name == name);
                    for edge in taken {
                        let refused = Err(EdgeError::Forbidden(name.to_owned()));
                        assert_eq!(machine.take(edge.from, name, role), refused);
                    }
                }
            }
        }
        assert_eq!(A.take("draft", "approve", "officer"), Err(EdgeError::None("approve".into())));
        assert_eq!(A.take("review", "stay", "timer"), Ok(&[][..]));
    }

    #[test]
    fn whoever_paid_and_withdraws_gets_the_money_back() {
        for machine in [&A, &B] {
            for state in ["fee_due", "paid", "review", "special_procedure", "correction"] {
                assert_eq!(machine.take(state, "withdraw", "citizen"), Ok(&["withdrawn"][..]));
            }
            assert_eq!(machine.take("withdrawn", "refund", "system"), Ok(&["refund_due"][..]));
            assert_eq!(machine.take("refund_due", "refunded", "system"), Ok(&["refunded"][..]));
        }
        assert!(!A.allows("approved", "withdraw", "citizen"));
        assert!(!A.allows("making", "withdraw", "citizen"));
    }
}
