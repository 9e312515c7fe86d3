//! Plain structs and functions become forms and items, without WebAssembly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use plugin_sdk::prelude::*;
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::testing::Hall;
use plugin_sdk::{Actor, CaseView, Service};

#[derive(Form, Debug, PartialEq)]
#[material(name = "photo", zh = "照片", en = "Photograph", hint_zh = "JPEG。", hint_en = "JPEG.")]
struct Request {
    #[fact(zh = "姓名", en = "Name")]
    name: Option<String>,
    #[group(zh = "关于", en = "About")]
    #[ask(zh = "理由", en = "Reason", example = "旅行", min = 2, max = 40)]
    reason: String,
    #[ask(zh = "类别", en = "Kind")]
    kind: Kind,
    #[ask(zh = "次数", en = "Times", example = 1, min = 1, max = 9)]
    times: i64,
    #[group(zh = "其他", en = "Other")]
    #[ask(zh = "日期", en = "Date", example = "2026-01-31", format = "date")]
    #[rustfmt::skip]
    day: Option<String>,
    #[ask(
        zh = "地址",
        en = "Address",
        example = "某街 1 号",
        format = "address",
        hint_zh = "街道。",
        hint_en = "Street."
    )]
    address: Option<String>,
    #[ask(zh = "同意", en = "I agree")]
    agrees: bool,
}

#[derive(Choice, Debug, PartialEq)]
enum Kind {
    #[says(zh = "普通", en = "Ordinary")]
    Ordinary,
    #[says(zh = "加急", en = "Urgent")]
    VeryUrgent,
}

struct Permit;

#[item(item = "test.permit", zh = "许可", en = "Permit")]
impl Permit {
    fn validate(form: &Request) -> Vec<Problem> {
        if form.agrees {
            return Vec::new();
        }
        vec![problem("agrees.missing", Some("agrees"), "请同意。", "Please agree.")]
    }

    fn start(form: &Request, event: &Event) -> Answer {
        let urgent = form.kind == Kind::VeryUrgent;
        let kept = json!({ "urgent": urgent, "at": event.at });
        Ok(Step::to("review", "已收到。", "Received.").keeping(&kept))
    }

    #[on("decision.approved", "decision.refused")]
    fn decided(case: Case<Request>, event: Event) -> Answer {
        assert_eq!(case.data["urgent"], json!(true));
        Ok(Step::to("stay", &event.kind, &case.state))
    }
}

fn event(kind: &str) -> Event {
    let actor = Actor {
        subject: "s".to_owned(),
        role: "citizen".to_owned(),
        proofing: 4,
        auth: 2,
        on_behalf_of: None,
    };
    Event { seq: 1, kind: kind.to_owned(), at: 7, actor, payload: "{}".to_owned() }
}

fn answers() -> Value {
    json!({"name": "林晓", "reason": " 旅行 ", "kind": "very-urgent", "times": 2, "agrees": true})
}

fn case(form: &Value, data: &str) -> CaseView {
    CaseView {
        number: "N".to_owned(),
        item: "test.permit".to_owned(),
        state: "review".to_owned(),
        state_version: 1,
        data: data.to_owned(),
        form: form.to_string(),
        opened: 1,
    }
}

#[test]
fn a_struct_asks_what_its_fields_say() {
    let schema = Permit::form(&json!({"name": "林晓", "address": "secret"}));
    let fields = &schema["properties"];
    assert_eq!(fields["name"]["readOnly"], true);
    assert_eq!(fields["name"]["default"], "林晓");
    assert_eq!(
        schema["required"],
        json!(["reason", "kind", "times"]),
        "an option is open, a box too"
    );
    assert_eq!(fields["reason"]["minLength"], 2);
    assert_eq!(fields["times"]["maximum"], 9);
    assert_eq!(fields["times"]["examples"], json!([1]));
    assert_eq!(fields["kind"]["enum"], json!(["ordinary", "very-urgent"]));
    assert_eq!(fields["kind"]["x-options"]["very-urgent"]["en"], "Urgent");
    assert_eq!(fields["address"]["format"], "address");
    assert_eq!(fields["address"]["x-hint"]["zh-CN"], "街道。");
    assert_eq!(fields["agrees"]["type"], "boolean");
    assert_eq!(fields["kind"]["x-group"], "reason", "a group is named after its first field");
    assert_eq!(fields["agrees"]["x-group"], "day");
    assert_eq!(schema["x-groups"][1]["label"]["en"], "Other");
    assert_eq!(fields["materials"]["properties"]["photo"]["x-label"]["en"], "Photograph");
    assert!(Permit::form(&json!({}))["properties"].get("name").is_none(), "nothing is verified");
}

#[test]
fn functions_meet_the_form_and_the_case_as_structs() {
    assert_eq!(<Permit as Service>::validate(&answers()), vec![]);
    let faults = <Permit as Service>::validate(&json!({"kind": "ordinary", "times": 1}));
    assert_eq!(faults[0].code, "agrees.missing", "a box that is not ticked is not sent");
    let mut hall = Hall::open();
    let step = hall.run(|| <Permit as Service>::start(&event("case.submitted"), &answers()));
    let step = step.unwrap();
    assert_eq!(step.data, json!({"urgent": true, "at": 7}));
    let view = case(&answers(), &step.data.to_string());
    let step = <Permit as Service>::advance(&view, &event("decision.refused")).unwrap();
    assert_eq!((step.edge, step.status[0].value.as_str()), ("stay", "decision.refused"));
    assert_eq!(step.onto(&view.data).data, view.data, "what was kept stays kept");
    let other = <Permit as Service>::advance(&view, &event("case.rated")).unwrap();
    assert_eq!(other, Step::stay());
    let case = Case::<Request>::read(&view).unwrap();
    assert_eq!(case.form.reason, "旅行");
    assert_eq!(case.form.day, None);
}

#[test]
fn what_cannot_be_read_is_a_problem_of_its_field_and_no_panic() {
    for (name, value) in [
        ("kind", json!("gratis")),
        ("kind", json!(3)),
        ("kind", Value::Null),
        ("times", json!("two")),
        ("times", json!(1.5)),
        ("times", json!(u64::MAX)),
    ] {
        let mut form = answers();
        form[name] = value;
        let fault = <Permit as Service>::start(&event("case.submitted"), &form).unwrap_err();
        assert_eq!(fault.field.as_deref(), Some(name));
        assert_eq!(<Permit as Service>::validate(&form), vec![fault]);
    }
    let broken = Case::<Request>::read(&case(&answers(), "{")).unwrap_err();
    assert_eq!(broken.code, "data.unreadable");
    assert!(Case::<Request>::read(&case(&json!([]), "{}")).is_err());
}

#[test]
fn the_manual_shows_the_example_as_it_is() {
    let manual = include_str!("../../docs/plugins/first-plugin.md");
    let example = include_str!("../examples/library-card/src/lib.rs");
    let manifest = include_str!("../examples/library-card/plugin.toml");
    let blocks: Vec<&str> = manual.split("```rust\n").skip(1).collect();
    let shown = blocks.iter().filter_map(|block| block.split("```").next()).take(2);
    for block in shown {
        assert!(example.contains(block.trim()), "the example holds no such lines:\n{block}");
    }
    let block = manual.split("```toml\n").find(|block| block.starts_with("id = ")).unwrap();
    for line in block.split("```").next().unwrap().lines() {
        assert!(manifest.lines().any(|known| known == line), "{line}");
    }
}
