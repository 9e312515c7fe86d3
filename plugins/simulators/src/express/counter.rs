//! What customers ask of the carrier, and its own pages.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Carrier;
use super::book::Parcel;
use crate::behaviour::{Act, Mode};
use crate::page::{escape, shell};

/// What a customer may be told in a way that a test has asked for.
const SPOILED: [Mode; 5] = [Mode::Slow, Mode::Down, Mode::Refuse, Mode::Garble, Mode::Lie];

fn fields(operation: &str, key: &str, order: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut fields: BTreeMap<String, String> = order
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    fields.insert("operation".to_owned(), operation.to_owned());
    fields.insert("key".to_owned(), key.to_owned());
    fields
}

/// 13 digits that nobody guesses.
fn label() -> String {
    let mut random = [0; 8];
    let filled = aws_lc_rs::rand::fill(&mut random);
    debug_assert!(filled.is_ok(), "no randomness");
    format!("1{:012}", u64::from_be_bytes(random) % 1_000_000_000_000)
}

fn told(parcel: &Parcel) -> Value {
    let events: Vec<Value> = parcel
        .lines
        .iter()
        .map(|line| json!({"id": line.id, "kind": line.kind, "at": line.at, "place": line.place}))
        .collect();
    json!({ "key": parcel.key, "label": parcel.label, "events": events })
}

/// Whether an order can be carried.
fn is_sound(order: &Value) -> bool {
    let filled = |name: &str| {
        let text = order.get("to").and_then(|to| to.get(name)).and_then(Value::as_str);
        text.is_some_and(|text| (1..=200).contains(&text.chars().count()))
    };
    let key = order.get("key").and_then(Value::as_str).unwrap_or_default();
    (1..=64).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && filled("name")
        && filled("phone")
        && filled("address")
}

/// Orders a parcel; the same key twice is one parcel.
pub(super) async fn book(
    State(carrier): State<Carrier>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = carrier.desk.now();
    let checked = match carrier.secret.check("POST", uri.path(), &headers, &body, now) {
        Ok(checked) => checked,
        Err(refused) => return *refused,
    };
    let order: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = order.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    let act = carrier.desk.act_among(&fields("book", &key, &order), &SPOILED);
    let mut operation = "book_refused";
    let (status, answer) = match act.mode {
        Mode::Down => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "down" })),
        Mode::Refuse => (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": "area_closed" })),
        _ if !is_sound(&order) => {
            (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": "malformed" }))
        }
        // It says that it has booked, and has not.
        Mode::Lie => (StatusCode::OK, json!({ "key": key, "label": label(), "events": [] })),
        _ => {
            let wanted = order.clone();
            let named = key.clone();
            let booked = carrier.book.change(&key, move |known| {
                let fresh = Parcel { key: named, label: label(), order: wanted, lines: Vec::new() };
                known.is_none().then_some(fresh)
            });
            match booked.await {
                Ok((Some(parcel), fresh)) if fresh || parcel.order == order => {
                    operation = if fresh { "book" } else { "book_again" };
                    (StatusCode::OK, told(&parcel))
                }
                Ok(_) => (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": "key_used" })),
                Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    if carrier.desk.record(operation, &key, order, act.journaled(&answer)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if operation == "book" {
        carrier.clone().go_on(key);
    }
    finish(&carrier, act, &checked, status, &answer).await
}

/// Where a parcel is.
pub(super) async fn track(
    State(carrier): State<Carrier>,
    OriginalUri(uri): OriginalUri,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = carrier.desk.now();
    let checked = match carrier.secret.check("GET", uri.path(), &headers, b"", now) {
        Ok(checked) => checked,
        Err(refused) => return *refused,
    };
    let act = carrier.desk.act_among(&fields("track", &key, &Value::Null), &SPOILED);
    let (status, answer) = match (act.mode, carrier.book.find(&key)) {
        (Mode::Down, _) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "down" })),
        (Mode::Refuse, _) => (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": "busy" })),
        (_, Some(parcel)) => (StatusCode::OK, told(&parcel)),
        (_, None) => (StatusCode::NOT_FOUND, json!({ "error": "unknown_key" })),
    };
    if carrier
        .desk
        .record("track", &key, json!({ "key": key }), act.journaled(&answer))
        .await
        .is_err()
    {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    finish(&carrier, act, &checked, status, &answer).await
}

async fn finish(
    carrier: &Carrier,
    act: Act,
    checked: &crate::signed::Checked,
    status: StatusCode,
    answer: &Value,
) -> Response {
    act.wait().await;
    if act.mode == Mode::Down {
        return status.into_response();
    }
    if act.mode == Mode::Garble {
        return (StatusCode::OK, "{\"label\": \u{0}").into_response();
    }
    carrier.secret.answer(checked, status, answer)
}

/// All parcels as JSON, for a program.
pub(super) async fn orders(State(carrier): State<Carrier>) -> Json<Value> {
    Json(carrier.book.all().iter().map(told).collect())
}

/// All parcels, for a person.
pub(super) async fn index(State(carrier): State<Carrier>) -> Html<String> {
    let rows: String = carrier
        .book
        .all()
        .iter()
        .map(|parcel| {
            let last = parcel.lines.last().map_or("booked", |line| line.kind.as_str());
            format!(
                r#"<tr data-parcel="{0}"><td><a href="/parcels/{0}">{0}</a></td><td>{1}</td></tr>"#,
                parcel.label,
                escape(last)
            )
        })
        .collect();
    let head = "<tr><th>运单 · label</th><th>状态 · state</th></tr>";
    let links = r#"<p><a href="/orders">JSON</a> · <a href="/journal">journal</a></p>"#;
    shell("模拟快递 · Express", &format!("<table>{head}{rows}</table>{links}"))
}

/// One parcel, with the next step by hand.
pub(super) async fn show(State(carrier): State<Carrier>, Path(label): Path<String>) -> Response {
    let Some(parcel) = carrier.book.by_label(&label) else {
        return (StatusCode::NOT_FOUND, shell("没有此运单 · No such parcel", "")).into_response();
    };
    let lines: String = parcel
        .lines
        .iter()
        .map(|line| format!("<li data-line=\"{}\">{}</li>", line.kind, escape(&line.place)))
        .collect();
    let next = parcel.next().map(|kind| {
        format!(
            r#"<form method="post"><button name="step" value="next">{kind}</button><button class="quiet" name="step" value="problem">problem</button></form>"#
        )
    });
    let main = format!("<p>{}</p><ol>{lines}</ol>{}", parcel.label, next.unwrap_or_default());
    shell("运单 · Parcel", &main).into_response()
}

/// A step by hand.
pub(super) async fn step(
    State(carrier): State<Carrier>,
    Path(label): Path<String>,
    body: Bytes,
) -> Response {
    let Some(parcel) = carrier.book.by_label(&label) else {
        return (StatusCode::NOT_FOUND, shell("没有此运单 · No such parcel", "")).into_response();
    };
    let problem = url::form_urlencoded::parse(&body)
        .any(|(name, value)| name == "step" && value == "problem");
    match carrier.move_on(&parcel.key, problem, parcel.lines.len()).await {
        Ok(_) => Redirect::to(&format!("/parcels/{label}")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
