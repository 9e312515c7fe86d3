//! 普通护照换发: renewal of an ordinary passport.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};

use crate::Facts;
use crate::shared::{self, Finding, finding};

/// The form: known facts locked, the old passport, why, a photograph, delivery.
pub(crate) fn form(prefill: &Value) -> Value {
    let form = shared::facts(Form::new(), prefill)
        .group("about", "换发原因", "About the renewal")
        .ask(
            "about",
            "old_number",
            texts("原护照号码", "Number of the old passport"),
            json!({
                "type": "string", "format": "document-number", "maxLength": 9,
                "pattern": "^E[0-9A-HJ-NP-Z][0-9]{7}$", "examples": ["E12345678"],
                "x-hint": texts("E 开头，共 9 位，例如 E12345678。", "Nine characters beginning with E, such as E12345678."),
            }),
        )
        .ask(
            "about",
            "reason",
            texts("换发原因", "Reason"),
            json!({
                "type": "string", "enum": ["expiring", "full", "damaged", "changed"],
                "examples": ["expiring"],
                "x-options": {
                    "expiring": texts("有效期不足", "About to expire"),
                    "full": texts("签证页用完", "Visa pages used up"),
                    "damaged": texts("损毁", "Damaged"),
                    "changed": texts("资料页变更", "Details have changed"),
                },
            }),
        );
    shared::delivery(shared::staff(form), prefill)
        .picture(
            "photo",
            texts("近期免冠证件照片", "Recent passport photograph, bareheaded"),
            texts(
                "JPEG 或 PNG，不超过 2 MB，宽不小于 180、高不小于 240 像素，白色背景。",
                "JPEG or PNG, at most 2 MB, at least 180 × 240 pixels, white background.",
            ),
        )
        .build()
}

/// Approves: registered in the province, sixteen or older, no registered staff, a plain renewal.
pub(crate) fn rule(form: &Value, facts: &Facts) -> Vec<Finding> {
    let text = |name: &str| form.get(name).and_then(Value::as_str).unwrap_or_default();
    let here = facts.region.as_deref().is_some_and(|region| region.starts_with("35"));
    vec![
        finding(
            here,
            ("户籍在本省。", "Registered in this province."),
            (
                "户籍不在本省或未能核实，由民警审查。",
                "Registration in this province is not established.",
            ),
        ),
        finding(
            facts.adult,
            ("已满十六周岁。", "Sixteen or older."),
            ("未满十六周岁或未能核实，由民警审查。", "Not established to be sixteen or older."),
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
            matches!(text("reason"), "expiring" | "full"),
            ("正常换发。", "A plain renewal."),
            ("损毁或资料变更，由民警审查。", "Damage or changed details are seen by an officer."),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(form: &Value, region: &str, adult: bool) -> &'static str {
        let facts = Facts { region: Some(region.to_owned()), adult };
        let step = shared::conclude(rule(form, &facts), json!({}));
        assert!(!step.reasons.is_empty(), "a decision has reasons");
        step.edge
    }

    #[test]
    fn a_plain_renewal_is_approved_and_everything_else_meets_a_person() {
        let plain = json!({"reason": "full", "registered_staff": "no"});
        assert_eq!(edge(&plain, "359901", true), "approve");
        assert_eq!(edge(&plain, "110105", true), "review");
        assert_eq!(edge(&plain, "359901", false), "review");
        let staff = json!({"reason": "full", "registered_staff": "yes"});
        assert_eq!(edge(&staff, "359901", true), "review");
        let damaged = json!({"reason": "damaged", "registered_staff": "no"});
        assert_eq!(edge(&damaged, "359901", true), "review");
        assert_eq!(edge(&json!({}), "359901", true), "review");
    }
}
