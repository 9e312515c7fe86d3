//! Rules: what was looked at, what it showed, and what follows. A rule may approve; it never
//! refuses, and it says why in both cases (PIPL art. 24: explain, and a right to a person).

use plugin_sdk::serde_json::Value;
use plugin_sdk::{Step, hall};

use crate::fault::Entered;

/// Verified facts that the rules look at.
pub(crate) struct Facts {
    /// Six digits of the region of household registration.
    pub(crate) region: Option<String>,
    /// Whether the person is sixteen or older; none if that is not established.
    pub(crate) sixteen: Option<bool>,
}

impl Facts {
    /// As the hall gives them.
    pub(crate) fn read() -> Self {
        Self {
            region: hall::fact("region"),
            sixteen: hall::fact("age_over_16").map(|answer| answer == "true"),
        }
    }
}

/// One thing that a rule looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) holds: bool,
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
}

/// A finding with its sentence for either outcome.
pub(crate) fn finding(
    holds: bool,
    yes: (&'static str, &'static str),
    no: (&'static str, &'static str),
) -> Finding {
    let (zh, en) = if holds { yes } else { no };
    Finding { holds, zh, en }
}

/// The household registration is in this province.
pub(crate) fn registered_here(facts: &Facts) -> Finding {
    match facts.region.as_deref() {
        Some(region) => finding(
            region.starts_with("35"),
            ("户籍在本省。", "Registered in this province."),
            ("户籍不在本省，由民警审查。", "Registered in another province: an officer decides."),
        ),
        None => finding(
            false,
            ("", ""),
            (
                "户籍所在地未能核实，由民警审查。",
                "The place of registration is not established: an officer decides.",
            ),
        ),
    }
}

/// Sixteen or older (passports of the younger are applied for with a guardian).
pub(crate) fn sixteen(facts: &Facts) -> Finding {
    let no = match facts.sixteen {
        Some(_) => ("未满十六周岁，由民警审查。", "Younger than sixteen: an officer decides."),
        None => ("年龄未能核实，由民警审查。", "The age is not established: an officer decides."),
    };
    finding(facts.sixteen == Some(true), ("已满十六周岁。", "Sixteen or older."), no)
}

/// No registered state staff: those need their employer's consent (domain.md §8).
pub(crate) fn no_staff(form: Entered<'_>) -> Finding {
    finding(
        form.text("registered_staff") == "no",
        ("不属于登记备案的国家工作人员。", "Not registered state staff."),
        (
            "登记备案的国家工作人员，所在单位意见由民警核实。",
            "Registered state staff: an officer verifies the employer's consent.",
        ),
    )
}

/// The applicant has declared that no ground against going abroad applies.
pub(crate) fn declared(form: Entered<'_>) -> Finding {
    finding(
        form.text("declaration") == "yes",
        (
            "声明没有不准出境的情形。",
            "Declared that no ground against leaving the country applies.",
        ),
        ("未作声明，由民警审查。", "No declaration was made: an officer decides."),
    )
}

/// Approves if everything holds, else leaves the decision to a person; the reasons are those
/// findings that led there.
pub(crate) fn conclude(findings: &[Finding], data: Value) -> Step {
    let approved = findings.iter().all(|finding| finding.holds);
    let step = if approved {
        Step::new("approve", data, "符合条件，准予。", "Meets the conditions: approved.")
    } else {
        to_officer(data)
    };
    findings
        .iter()
        .filter(|finding| finding.holds == approved)
        .fold(step, |step, finding| step.because(finding.zh, finding.en))
}

/// The case waits for an officer.
pub(crate) fn to_officer(data: Value) -> Step {
    Step::new("review", data, "正在审查。", "Under review by an officer.")
}

/// Nothing to do for this event.
pub(crate) fn stay(data: Value) -> Step {
    Step { edge: "stay", data, status: Vec::new(), reasons: Vec::new() }
}
