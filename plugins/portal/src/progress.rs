//! How far a case has come, as a small picture that needs no script, and as words beside it.

use plugins_engine::view::{CaseLine, TimelineRow};

use crate::frame::Frame;
use crate::labels;

/// One station of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Middle of its circle, in the picture's units.
    pub x: usize,
    /// `done`, `here`, `ahead`, `stopped`.
    pub kind: &'static str,
    /// What it is called.
    pub label: String,
}

/// The whole way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Stations from left to right.
    pub stations: Vec<Station>,
    /// Width of the picture.
    pub width: usize,
    /// Where the finished part of the line ends.
    pub reached: usize,
    /// The picture in words.
    pub words: String,
}

const STEP: usize = 100;

/// Station of a state on the common way; none for side exits.
fn position(state: &str) -> Option<usize> {
    Some(match state {
        "draft" => 0,
        "submitted" | "precheck" | "correction" => 1,
        "accepted" | "fee_due" => 2,
        "paid" | "review" | "special_procedure" => 3,
        "approved" | "making" => 4,
        "dispatch" | "ready_for_pickup" => 5,
        "delivered" | "rated" => 6,
        _ => return None,
    })
}

/// Station that an event of the timeline proves.
fn proven(kind: &str) -> usize {
    match kind {
        "case.submitted" => 1,
        "case.accepted" | "fee.due" => 2,
        "payment.settled" | "review.assigned" => 3,
        "decision.approved" => 4,
        "express.booked" | "pickup.ready" => 5,
        "express.delivered" | "pickup.taken" => 6,
        _ => 0,
    }
}

const STATIONS: [&str; 6] = ["submitted", "fee_due", "review", "approved", "dispatch", "delivered"];

/// The picture of a case.
#[must_use]
pub fn of(frame: &Frame, case: &CaseLine, timeline: &[TimelineRow]) -> Progress {
    // A case that left the common way stopped where its last event stood.
    let stopped = position(&case.state).is_none();
    let at = position(&case.state)
        .unwrap_or_else(|| timeline.iter().map(|row| proven(&row.kind)).max().unwrap_or(1));
    let finished = at == STATIONS.len();
    let mut stations = Vec::new();
    for (index, name) in STATIONS.iter().enumerate() {
        let number = index + 1;
        let kind = match number.cmp(&at) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal if stopped => "stopped",
            std::cmp::Ordering::Equal if finished => "done",
            std::cmp::Ordering::Equal => "here",
            std::cmp::Ordering::Greater => "ahead",
        };
        let label = frame.t(&format!("station-{}", name.replace('_', "-")));
        stations.push(Station { x: STEP / 2 + index * STEP, kind, label });
    }
    let state = labels::state(frame, &case.state);
    Progress {
        width: STATIONS.len() * STEP,
        reached: at.saturating_sub(1) * STEP + STEP / 2,
        words: frame.ta("progress-words", "state", state),
        stations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_the_contract_has_a_station_or_is_a_side_exit() {
        let exits = ["rejected_accept", "refused", "withdrawn", "refund_due", "refunded"];
        for state in crate::tests::STATES.split_whitespace() {
            assert_eq!(position(state).is_none(), exits.contains(&state), "{state}");
        }
    }
}
