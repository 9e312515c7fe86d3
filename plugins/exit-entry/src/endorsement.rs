//! 赴港澳团队旅游签注（再次）: a repeat group-tour endorsement, decided by rule at once.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};

use crate::shared::{self, Finding, finding};
use crate::{Facts, day};

/// Days that the permit must still be valid: the endorsement's own three months.
const OUTLAST: i64 = 92;

/// The form.
pub(crate) fn form(prefill: &Value) -> Value {
    let form = shared::facts(Form::new(), prefill)
        .group("about", "签注内容", "The endorsement")
        .ask(
            "about",
            "destination",
            texts("前往地", "Destination"),
            json!({
                "type": "string", "enum": ["hong-kong", "macao"], "examples": ["hong-kong"],
                "x-options": {
                    "hong-kong": texts("香港", "Hong Kong"), "macao": texts("澳门", "Macao"),
                },
            }),
        )
        .ask(
            "about",
            "entries",
            texts("次数", "Entries"),
            json!({
                "type": "string", "enum": ["one", "two"], "examples": ["one"],
                "x-options": {
                    "one": texts("一次（15 元）", "One (CNY 15)"),
                    "two": texts("二次（30 元）", "Two (CNY 30)"),
                },
            }),
        )
        .ask(
            "about",
            "permit_number",
            texts("往来港澳通行证号码", "Number of the Hong Kong–Macao permit"),
            json!({
                "type": "string", "format": "document-number", "maxLength": 9,
                "pattern": "^C[0-9A-HJ-NP-Z][0-9]{7}$", "examples": ["C12345678"],
                "x-hint": texts("C 开头，共 9 位。", "Nine characters beginning with C."),
            }),
        )
        .ask(
            "about",
            "permit_expiry",
            texts("通行证有效期至", "Permit valid until"),
            json!({
                "type": "string", "format": "date", "maxLength": 10, "examples": ["2031-05-20"],
                "x-hint": texts("按 2031-05-20 的样子填写。", "Such as 2031-05-20."),
            }),
        );
    shared::delivery(shared::staff(form), prefill).build()
}

/// The price by the number of entries.
pub(crate) fn quote(form: &Value) -> &'static str {
    match form.get("entries").and_then(Value::as_str) {
        Some("two") => "two-entries",
        _ => "one-entry",
    }
}

/// Approves: the permit outlasts the endorsement, no registered staff, sixteen or older.
pub(crate) fn rule(form: &Value, facts: &Facts, at: u64) -> Vec<Finding> {
    let text = |name: &str| form.get(name).and_then(Value::as_str).unwrap_or_default();
    let outlasts =
        day::parse(text("permit_expiry")).is_some_and(|until| until >= day::of(at) + OUTLAST);
    vec![
        finding(
            outlasts,
            ("通行证有效期长于签注有效期。", "The permit outlasts the endorsement."),
            (
                "通行证有效期不足，由民警审查。",
                "The permit is about to expire; an officer decides.",
            ),
        ),
        finding(
            text("registered_staff") == "no",
            ("不属于登记备案的国家工作人员。", "No registered state staff."),
            (
                "登记备案的国家工作人员，由民警审查。",
                "Registered state staff are decided by an officer.",
            ),
        ),
        finding(
            facts.adult,
            ("已满十六周岁。", "Sixteen or older."),
            ("未满十六周岁或未能核实，由民警审查。", "Not established to be sixteen or older."),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permit_must_outlast_the_endorsement() {
        let facts = Facts { region: None, adult: true };
        // 2026-09-21 in China.
        let at = 1_790_000_000_000;
        let edge = |until: &str| {
            let form = json!({"permit_expiry": until, "registered_staff": "no"});
            shared::conclude(rule(&form, &facts, at), json!({})).edge
        };
        assert_eq!(edge("2031-05-20"), "approve");
        assert_eq!(edge("2026-11-01"), "review");
        assert_eq!(edge("soon"), "review");
    }

    #[test]
    fn the_price_follows_the_entries() {
        assert_eq!(quote(&json!({"entries": "two"})), "two-entries");
        assert_eq!(quote(&json!({"entries": "one"})), "one-entry");
    }
}
