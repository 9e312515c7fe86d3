//! Exit-entry services: renewal of an ordinary passport, repeat group-tour endorsement for Hong
//! Kong or Macao (domain.md §8, §11.1).
//!
//! Rules may approve and give their reasons; they never refuse: what a rule does not approve goes to
//! an officer.

mod day;
mod endorsement;
mod passport;
mod shared;

use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::{
    CaseView, Descriptor, Event, Manifest, Plugin, Problem, Step, hall, json as read, problem, wish,
};

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

/// Verified facts that the rules look at.
pub(crate) struct Facts {
    /// Six digits of the region of first registration.
    pub(crate) region: Option<String>,
    /// Whether the person is sixteen or older.
    pub(crate) adult: bool,
}

fn facts() -> Facts {
    Facts {
        region: hall::fact("region"),
        adult: hall::fact("age_over_16").as_deref() == Some("true"),
    }
}

/// The fee is asked for as soon as the case is accepted; the decision follows the payment.
fn accept(quote: &'static str, form: &Value) -> Result<Step, Problem> {
    wish::pay(quote, "fee", "fee")?;
    Ok(Step::new(
        "ask_fee",
        json!({ "form": form }),
        "申请已受理，请缴费。",
        "Accepted. Please pay the fee.",
    ))
}

fn quote(item: &str, form: &Value) -> Result<&'static str, Problem> {
    match item {
        PASSPORT => Ok("standard"),
        ENDORSEMENT => Ok(endorsement::quote(form)),
        other => Err(unknown(other)),
    }
}

fn decide(item: &str, form: &Value, at: u64) -> Result<Step, Problem> {
    let facts = facts();
    let findings = match item {
        PASSPORT => passport::rule(form, &facts),
        ENDORSEMENT => endorsement::rule(form, &facts, at),
        other => return Err(unknown(other)),
    };
    let step = shared::conclude(findings, json!({ "form": form }));
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

    fn validate(_item: &str, data: &Value) -> Vec<Problem> {
        shared::delivery_faults(data)
    }

    fn start(item: &str, _event: &Event, form: &Value) -> Result<Step, Problem> {
        accept(quote(item, form)?, form)
    }

    fn advance(case: &CaseView, event: &Event) -> Result<Step, Problem> {
        let form = read(&case.form);
        let data = read(&case.data);
        let payload = read(&event.payload);
        match (event.kind.as_str(), case.state.as_str()) {
            ("correction.received", "submitted") => accept(quote(&case.item, &form)?, &form),
            ("correction.received", _) => Ok(shared::to_officer(data)),
            ("payment.settled", _) => decide(&case.item, &form, event.at),
            ("decision.approved", _) => shared::make(&case.item, data),
            ("document.issued", _) => shared::hand_over(&form, &payload, data),
            _ => Ok(shared::stay(data)),
        }
    }
}

plugin_sdk::export!(ExitEntry);

#[cfg(test)]
mod tests {
    use plugin_sdk::Actor;
    use plugin_sdk::testing::{Hall, Wish};

    use super::*;

    fn event(kind: &str, payload: &str) -> Event {
        Event {
            seq: 1,
            kind: kind.to_owned(),
            at: 1_790_000_000_000,
            actor: Actor {
                subject: "s".to_owned(),
                role: "citizen".to_owned(),
                proofing: 4,
                auth: 2,
                on_behalf_of: None,
            },
            payload: payload.to_owned(),
        }
    }

    fn case(item: &str, state: &str, form: &Value) -> CaseView {
        CaseView {
            number: "N".to_owned(),
            item: item.to_owned(),
            state: state.to_owned(),
            state_version: 1,
            data: "{}".to_owned(),
            form: form.to_string(),
            opened: 1,
        }
    }

    #[test]
    fn the_plugin_says_of_itself_what_its_manifest_says() {
        let said = ExitEntry::describe();
        assert_eq!((said.id.as_str(), said.version.as_str()), ("exit-entry", "1.0.0"));
        assert_eq!(said.version, env!("CARGO_PKG_VERSION"), "one version everywhere");
        assert_eq!(said.state_version, MANIFEST.state_version);
        let codes: Vec<&str> = said.items.iter().map(|item| item.code.as_str()).collect();
        assert_eq!(codes, MANIFEST.items);
    }

    #[test]
    fn the_line_of_a_passport_goes_from_fee_to_parcel() {
        let form = json!({"reason": "expiring", "registered_staff": "no", "delivery": "express"});
        let mut hall = Hall::of(MANIFEST);
        let start = || ExitEntry::start(PASSPORT, &event("case.submitted", "{}"), &form).unwrap();
        assert_eq!(hall.run(start).edge, "ask_fee");
        assert!(matches!(&hall.wishes()[..], [Wish::Pay { quote, .. }] if quote == "standard"));
        let next = |hall: &mut Hall, state: &str, kind: &str, payload: &str| {
            let case = case(PASSPORT, state, &form);
            hall.run(|| ExitEntry::advance(&case, &event(kind, payload))).unwrap().edge
        };
        assert_eq!(next(&mut hall, "paid", "payment.settled", "{}"), "review", "nothing verified");
        assert!(matches!(&hall.wishes()[..], [Wish::Assign { .. }, Wish::Tell { .. }]));
        assert_eq!(next(&mut hall, "approved", "decision.approved", "{}"), "make");
        assert!(
            matches!(&hall.wishes()[..], [Wish::Issue { template, .. }] if template == "passport")
        );
        assert_eq!(next(&mut hall, "making", "document.issued", r#"{"id":"d1"}"#), "dispatch");
        assert!(matches!(&hall.wishes()[..], [Wish::Ship { contents, .. }] if contents == &["d1"]));
        assert_eq!(next(&mut hall, "dispatch", "express.in_transit", "{}"), "stay");
        assert_eq!(next(&mut hall, "review", "correction.received", "{}"), "review");
        assert!(hall.wishes().is_empty());
        assert_eq!(next(&mut hall, "submitted", "correction.received", "{}"), "ask_fee");
    }

    #[test]
    fn an_unknown_item_is_a_problem_and_no_panic() {
        let form = json!({});
        assert!(ExitEntry::start("x.y", &event("case.submitted", "{}"), &form).is_err());
        assert!(ExitEntry::form("x.y", &form).is_err());
        let odd = case("x.y", "paid", &form);
        assert!(ExitEntry::advance(&odd, &event("payment.settled", "nonsense")).is_err());
    }

    #[test]
    fn every_asked_field_has_an_example_and_texts_in_both_languages() {
        for item in [PASSPORT, ENDORSEMENT] {
            let schema = ExitEntry::form(item, &json!({"name": "林晓"})).unwrap();
            let fields = schema["properties"].as_object().unwrap();
            for (name, field) in fields.iter().filter(|(name, _)| *name != "materials") {
                assert!(field["x-label"]["zh-CN"].is_string(), "{name}");
                assert!(field["x-label"]["en"].is_string(), "{name}");
                let locked = field["readOnly"] == json!(true);
                assert!(locked || field["examples"].is_array(), "{item} {name}");
            }
        }
    }
}
