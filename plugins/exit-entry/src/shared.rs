//! What both items have in common: delivery, the conclusion of a rule, the steps after it.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::{Problem, Step, problem, wish};

use crate::PASSPORT;

/// One thing that a rule looked at.
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

/// Approves if everything holds, else leaves the decision to a person; says why in both cases
/// (PIPL art. 24: explain; a rule never refuses).
pub(crate) fn conclude(findings: Vec<Finding>, data: Value) -> Step {
    let approved = findings.iter().all(|finding| finding.holds);
    let step = if approved {
        Step::new("approve", data, "符合条件，准予。", "Meets the conditions: approved.")
    } else {
        to_officer(data)
    };
    findings
        .into_iter()
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

/// Facts that are known and how the result is handed over.
pub(crate) fn facts(form: Form, prefill: &Value) -> Form {
    form.fact("name", prefill, "姓名", "Name")
        .fact("sex", prefill, "性别", "Sex")
        .fact("birth_date", prefill, "出生日期", "Date of birth")
        .fact("number_masked", prefill, "公民身份号码", "Identity number")
        .fact("phone_masked", prefill, "手机号码", "Mobile phone")
}

/// Whether the applicant is registered state staff: those are never decided by rule.
pub(crate) fn staff(form: Form) -> Form {
    form.ask(
        "about",
        "registered_staff",
        texts("是否登记备案的国家工作人员", "Are you registered state staff?"),
        json!({
            "type": "string", "enum": ["no", "yes"], "examples": ["no"],
            "x-options": { "no": texts("否", "No"), "yes": texts("是", "Yes") },
            "x-hint": texts("由所在单位向公安机关登记备案的人员。", "Staff whose employer has registered them with public security."),
        }),
    )
}

/// How the result is handed over.
pub(crate) fn delivery(form: Form, prefill: &Value) -> Form {
    let address = prefill.get("address").and_then(Value::as_str).unwrap_or_default();
    let mut field = json!({
        "type": "string", "format": "address", "maxLength": 120, "minLength": 6,
        "examples": ["福建省福州市鼓楼区示例路 1 号"],
        "x-hint": texts("选择邮寄时填写；不能寄往省外信箱。", "Needed for delivery by post."),
    });
    if let (false, Some(map)) = (address.is_empty(), field.as_object_mut()) {
        map.insert("default".to_owned(), json!(address));
    }
    form.group("delivery", "结果送达", "Delivery")
        .ask(
            "delivery",
            "delivery",
            texts("送达方式", "How to receive it"),
            json!({
                "type": "string", "enum": ["express", "pickup"], "examples": ["express"],
                "default": "express",
                "x-options": {
                    "express": texts("邮寄到家", "By express to my address"),
                    "pickup": texts("自助机领取", "From a pick-up kiosk"),
                },
            }),
        )
        .may("delivery", "address", texts("邮寄地址", "Postal address"), field)
}

/// By post without an address leads nowhere.
pub(crate) fn delivery_faults(data: &Value) -> Vec<Problem> {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("delivery") == "express" && text("address").is_empty() {
        let (zh, en) = ("选择邮寄请填写地址。", "Please give an address for delivery by post.");
        return vec![problem("delivery.address", Some("address"), zh, en)];
    }
    Vec::new()
}

/// After the decision: the document is made.
pub(crate) fn make(item: &str, data: Value) -> Result<Step, Problem> {
    let template = if item == PASSPORT { "passport" } else { "hk-macao-endorsement" };
    wish::issue(template, &json!({}), "document")?;
    Ok(Step::new("make", data, "已准予，正在制证。", "Approved; the document is being produced."))
}

/// The document is there: by post or to a kiosk.
pub(crate) fn hand_over(form: &Value, payload: &Value, data: Value) -> Result<Step, Problem> {
    let by_post = form.get("delivery").and_then(Value::as_str) != Some("pickup");
    if !by_post {
        let (zh, en) = ("证件已制成，请到自助机领取。", "Ready at the pick-up kiosk.");
        return Ok(Step::new("ready", data, zh, en));
    }
    let document = payload.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let to = if form.get("address").is_some() { "address" } else { "applicant" };
    wish::ship("document", to, &[document], "parcel")?;
    Ok(Step::new("dispatch", data, "证件已制成，正在邮寄。", "Produced; on its way by express."))
}
