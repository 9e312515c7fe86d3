//! The rules and the line of both items, without WebAssembly.

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
    assert!(matches!(&hall.wishes()[..], [Wish::Issue { template, .. }] if template == "passport"));
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

/// 2026-09-21 in China.
const AT: u64 = 1_790_000_000_000;

/// The form filled in with the first example of every question, as a program does that knows the
/// published schema only.
fn examples(item: &str) -> Value {
    let schema = ExitEntry::form(item, &json!({"name": "林晓"})).unwrap();
    let mut form = json!({});
    for (name, field) in schema["properties"].as_object().unwrap() {
        let value = field.get("examples").map_or(&field["default"], |all| &all[0]);
        if !value.is_null() {
            form[name] = value.clone();
        }
    }
    form
}

fn with(item: &str, changes: &Value) -> Value {
    let mut form = examples(item);
    for (name, value) in changes.as_object().unwrap() {
        form[name] = value.clone();
    }
    form
}

fn validated(item: &str, form: &Value) -> Vec<Problem> {
    Hall::of(MANIFEST).at(AT).run(|| ExitEntry::validate(item, form))
}

#[test]
fn the_published_examples_are_accepted() {
    for item in [PASSPORT, ENDORSEMENT] {
        assert_eq!(validated(item, &examples(item)), vec![], "{item}");
    }
}

#[test]
fn each_fault_is_one_sentence_at_its_field() {
    let staff = json!({
        "registered_staff": "yes", "employer_name": "福州市某某局",
        "employer_consent_number": "榕某〔2026〕1号", "employer_consent_date": "2026-09-01",
    });
    let table = [
        (PASSPORT, json!({"old_passport": "lost"}), "old_passport.lost"),
        (PASSPORT, json!({"reason": "changed", "change": ""}), "change.missing"),
        (PASSPORT, json!({"emergency_name": "13900000001"}), "emergency_name.form"),
        (PASSPORT, json!({"emergency_name": "林晓"}), "emergency_name.self"),
        (PASSPORT, json!({"declaration": ""}), "declaration.missing"),
        (PASSPORT, json!({"address": ""}), "address.missing"),
        (PASSPORT, json!({"address": "福州市 12 号信箱"}), "address.box"),
        (PASSPORT, json!({"delivery": "pickup", "pickup_place": ""}), "pickup_place.missing"),
        (PASSPORT, json!({"delivery": "pickup", "pickup_place": "1101"}), "pickup_place.missing"),
        (ENDORSEMENT, json!({"permit_expiry": "2026-02-31"}), "permit_expiry.date"),
        (ENDORSEMENT, json!({"permit_expiry": "2026-09-20"}), "permit_expiry.expired"),
        (ENDORSEMENT, json!({"permit_expiry": "2056-09-20"}), "permit_expiry.far"),
        (ENDORSEMENT, json!({"declaration": "no"}), "declaration.missing"),
        (ENDORSEMENT, json!({"address": "信箱 1 号厦门"}), "address.box"),
    ];
    for (item, changes, code) in table {
        let found = validated(item, &with(item, &changes));
        let [fault] = &found[..] else { panic!("{changes}: {found:?}") };
        assert_eq!(fault.code, code);
        assert_eq!(fault.field.as_deref(), code.split('.').next());
        let langs: Vec<&str> = fault.detail.iter().map(|text| text.lang.as_str()).collect();
        assert_eq!(langs, ["zh-CN", "en"]);
        assert!(fault.detail.iter().all(|text| text.value.ends_with(['。', '.'])), "{fault:?}");
    }
    // The employer has a say for registered staff only, and then says all of it.
    for item in [PASSPORT, ENDORSEMENT] {
        assert_eq!(validated(item, &with(item, &staff)), vec![]);
        let codes = |form: &Value| -> Vec<String> {
            validated(item, form).into_iter().map(|fault| fault.code).collect()
        };
        let empty = json!({
            "registered_staff": "yes", "employer_name": "", "employer_consent_number": "",
            "employer_consent_date": "",
        });
        let missing = ["name", "consent_number", "consent_date"];
        let missing = missing.map(|name| format!("employer_{name}.missing"));
        assert_eq!(codes(&with(item, &empty)), missing);
        let mut future = with(item, &staff);
        future["employer_consent_date"] = json!("2026-09-22");
        assert_eq!(codes(&future), ["employer_consent_date.future"]);
        future["employer_consent_date"] = json!("2026-09-21");
        assert!(codes(&future).is_empty(), "today is no future");
    }
}

#[test]
fn rules_approve_with_reasons_or_leave_it_to_a_person_with_the_reasons_why() {
    let nothing = json!({});
    let here: &'static [(&str, &str)] = &[("region", "350102"), ("age_over_16", "true")];
    type Facts = &'static [(&'static str, &'static str)];
    let table: [(&str, Value, Facts, &str, usize); 20] = [
        (PASSPORT, nothing.clone(), here, "approve", 6),
        (PASSPORT, json!({"reason": "full"}), here, "approve", 6),
        (PASSPORT, json!({"reason": "damaged"}), here, "review", 1),
        (PASSPORT, json!({"reason": "changed", "change": "姓名"}), here, "review", 1),
        (PASSPORT, json!({"registered_staff": "yes"}), here, "review", 1),
        (PASSPORT, json!({"old_passport": "lost"}), here, "review", 1),
        (PASSPORT, json!({"declaration": ""}), here, "review", 1),
        (PASSPORT, json!({"reason": "damaged", "registered_staff": "yes"}), here, "review", 2),
        (PASSPORT, nothing.clone(), &[("region", "110105"), ("age_over_16", "true")], "review", 1),
        (PASSPORT, nothing.clone(), &[("region", "350102"), ("age_over_16", "false")], "review", 1),
        (PASSPORT, nothing.clone(), &[("age_over_16", "true")], "review", 1),
        (PASSPORT, nothing.clone(), &[], "review", 2),
        (ENDORSEMENT, nothing.clone(), here, "approve", 4),
        (ENDORSEMENT, nothing.clone(), &[("age_over_16", "true")], "approve", 4),
        (ENDORSEMENT, json!({"permit_expiry": "2026-12-22"}), here, "approve", 4),
        (ENDORSEMENT, json!({"permit_expiry": "2026-12-21"}), here, "review", 1),
        (ENDORSEMENT, json!({"permit_expiry": "soon"}), here, "review", 1),
        (ENDORSEMENT, json!({"registered_staff": "yes"}), here, "review", 1),
        (ENDORSEMENT, nothing.clone(), &[("age_over_16", "false")], "review", 1),
        (ENDORSEMENT, nothing, &[], "review", 1),
    ];
    for (item, changes, facts, edge, reasons) in table {
        let case = case(item, "paid", &with(item, &changes));
        let mut hall = Hall::of(MANIFEST).at(AT);
        for (name, value) in facts {
            hall = hall.with_fact(name, value);
        }
        let step = hall.run(|| ExitEntry::advance(&case, &event("payment.settled", "{}"))).unwrap();
        assert_eq!((step.edge, step.reasons.len()), (edge, reasons), "{item} {changes} {facts:?}");
        assert!(step.reasons.iter().flatten().all(|text| !text.value.is_empty()));
        let wished = hall.wishes();
        assert_eq!(wished.is_empty(), edge == "approve", "a review goes to a queue, with a word");
    }
}

#[test]
fn no_event_in_any_state_lets_a_rule_refuse() {
    let kinds = [
        "case.submitted",
        "correction.received",
        "payment.settled",
        "payment.failed",
        "decision.approved",
        "decision.refused",
        "document.issued",
        "express.delivered",
        "pickup.ready",
        "refund.settled",
        "something.new",
    ];
    for item in [PASSPORT, ENDORSEMENT] {
        for kind in kinds {
            for state in ["submitted", "paid", "review", "approved", "making", "refused"] {
                let case = case(item, state, &examples(item));
                let mut hall = Hall::of(MANIFEST);
                let step = hall.run(|| ExitEntry::advance(&case, &event(kind, "{}"))).unwrap();
                assert!(!["refuse", "reject"].contains(&step.edge), "{kind} in {state}");
            }
        }
    }
}

#[test]
fn the_price_follows_the_entries_and_is_never_an_amount() {
    for (entries, wanted) in [("one", "one-entry"), ("two", "two-entries")] {
        let form = with(ENDORSEMENT, &json!({ "entries": entries }));
        let mut hall = Hall::of(MANIFEST);
        let event = event("case.submitted", "{}");
        let step = hall.run(|| ExitEntry::start(ENDORSEMENT, &event, &form)).unwrap();
        assert_eq!(step.edge, "ask_fee");
        assert!(matches!(&hall.wishes()[..], [Wish::Pay { quote, .. }] if quote == wanted));
    }
}

#[test]
fn what_is_made_goes_to_the_address_by_reference_or_to_the_chosen_place() {
    let payload = r#"{"id":"d1"}"#;
    for (changes, edge, to) in [
        // The hall hides an address that is not granted: the plugin passes the field's name on.
        (json!({"address": "ref:address"}), "dispatch", Some("address")),
        (json!({"address": ""}), "dispatch", Some("applicant")),
        (json!({"delivery": "pickup", "pickup_place": "3502"}), "ready", None),
    ] {
        let case = case(PASSPORT, "making", &with(PASSPORT, &changes));
        let mut hall = Hall::of(MANIFEST);
        let step = hall.run(|| ExitEntry::advance(&case, &event("document.issued", payload)));
        let step = step.unwrap();
        assert_eq!(step.edge, edge);
        match (&hall.wishes()[..], to) {
            ([Wish::Ship { to: found, contents, .. }], Some(to)) => {
                assert_eq!((found.as_str(), contents), (to, &vec!["d1".to_owned()]));
            }
            ([], None) => assert!(step.status[0].value.contains("厦门市")),
            (wished, _) => panic!("{wished:?}"),
        }
    }
}
