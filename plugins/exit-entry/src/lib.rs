//! Exit-entry services: renewal of an ordinary passport, repeat group-tour endorsement for Hong
//! Kong or Macao (domain.md §8, §11.1).
//!
//! Rules may approve and give their reasons; they never refuse: what a rule does not approve goes to
//! an officer.

mod applicant;
mod day;
mod delivery;
mod endorsement;
mod fault;
mod passport;
mod rule;
#[cfg(test)]
mod tests;

use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::{
    CaseView, Descriptor, Event, Manifest, Plugin, Problem, Step, hall, json as read, problem, wish,
};

use fault::{Entered, Faults};
use rule::Facts;

/// What the operator has approved.
pub const MANIFEST: Manifest = plugin_sdk::manifest!("plugin.toml");
/// Code of the passport renewal.
pub const PASSPORT: &str = "exit-entry.passport-renewal";
/// Code of the group-tour endorsement.
pub const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";

struct ExitEntry;

fn unknown(item: &str) -> Problem {
    let (zh, en) = ("没有这个事项。", "There is no such service.");
    problem(&format!("item.unknown.{item}"), None, zh, en)
}

fn quote(item: &str, form: Entered<'_>) -> Result<&'static str, Problem> {
    match item {
        PASSPORT => Ok("standard"),
        ENDORSEMENT => Ok(endorsement::quote(form)),
        other => Err(unknown(other)),
    }
}

/// The fee is asked for as soon as the case is accepted; the decision follows the payment.
fn accept(item: &str, form: Entered<'_>) -> Result<Step, Problem> {
    let quote = quote(item, form)?;
    wish::pay(quote, "fee", "fee")?;
    let (zh, en) = ("申请已受理，请缴费。", "Accepted. Please pay the fee.");
    Ok(Step::new("ask_fee", json!({ "quote": quote }), zh, en))
}

fn decide(item: &str, form: Entered<'_>, at: u64, data: Value) -> Result<Step, Problem> {
    let facts = Facts::read();
    let findings = match item {
        PASSPORT => passport::rule(form, &facts),
        ENDORSEMENT => endorsement::rule(form, &facts, day::of(at)),
        other => return Err(unknown(other)),
    };
    let step = rule::conclude(&findings, data);
    if step.edge == "review" {
        wish::assign("officer", "exit-entry")?;
        wish::tell("in-review", &[], "in-review")?;
    }
    Ok(step)
}

impl Plugin for ExitEntry {
    fn describe() -> Descriptor {
        MANIFEST.descriptor(&[
            (PASSPORT, "普通护照换发", "Renewal of an ordinary passport"),
            (
                ENDORSEMENT,
                "赴港澳团队旅游签注（再次）",
                "Group-tour endorsement for Hong Kong or Macao (repeat)",
            ),
        ])
    }

    fn form(item: &str, prefill: &Value) -> Result<Value, Problem> {
        match item {
            PASSPORT => Ok(passport::form(prefill)),
            ENDORSEMENT => Ok(endorsement::form(prefill)),
            other => Err(unknown(other)),
        }
    }

    fn validate(item: &str, data: &Value) -> Vec<Problem> {
        let (form, mut faults) = (Entered(data), Faults::default());
        let today = day::of(hall::now());
        match item {
            PASSPORT => passport::check(form, &mut faults),
            ENDORSEMENT => endorsement::check(form, today, &mut faults),
            other => return vec![unknown(other)],
        }
        applicant::check(form, today, &mut faults);
        delivery::check(form, &mut faults);
        faults.0
    }

    fn start(item: &str, _event: &Event, form: &Value) -> Result<Step, Problem> {
        accept(item, Entered(form))
    }

    fn advance(case: &CaseView, event: &Event) -> Result<Step, Problem> {
        let (form, data) = (read(&case.form), read(&case.data));
        let form = Entered(&form);
        match (event.kind.as_str(), case.state.as_str()) {
            ("correction.received", "submitted") => accept(&case.item, form),
            ("correction.received", _) => Ok(rule::to_officer(data)),
            ("payment.settled", _) => decide(&case.item, form, event.at, data),
            ("decision.approved", _) => delivery::make(&case.item, data),
            ("document.issued", _) => delivery::hand_over(form, &read(&event.payload), data),
            _ => Ok(rule::stay(data)),
        }
    }
}

plugin_sdk::export!(ExitEntry);
