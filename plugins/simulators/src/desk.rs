//! What every simulator has: a journal, behaviours, and the addresses at which a test meets them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use axum::extract::{Request, State};
use axum::middleware::Next;
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

/// Runs a request to its end in a task of its own. The server drops a handler whose client hangs
/// up, and a client that is killed hangs up: a book that was changed would be left without its
/// journal line and without what should follow from it.
pub(crate) async fn to_the_end(request: Request, next: Next) -> Response {
    let answered = tokio::spawn(next.run(request)).await;
    answered.unwrap_or_else(|_| http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::middleware::from_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{Notify, mpsc};

    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_finished_though_the_asker_hangs_up() {
        let (said, mut heard) = mpsc::unbounded_channel();
        let go = Arc::new(Notify::new());
        let gate = go.clone();
        let handler = move || {
            let (said, gate) = (said.clone(), gate.clone());
            async move {
                said.send("begun").unwrap();
                gate.notified().await;
                said.send("done").unwrap();
            }
        };
        let router = Router::new().route("/", post(handler)).layer(from_fn(to_the_end));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(request).await.unwrap();
        assert_eq!(heard.recv().await, Some("begun"));
        stream.shutdown().await.unwrap();
        // Its end says that the server has given up the connection and whatever ran inside it.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        go.notify_one();
        let done = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        assert_eq!(done.unwrap(), Some("done"));
    }
}
