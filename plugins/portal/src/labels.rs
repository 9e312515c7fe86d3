//! What states, events and signals are called, and a case as a row of a list.

use plugins_engine::view::{CaseLine, CaseView};

use crate::frame::Frame;
use crate::shown::{self, Instant};

/// A due date with its urgency.
#[derive(Debug, Clone)]
pub struct Due {
    /// `promised` or `statutory`.
    pub name: &'static str,
    /// What it is called.
    pub label: String,
    /// When it ends.
    pub at: Instant,
    /// `in 3 d`, `2 d ago`.
    pub distance: String,
    /// Whether it has passed.
    pub passed: bool,
}

/// A case in a list.
#[derive(Debug, Clone)]
pub struct Line {
    /// Number as in addresses.
    pub number: String,
    /// Number in groups.
    pub shown: String,
    /// Title of the item.
    pub title: String,
    /// State of the machine.
    pub state: String,
    /// What the state is called.
    pub label: String,
    /// Class of its badge.
    pub badge: &'static str,
    /// One line for the citizen.
    pub status: String,
    /// When it was opened.
    pub opened: Instant,
    /// When it last changed.
    pub changed: Instant,
    /// Promised end.
    pub due: Option<Due>,
    /// `blue`, `yellow`, `red`.
    pub signal: Option<String>,
}

/// What a state is called.
#[must_use]
pub fn state(frame: &Frame, state: &str) -> String {
    frame.lang.find(&format!("state-{state}")).unwrap_or_else(|| state.to_owned())
}

/// What an event is called.
#[must_use]
pub fn event(frame: &Frame, kind: &str) -> String {
    let key = format!("event-{}", kind.replace(['.', '_'], "-"));
    frame.lang.find(&key).unwrap_or_else(|| kind.to_owned())
}

/// The class of a state's badge: what waits for the person stands out, what failed is red.
#[must_use]
pub fn badge(state: &str) -> &'static str {
    match state {
        "fee_due" | "correction" | "draft" | "special_procedure" => "badge-yellow",
        "refused" | "rejected_accept" => "badge-red",
        "approved" | "making" | "dispatch" | "ready_for_pickup" | "delivered" | "rated"
        | "refunded" => "badge-green",
        "withdrawn" => "",
        _ => "badge-blue",
    }
}

/// A due date as shown.
#[must_use]
pub fn due(frame: &Frame, name: &'static str, at: i64, now: i64) -> Due {
    Due {
        name,
        label: frame.t(&format!("due-{name}")),
        at: shown::instant(at),
        distance: shown::distance(now, at, frame.lang),
        passed: at < now,
    }
}

/// The limits of a case; how far off they are matters only while its clock runs.
#[must_use]
pub fn dues(frame: &Frame, case: &CaseView, now: i64) -> Vec<Due> {
    let runs = plugins_hall::machine::under_clock(&case.line.state);
    let ends = [("promised", case.due.promised), ("statutory", case.due.statutory)];
    let shown = ends.into_iter().filter_map(|(name, at)| {
        let due = due(frame, name, at?, now);
        Some(if runs { due } else { Due { distance: String::new(), passed: false, ..due } })
    });
    shown.collect()
}

/// A case as a row.
#[must_use]
pub fn line(frame: &Frame, case: &CaseLine, now: i64) -> Line {
    Line {
        number: case.number.clone(),
        shown: shown::number(&case.number),
        title: frame.lang.pick(&case.title).into_owned(),
        label: state(frame, &case.state),
        badge: badge(&case.state),
        status: frame.lang.pick(&case.public_status).into_owned(),
        opened: shown::instant(case.opened_at),
        changed: shown::instant(case.changed_at),
        due: case.promised_due.map(|at| due(frame, "promised", at, now)),
        signal: case.signal.clone(),
        state: case.state.clone(),
    }
}
