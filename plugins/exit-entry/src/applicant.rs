//! What both items ask about the applicant: registered state staff with their employer's consent,
//! and the declaration.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};

use crate::day;
use crate::fault::{Entered, Faults};

/// Facts that are known already.
pub(crate) fn facts(form: Form, prefill: &Value) -> Form {
    form.fact("name", prefill, "姓名", "Name")
        .fact("sex", prefill, "性别", "Sex")
        .fact("birth_date", prefill, "出生日期", "Date of birth")
        .fact("number_masked", prefill, "公民身份号码", "Identity number")
        .fact("phone_masked", prefill, "手机号码", "Mobile phone")
}

/// Whether the applicant is registered state staff, and their employer's consent.
pub(crate) fn staff(form: Form) -> Form {
    let only = texts("登记备案的国家工作人员填写。", "For registered state staff only.");
    form.group("employer", "单位意见", "Employer")
        .ask(
            "employer",
            "registered_staff",
            texts("是否登记备案的国家工作人员", "Are you registered state staff?"),
            json!({
                "type": "string", "enum": ["no", "yes"], "examples": ["no"],
                "x-options": { "no": texts("否", "No"), "yes": texts("是", "Yes") },
                "x-hint": texts(
                    "由所在单位向公安机关登记备案的人员。",
                    "Staff whose employer has registered them with public security.",
                ),
            }),
        )
        .may(
            "employer",
            "employer_name",
            texts("出具意见的单位", "Employer that gave its consent"),
            json!({ "type": "string", "maxLength": 60, "examples": ["福州市某某局"], "x-hint": only }),
        )
        .may(
            "employer",
            "employer_consent_number",
            texts("同意意见文号", "Number of the letter of consent"),
            json!({ "type": "string", "maxLength": 40, "examples": ["榕某〔2026〕1号"], "x-hint": only }),
        )
        .may(
            "employer",
            "employer_consent_date",
            texts("同意意见日期", "Date of the letter of consent"),
            json!({ "type": "string", "format": "date", "maxLength": 10, "examples": ["2026-01-15"],
                "x-hint": only }),
        )
}

/// The declaration.
pub(crate) fn declaration(form: Form) -> Form {
    form.group("declaration", "声明", "Declaration").ask(
        "declaration",
        "declaration",
        texts(
            "本人声明：没有《护照法》第十三条、《出境入境管理法》第十二条规定的情形，所填内容属实。",
            "I declare that no ground of Passport Law art. 13 or Exit and Entry Law art. 12 \
             applies to me, and that what I have entered is true.",
        ),
        json!({
            "type": "string", "enum": ["yes"], "examples": ["yes"],
            "x-options": { "yes": texts("本人声明", "I declare this") },
        }),
    )
}

/// Faults in what this file asks. `today` is a day number of China.
pub(crate) fn check(form: Entered<'_>, today: i64, faults: &mut Faults) {
    faults.unless(
        form.text("declaration") == "yes",
        "declaration",
        "missing",
        (
            "请确认声明；如有不准出境的情形，请到出入境窗口咨询。",
            "Please confirm the declaration; if a ground applies, ask at an exit-entry counter.",
        ),
    );
    if form.text("registered_staff") != "yes" {
        return;
    }
    faults.unless(
        form.text("employer_name").chars().count() >= 4,
        "employer_name",
        "missing",
        ("请填写出具意见的单位全称。", "Please give the full name of the employer."),
    );
    faults.unless(
        !form.text("employer_consent_number").is_empty(),
        "employer_consent_number",
        "missing",
        ("请填写单位同意意见的文号。", "Please give the number of the letter of consent."),
    );
    let dated = day::parse(form.text("employer_consent_date"));
    faults.unless(
        dated.is_some(),
        "employer_consent_date",
        "missing",
        ("请填写单位同意意见的日期。", "Please give the date of the letter of consent."),
    );
    faults.unless(
        dated.is_none_or(|day| day <= today),
        "employer_consent_date",
        "future",
        (
            "单位同意意见的日期不能晚于今天。",
            "The letter of consent cannot be dated in the future.",
        ),
    );
}
