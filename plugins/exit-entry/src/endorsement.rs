//! 赴港澳团队旅游签注（再次）: a repeat group-tour endorsement, decided by rule at once.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};

use crate::fault::{Entered, Faults};
use crate::rule::{self, Facts, Finding, finding};
use crate::{applicant, day, delivery};

/// Days that the permit must still be valid: the endorsement's own three months.
const OUTLAST: i64 = 92;

/// The form.
pub(crate) fn form(prefill: &Value) -> Value {
    let form = permit(about(applicant::facts(Form::new(), prefill)));
    let form = delivery::ask(applicant::staff(form), prefill);
    applicant::declaration(form).build()
}

fn about(form: Form) -> Form {
    form.group("about", "签注内容", "The endorsement")
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
                // The price stands in the dated catalogue, never here.
                "x-options": { "one": texts("一次", "One"), "two": texts("二次", "Two") },
            }),
        )
}

fn permit(form: Form) -> Form {
    form.group("permit", "往来港澳通行证", "Hong Kong–Macao permit")
        .ask(
            "permit",
            "permit_number",
            texts("往来港澳通行证号码", "Number of the Hong Kong–Macao permit"),
            json!({
                "type": "string", "format": "document-number", "maxLength": 9,
                "pattern": "^C[0-9A-HJ-NP-Z][0-9]{7}$", "examples": ["C12345678"],
                "x-hint": texts("C 开头，共 9 位。", "Nine characters beginning with C."),
            }),
        )
        .ask(
            "permit",
            "permit_expiry",
            texts("通行证有效期至", "Permit valid until"),
            json!({
                "type": "string", "format": "date", "maxLength": 10, "examples": ["2031-05-20"],
                "x-hint": texts("按 2031-05-20 的样子填写。", "Such as 2031-05-20."),
            }),
        )
}

/// The price by the number of entries.
pub(crate) fn quote(form: Entered<'_>) -> &'static str {
    if form.text("entries") == "two" { "two-entries" } else { "one-entry" }
}

/// Faults beyond what the schema says. `today` is a day number of China.
pub(crate) fn check(form: Entered<'_>, today: i64, faults: &mut Faults) {
    let until = day::parse(form.text("permit_expiry"));
    faults.unless(
        until.is_some(),
        "permit_expiry",
        "date",
        ("请按 2031-05-20 的样子填写日期。", "Please enter a date such as 2031-05-20."),
    );
    faults.unless(
        until.is_none_or(|until| until >= today),
        "permit_expiry",
        "expired",
        (
            "通行证已过期，请先换发往来港澳通行证。",
            "The permit has expired; renew the permit first.",
        ),
    );
    faults.unless(
        // Issued for ten years at most to grown-ups (five to children).
        until.is_none_or(|until| until <= today + 3_660),
        "permit_expiry",
        "far",
        ("通行证有效期不超过十年，请核对日期。", "A permit is valid for ten years at most."),
    );
}

/// Approves: the permit outlasts the endorsement, no registered staff, sixteen or older, declared.
pub(crate) fn rule(form: Entered<'_>, facts: &Facts, today: i64) -> Vec<Finding> {
    let until = day::parse(form.text("permit_expiry"));
    vec![
        finding(
            until.is_some_and(|until| until >= today + OUTLAST),
            ("通行证有效期长于签注有效期。", "The permit outlasts the endorsement."),
            (
                "通行证有效期不足，由民警审查。",
                "The permit is about to expire: an officer decides.",
            ),
        ),
        rule::no_staff(form),
        rule::sixteen(facts),
        rule::declared(form),
    ]
}
