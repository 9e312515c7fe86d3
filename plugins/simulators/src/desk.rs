//! What every simulator has: a journal, behaviours, and the addresses at which a test meets them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::Clock;
use crate::behaviour::{Act, Behaviours, Mode, Rule};
use crate::journal::{Entry, Journal};

/// Journal, behaviours and clock of one simulator. Clones share them.
#[derive(Clone)]
pub struct Desk {
    journal: Journal,
    behaviours: Behaviours,
    clock: Clock,
}

impl Desk {
    /// Opens `DIR/NAME.journal.jsonl`, making the directory.
    ///
    /// # Errors
    /// As the file system says.
    pub fn open(dir: &Path, name: &str, clock: Clock) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let journal = Journal::open(&dir.join(format!("{name}.journal.jsonl")))?;
        Ok(Self { journal, behaviours: Behaviours::default(), clock })
    }

    /// Milliseconds UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// What to do with a request of these fields.
    #[must_use]
    pub fn act(&self, fields: &BTreeMap<String, String>) -> Act {
        self.behaviours.act(fields)
    }

    /// The same for something that only these modes can spoil; the others are not counted.
    #[must_use]
    pub fn act_among(&self, fields: &BTreeMap<String, String>, modes: &[Mode]) -> Act {
        self.behaviours.act_among(fields, modes)
    }

    /// Whether it is down until told otherwise, so that it sends nothing by itself either.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let down =
            |rule: &Rule| rule.mode == Mode::Down && rule.count.is_none() && rule.fields.is_empty();
        self.behaviours.rules().iter().any(down)
    }

    /// Writes what was asked and what will be answered; durable when this returns.
    ///
    /// # Errors
    /// As the file system says.
    pub async fn record(
        &self,
        operation: &str,
        key: &str,
        request: Value,
        answer: Value,
    ) -> io::Result<()> {
        let (operation, key) = (operation.to_owned(), key.to_owned());
        self.journal.append(Entry { at: self.now(), operation, key, request, answer }).await
    }

    /// The lines so far, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.journal.entries()
    }

    /// `GET /journal`, `GET` and `POST /behaviour`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/journal", get(journal))
            .route("/behaviour", post(behave).get(behaviour))
            .with_state(self.clone())
    }
}

async fn journal(State(desk): State<Desk>) -> Json<Vec<Entry>> {
    Json(desk.entries())
}

async fn behaviour(State(desk): State<Desk>) -> Json<Vec<Rule>> {
    Json(desk.behaviours.rules())
}

async fn behave(State(desk): State<Desk>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(rule) => {
            desk.behaviours.set(rule);
            Json(json!({ "behaviours": desk.behaviours.rules() })).into_response()
        }
        Err(cause) => {
            let body = json!({ "error": format!("This is no behaviour: {cause}."),
                "hint": "send {\"mode\": \"ok|slow|down|refuse|duplicate|late|garble|lie\", \"delay_ms\": N, \"count\": N, \"match\": {}}" });
            (http::StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}
