//! The face comparison, acted: no camera, two buttons, and a page that says so.
//!
//! `POST /v1/checks` with `{"reference", "name", "number", "return_url"}` opens a check and answers
//! `{"check", "page"}`; the same reference is the same check. `GET /v1/checks/{check}` answers
//! `{"result": "pending|match|mismatch|expired"}`. Both in the envelope of [`crate::signed`].
//! `GET /` shows all checks to a person, `GET /checks` to a program: `[{"check", "at", "result"}]`.
//! Behaviours see `operation` (`create`, `result`), `reference`, `check` and `number`: `refuse`
//! refuses a new check, `lie` says the contrary of what was pressed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Form, OriginalUri, Path, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Clock;
use crate::behaviour::{Act, Mode};
use crate::desk::Desk;
use crate::page::{escape, shell};
use crate::signed::{Checked, Secret};

/// How long a person may take, milliseconds.
const LIFETIME: i64 = 600_000;

/// How it is started.
#[derive(Clone)]
pub struct Settings {
    /// Directory of the journal.
    pub dir: PathBuf,
    /// Shared with the product.
    pub secret: String,
    /// Where browsers reach its page, without a trailing slash.
    pub address: String,
    /// Milliseconds UTC.
    pub clock: Clock,
}

#[derive(Clone)]
struct Face {
    desk: Desk,
    secret: Secret,
    address: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Asked {
    reference: String,
    name: String,
    number: String,
    return_url: String,
}

#[derive(Deserialize)]
struct Pressed {
    face: String,
}

/// How a check stands, read from the journal: a simulator that was restarted knows it still.
struct Check {
    asked: Asked,
    opened_at: i64,
    pressed: Option<String>,
}

/// Serves until the task is dropped.
///
/// # Errors
/// As the file system and the network say.
pub async fn serve(settings: Settings, listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, router(settings)?).await
}

/// The routes.
///
/// # Errors
/// If the journal cannot be opened.
pub fn router(settings: Settings) -> std::io::Result<Router> {
    let desk = Desk::open(&settings.dir, "face", settings.clock)?;
    let shared = desk.routes();
    let face = Face { desk, secret: Secret::new(&settings.secret), address: settings.address };
    Ok(Router::new()
        .route("/", get(index))
        .route("/checks", get(checks))
        .route("/v1/checks", post(create))
        .route("/v1/checks/{check}", get(result))
        .route("/check/{check}", get(page).post(press))
        .with_state(face)
        .merge(shared))
}

impl Face {
    fn check(&self, id: &str) -> Option<Check> {
        let mut found = None;
        for entry in self.desk.entries() {
            if entry.key != id || entry.answer.get("error").is_some() {
                continue;
            }
            match (entry.operation.as_str(), &mut found) {
                ("create", None) => {
                    let asked = serde_json::from_value(entry.request).ok()?;
                    found = Some(Check { asked, opened_at: entry.at, pressed: None });
                }
                ("press", Some(check)) => {
                    check.pressed = entry.request.as_str().map(str::to_owned);
                }
                _ => {}
            }
        }
        found
    }

    fn stands(&self, check: Option<&Check>) -> &'static str {
        match check {
            None => "expired",
            Some(check) => match check.pressed.as_deref() {
                Some("match") => "match",
                Some(_) => "mismatch",
                None if self.desk.now() - check.opened_at > LIFETIME => "expired",
                None => "pending",
            },
        }
    }

    fn act(&self, operation: &str, check: &str, asked: Option<&Asked>) -> Act {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut fields = BTreeMap::from([text("operation", operation), text("check", check)]);
        if let Some(asked) = asked {
            fields.extend([text("reference", &asked.reference), text("number", &asked.number)]);
        }
        self.desk.act(&fields)
    }

    async fn said(
        &self,
        act: Act,
        to: &Checked,
        line: (&str, &str, Value),
        status: StatusCode,
        body: Value,
    ) -> Response {
        let body = if act.mode == Mode::Down { json!({ "error": "down" }) } else { body };
        let (operation, key, request) = line;
        if self.desk.record(operation, key, request, act.journaled(&body)).await.is_err() {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        act.wait().await;
        match act.mode {
            Mode::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Mode::Garble => (StatusCode::OK, "{\"check\": ").into_response(),
            _ => self.secret.answer(to, status, &body),
        }
    }
}

async fn create(
    State(face): State<Face>,
    OriginalUri(target): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = face.desk.now();
    let checked = match face.secret.check("POST", target.path(), &headers, &body, now) {
        Ok(checked) => checked,
        Err(refused) => return *refused,
    };
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(_) => {
            let body = json!({ "error": "request" });
            return face.secret.answer(&checked, StatusCode::BAD_REQUEST, &body);
        }
    };
    // The same reference is the same check; whoever does not know the secret cannot make it.
    let id = digest(&SHA256, format!("{}\n{}", face.address, asked.reference).as_bytes());
    let id = hex::encode(id).get(..24).unwrap_or_default().to_owned();
    let act = face.act("create", &id, Some(&asked));
    let request = serde_json::to_value(&asked).unwrap_or(Value::Null);
    if act.mode == Mode::Refuse {
        let body = json!({ "error": "refused" });
        let line = ("create", id.as_str(), request);
        return face.said(act, &checked, line, StatusCode::FORBIDDEN, body).await;
    }
    let body = json!({ "check": id, "page": format!("{}/check/{id}", face.address) });
    face.said(act, &checked, ("create", &id, request), StatusCode::OK, body).await
}

async fn result(
    State(face): State<Face>,
    OriginalUri(target): OriginalUri,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = face.desk.now();
    let checked = match face.secret.check("GET", target.path(), &headers, b"", now) {
        Ok(checked) => checked,
        Err(refused) => return *refused,
    };
    let check = face.check(&id);
    let act = face.act("result", &id, check.as_ref().map(|check| &check.asked));
    let honest = face.stands(check.as_ref());
    let said = match (act.mode, honest) {
        (Mode::Lie, "match") => "mismatch",
        (Mode::Lie, _) => "match",
        _ => honest,
    };
    let body = json!({ "check": id, "result": said });
    face.said(act, &checked, ("result", &id, json!({ "check": id })), StatusCode::OK, body).await
}

/// Identifier, beginning and state of each check, oldest first.
fn listed(face: &Face) -> Vec<(String, i64, &'static str)> {
    let mut checks: Vec<(String, Check)> = Vec::new();
    let mut places = BTreeMap::new();
    for entry in face.desk.entries() {
        if entry.answer.get("error").is_some() {
            continue;
        }
        let place = places.get(&entry.key).copied();
        match (entry.operation.as_str(), place.and_then(|place: usize| checks.get_mut(place))) {
            ("create", None) => {
                let Ok(asked) = serde_json::from_value(entry.request) else { continue };
                places.insert(entry.key.clone(), checks.len());
                checks.push((entry.key, Check { asked, opened_at: entry.at, pressed: None }));
            }
            ("press", Some((_, check))) => {
                check.pressed = entry.request.as_str().map(str::to_owned);
            }
            _ => {}
        }
    }
    let line = |(id, check): (String, Check)| {
        let stands = face.stands(Some(&check));
        (id, check.opened_at, stands)
    };
    checks.into_iter().map(line).collect()
}

async fn checks(State(face): State<Face>) -> Json<Value> {
    let checks = listed(&face).into_iter();
    Json(
        checks.map(|(id, at, stands)| json!({ "check": id, "at": at, "result": stands })).collect(),
    )
}

async fn index(State(face): State<Face>) -> Html<String> {
    let row = |(id, _, stands): (String, i64, &str)| {
        format!(r#"<tr><td><a href="/check/{0}">{0}</a><td>{stands}</tr>"#, escape(&id))
    };
    let rows: String = listed(&face).into_iter().rev().take(200).map(row).collect();
    let head = "<tr><th>核验 · check<th>结果 · result</tr>";
    let links = r#"<p><a href="/checks">JSON</a> · <a href="/journal">journal</a></p>"#;
    shell("实人核验模拟器 · Face check (simulator)", &format!("<table>{head}{rows}</table>{links}"))
}

async fn page(State(face): State<Face>, Path(id): Path<String>) -> Response {
    let check = face.check(&id);
    if face.stands(check.as_ref()) == "expired" {
        let text =
            "<p role=\"alert\">没有这次核验，或已过期。No such check, or it has expired.</p>";
        return (StatusCode::NOT_FOUND, shell("实人核验 · Face check", text)).into_response();
    }
    let name = check.map(|check| escape(&check.asked.name)).unwrap_or_default();
    let form = format!(
        "<p>{name}：本页是模拟器，不使用摄像头，不采集人脸。请选择结果。<br>This page is a simulator: \
         no camera, no face is recorded. Choose the result.</p><form method=\"post\">\
         <button name=\"face\" value=\"match\">人脸一致 · The faces match</button>\
         <button name=\"face\" value=\"mismatch\" class=\"quiet\">人脸不一致 · They do not</button></form>"
    );
    shell("实人核验 · Face check", &form).into_response()
}

async fn press(
    State(face): State<Face>,
    Path(id): Path<String>,
    Form(pressed): Form<Pressed>,
) -> Response {
    let check = face.check(&id);
    let Some(check) = check.filter(|check| face.stands(Some(check)) != "expired") else {
        return (StatusCode::NOT_FOUND, "no such check").into_response();
    };
    let value = if pressed.face == "match" { "match" } else { "mismatch" };
    // The first press stands: going back and pressing the other button changes nothing.
    if check.pressed.is_none()
        && face.desk.record("press", &id, json!(value), json!({ "result": value })).await.is_err()
    {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let Ok(mut address) = url::Url::parse(&check.asked.return_url) else {
        return (StatusCode::BAD_REQUEST, "the return address is none").into_response();
    };
    address.query_pairs_mut().append_pair("check", &id);
    Redirect::to(address.as_str()).into_response()
}
