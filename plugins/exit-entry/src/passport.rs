//! 普通护照换发: renewal of an ordinary passport (domain.md §11.1).

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};

use crate::fault::{Entered, Faults};
use crate::rule::{self, Facts, Finding, finding};
use crate::{applicant, delivery};

/// The form: known facts locked, the old passport, why, whom to reach in an emergency, the employer
/// where one has a say, delivery, a photograph.
pub(crate) fn form(prefill: &Value) -> Value {
    let form = emergency(about(applicant::facts(Form::new(), prefill)));
    let form = delivery::ask(applicant::staff(form), prefill);
    applicant::declaration(form)
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

fn about(form: Form) -> Form {
    form.group("about", "换发原因", "About the renewal")
        .ask(
            "about",
            "old_number",
            texts("原护照号码", "Number of the old passport"),
            json!({
                "type": "string", "format": "document-number", "maxLength": 9,
                "pattern": "^E[0-9A-HJ-NP-Z][0-9]{7}$", "examples": ["E12345678"],
                "x-hint": texts(
                    "E 开头，共 9 位，例如 E12345678。",
                    "Nine characters beginning with E, such as E12345678.",
                ),
            }),
        )
        .ask(
            "about",
            "old_passport",
            texts("原护照现在", "The old passport is"),
            json!({
                "type": "string", "enum": ["in-hand", "lost"], "examples": ["in-hand"],
                "x-options": {
                    "in-hand": texts("在本人手中", "with me"),
                    "lost": texts("遗失或被盗", "lost or stolen"),
                },
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
        )
        .may(
            "about",
            "change",
            texts("变更了什么", "What has changed"),
            json!({
                "type": "string", "maxLength": 200, "examples": ["姓名变更"],
                "x-hint": texts(
                    "资料页变更时填写，例如姓名变更。",
                    "Where details have changed, such as the name.",
                ),
            }),
        )
}

fn emergency(form: Form) -> Form {
    form.group("emergency", "紧急联系人", "Emergency contact")
        .ask(
            "emergency",
            "emergency_name",
            texts("紧急联系人姓名", "Name of the emergency contact"),
            json!({ "type": "string", "minLength": 2, "maxLength": 40, "examples": ["陈海"] }),
        )
        .ask(
            "emergency",
            "emergency_phone",
            texts("紧急联系人手机号码", "Mobile phone of the emergency contact"),
            json!({
                "type": "string", "format": "phone", "maxLength": 11,
                "pattern": "^1[3-9][0-9]{9}$", "examples": ["13900000001"],
                "x-hint": texts("11 位手机号码。", "Eleven digits."),
            }),
        )
}

/// Faults beyond what the schema says.
pub(crate) fn check(form: Entered<'_>, faults: &mut Faults) {
    faults.unless(
        form.text("old_passport") != "lost",
        "old_passport",
        "lost",
        (
            "原护照遗失或被盗不能换发，请申请补发。",
            "A lost or stolen passport cannot be renewed; apply for a replacement.",
        ),
    );
    faults.unless(
        form.text("reason") != "changed" || form.text("change").chars().count() >= 2,
        "change",
        "missing",
        ("请说明资料页变更了什么。", "Please say which details have changed."),
    );
    let contact = form.text("emergency_name");
    faults.unless(
        !contact.chars().any(|c| c.is_ascii_digit()),
        "emergency_name",
        "form",
        ("姓名不含数字。", "A name holds no digits."),
    );
    faults.unless(
        contact.is_empty() || contact != form.text("name"),
        "emergency_name",
        "self",
        ("紧急联系人不能是本人。", "The emergency contact cannot be yourself."),
    );
}

/// Approves: registered in the province, sixteen or older, no registered staff, the old passport at
/// hand, a plain renewal, declared.
pub(crate) fn rule(form: Entered<'_>, facts: &Facts) -> Vec<Finding> {
    vec![
        rule::registered_here(facts),
        rule::sixteen(facts),
        rule::no_staff(form),
        finding(
            form.text("old_passport") == "in-hand",
            ("原护照未报失。", "The old passport is not reported lost."),
            (
                "原护照不在手中，由民警审查。",
                "The old passport is not at hand: an officer decides.",
            ),
        ),
        finding(
            matches!(form.text("reason"), "expiring" | "full"),
            ("正常换发。", "A plain renewal."),
            ("损毁或资料变更，由民警审查。", "Damage or changed details: an officer decides."),
        ),
        rule::declared(form),
    ]
}
