//! The population register, acted over the synthetic people: it compares and never gives a record
//! away.
//!
//! `POST /v1/match` with `{"name", "number", "evidence": [{"kind", "value"}]}` answers
//! `{"result": "match|no_match|not_found|deceased", "address"}`, in the envelope of
//! [`crate::signed`]. `POST /status` with `{"number", "status": "alive|deceased|unknown"}` lets a
//! test end a life or forget a number, also beyond a restart. Behaviours see the fields `operation`, `name`, `number`:
//! `refuse` answers `no_match`, `lie` answers the contrary.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{OriginalUri, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Clock;
use crate::behaviour::Mode;
use crate::desk::Desk;
use crate::page::{escape, shell};
use crate::people::{self, Person};
use crate::signed::Secret;

/// How it is started.
#[derive(Clone)]
pub struct Settings {
    /// Directory of the journal.
    pub dir: PathBuf,
    /// Shared with the product.
    pub secret: String,
    /// Milliseconds UTC.
    pub clock: Clock,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Evidence {
    kind: String,
    value: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Question {
    name: String,
    number: String,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Alive,
    Deceased,
    Unknown,
}

#[derive(Deserialize, Serialize)]
struct Told {
    number: String,
    status: Status,
}

#[derive(Clone)]
struct Register {
    desk: Desk,
    secret: Secret,
    told: Arc<Mutex<HashMap<String, Status>>>,
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
    let desk = Desk::open(&settings.dir, "register", settings.clock)?;
    let shared = desk.routes();
    // Read from the journal: a simulator that was restarted knows it still.
    let told = desk.entries().into_iter().filter(|entry| entry.operation == "status");
    let told = told.filter_map(|entry| serde_json::from_value::<Told>(entry.request).ok());
    let told = told.map(|told| (told.number, told.status)).collect::<HashMap<_, _>>();
    let told = Arc::new(Mutex::new(told));
    let register = Register { desk, secret: Secret::new(&settings.secret), told };
    Ok(Router::new()
        .route("/", get(page))
        .route("/people", get(|| async { Json(people::all()) }))
        .route("/status", post(tell))
        .route("/v1/match", post(answer))
        .with_state(register)
        .merge(shared))
}

async fn tell(State(register): State<Register>, Json(told): Json<Told>) -> StatusCode {
    let request = serde_json::to_value(&told).unwrap_or(Value::Null);
    if register.desk.record("status", &told.number, request, Value::Null).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let mut known = register.told.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(told.number, told.status);
    StatusCode::NO_CONTENT
}

impl Register {
    fn compare(&self, question: &Question) -> (&'static str, Option<&'static Person>) {
        let known = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = known.get(&question.number).copied();
        let found = people::by_number(&question.number).filter(|_| told != Some(Status::Unknown));
        let Some(person) = found else { return ("not_found", None) };
        let fits = |evidence: &Evidence| match evidence.kind.as_str() {
            "social_security_card" => evidence.value == person.social_security_card,
            "driving_licence_file" => Some(&evidence.value) == person.driving_licence_file.as_ref(),
            _ => false,
        };
        // The living and the dead alike answer only to those who know them.
        if question.name != person.name || !question.evidence.iter().all(fits) {
            return ("no_match", None);
        }
        match told {
            Some(Status::Deceased) => ("deceased", None),
            None if person.deceased => ("deceased", None),
            _ => ("match", Some(person)),
        }
    }
}

async fn answer(
    State(register): State<Register>,
    OriginalUri(target): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (desk, secret) = (&register.desk, &register.secret);
    let checked = match secret.check("POST", target.path(), &headers, &body, desk.now()) {
        Ok(checked) => checked,
        Err(refused) => return *refused,
    };
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return secret.answer(&checked, StatusCode::BAD_REQUEST, &json!({ "error": "request" }));
    };
    let fields = BTreeMap::from([
        ("operation".to_owned(), "match".to_owned()),
        ("name".to_owned(), question.name.clone()),
        ("number".to_owned(), question.number.clone()),
    ]);
    let act = desk.act(&fields);
    let (result, person) = match (act.mode, register.compare(&question)) {
        (Mode::Refuse, _) | (Mode::Lie, ("match", _)) => ("no_match", None),
        (Mode::Lie, _) => ("match", None),
        (_, honest) => honest,
    };
    let said = match act.mode {
        Mode::Down => json!({ "error": "down" }),
        _ => json!({ "result": result, "address": person.map(|person| &person.address) }),
    };
    let request = serde_json::to_value(&question).unwrap_or(Value::Null);
    if desk.record("match", &question.number, request, act.journaled(&said)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    act.wait().await;
    match act.mode {
        Mode::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mode::Garble => (StatusCode::OK, "{\"result\": \"mat").into_response(),
        _ => secret.answer(&checked, StatusCode::OK, &said),
    }
}

async fn page() -> Html<String> {
    let mut rows = String::new();
    for person in people::all() {
        let cells = [
            &person.name,
            &person.number,
            &person.phone,
            &person.social_security_card,
            person.driving_licence_file.as_deref().unwrap_or("—"),
            person.special,
        ]
        .map(|text| format!("<td>{}</td>", escape(text)));
        rows.push_str(&format!("<tr>{}</tr>", cells.concat()));
    }
    shell(
        "人口库模拟器 · Population register (simulator)",
        &format!(
            "<p>这些人都是虚构的。Nobody here exists.</p><table><tr><th>姓名<th>号码<th>手机\
             <th>社会保障卡<th>驾驶证档案编号<th></tr>{rows}</table>"
        ),
    )
}
