//! How the result is handed over: the question, its faults, and the steps after the decision.

use plugin_sdk::form::{Form, texts};
use plugin_sdk::serde_json::{Value, json};
use plugin_sdk::{Problem, Step, wish};

use crate::PASSPORT;
use crate::fault::{Entered, Faults};

/// Prefectures of the province, by the first four digits of their regions (GB/T 2260).
const PLACES: [(&str, &str, &str); 9] = [
    ("3501", "福州市", "Fuzhou"),
    ("3502", "厦门市", "Xiamen"),
    ("3503", "莆田市", "Putian"),
    ("3504", "三明市", "Sanming"),
    ("3505", "泉州市", "Quanzhou"),
    ("3506", "漳州市", "Zhangzhou"),
    ("3507", "南平市", "Nanping"),
    ("3508", "龙岩市", "Longyan"),
    ("3509", "宁德市", "Ningde"),
];

/// How the result is handed over.
pub(crate) fn ask(form: Form, prefill: &Value) -> Form {
    let address = prefill.get("address").and_then(Value::as_str).unwrap_or_default();
    let mut field = json!({
        "type": "string", "format": "address", "maxLength": 120, "minLength": 6,
        "examples": ["福建省福州市鼓楼区示例路 1 号"],
        "x-hint": texts(
            "选择邮寄时填写；不能寄到信箱。",
            "Needed for delivery by post; not to a post-office box.",
        ),
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
        .may("delivery", "pickup_place", texts("领取地", "Where to pick it up"), places())
}

fn places() -> Value {
    let codes: Vec<&str> = PLACES.iter().map(|(code, ..)| *code).collect();
    let options: Vec<(String, Value)> =
        PLACES.iter().map(|(code, zh, en)| ((*code).to_owned(), texts(zh, en))).collect();
    json!({
        "type": "string", "enum": codes, "examples": ["3501"],
        "x-options": Value::Object(options.into_iter().collect()),
        "x-hint": texts("选择自助机领取时填写。", "Needed for pick-up."),
    })
}

/// Faults of the answers.
pub(crate) fn check(form: Entered<'_>, faults: &mut Faults) {
    let by_post = form.text("delivery") == "express";
    let address = form.text("address");
    faults.unless(
        !by_post || !address.is_empty(),
        "address",
        "missing",
        ("选择邮寄请填写地址。", "Please give an address for delivery by post."),
    );
    faults.unless(
        !by_post || !address.contains("信箱"),
        "address",
        "box",
        ("证件不能寄到信箱，请填写街道地址。", "Documents are not sent to a post-office box."),
    );
    faults.unless(
        by_post || PLACES.iter().any(|(code, ..)| *code == form.text("pickup_place")),
        "pickup_place",
        "missing",
        ("选择自助机领取请选择领取地。", "Please choose where to pick it up."),
    );
}

/// After the decision: the document is made.
pub(crate) fn make(item: &str, data: Value) -> Result<Step, Problem> {
    let template = if item == PASSPORT { "passport" } else { "hk-macao-endorsement" };
    wish::issue(template, &json!({}), "document")?;
    Ok(Step::new("make", data, "已准予，正在制证。", "Approved; the document is being produced."))
}

/// The document is there: by post or to a kiosk.
pub(crate) fn hand_over(form: Entered<'_>, payload: &Value, data: Value) -> Result<Step, Problem> {
    if form.text("delivery") == "pickup" {
        let place = PLACES.iter().find(|(code, ..)| *code == form.text("pickup_place"));
        let (zh, en) = place.map_or(("", "your"), |(_, zh, en)| (zh, en));
        return Ok(Step::new(
            "ready",
            data,
            &format!("证件已制成，请到{zh}自助取证机领取。"),
            &format!("Ready at the pick-up kiosk of {en}."),
        ));
    }
    let document = payload.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    // The address stays with the hall: the plugin names the field that holds it.
    let to = if form.text("address").is_empty() { "applicant" } else { "address" };
    wish::ship("document", to, &[document], "parcel")?;
    Ok(Step::new("dispatch", data, "证件已制成，正在邮寄。", "Produced; on its way by express."))
}
