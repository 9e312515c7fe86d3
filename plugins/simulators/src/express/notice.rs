//! The parcel's way: steps in their time, each pushed until the customer takes it.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::Carrier;
use super::book::{Line, Parcel};
use crate::behaviour::Mode;

/// Waits between tries of a push, seconds; afterwards the customer has to ask.
const WAITS: [u64; 6] = [0, 1, 2, 4, 8, 16];

impl Carrier {
    /// Carries a parcel on, and tells what has not been told.
    pub(super) fn go_on(self, key: String) {
        tokio::spawn(async move {
            if let Err(cause) = self.way(&key).await {
                tracing::error!(%cause, "the carrier cannot write its books");
            }
        });
    }

    async fn way(&self, key: &str) -> io::Result<()> {
        while let Some(parcel) = self.book.find(key) {
            if parcel.lines.iter().any(|line| !line.told) {
                self.tell(&parcel).await?;
            }
            if parcel.is_over() || self.pace.is_zero() {
                break;
            }
            tokio::time::sleep(self.pace).await;
            self.step(key, false, parcel.lines.len()).await?;
        }
        Ok(())
    }

    /// A step by hand, told at once.
    pub(super) async fn move_on(
        &self,
        key: &str,
        problem: bool,
        seen: usize,
    ) -> io::Result<Option<Parcel>> {
        let moved = self.step(key, problem, seen).await?;
        if let Some(parcel) = moved.clone() {
            let carrier = self.clone();
            tokio::spawn(async move {
                if let Err(cause) = carrier.tell(&parcel).await {
                    tracing::error!(%cause, "the carrier cannot write its books");
                }
            });
        }
        Ok(moved)
    }

    /// One step of a parcel that has `seen` lines; of two at once, one happens.
    async fn step(&self, key: &str, problem: bool, seen: usize) -> io::Result<Option<Parcel>> {
        let now = self.desk.now();
        let change = move |parcel: Option<Parcel>| {
            let mut parcel = parcel.filter(|parcel| parcel.lines.len() == seen)?;
            let kind = parcel.next()?;
            parcel.add(if problem { "problem" } else { kind }, now);
            Some(parcel)
        };
        let (parcel, changed) = self.book.change(key, change).await?;
        Ok(parcel.filter(|_| changed))
    }

    /// Pushes the lines that were not taken yet, until they are.
    async fn tell(&self, parcel: &Parcel) -> io::Result<()> {
        let Some(address) = &self.notify else { return Ok(()) };
        let fields = [("operation", "push"), ("key", &parcel.key), ("label", &parcel.label)];
        let fields =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let act = self.desk.act_among(&fields, &[Mode::Late, Mode::Duplicate]);
        if act.mode == Mode::Late {
            tokio::time::sleep(act.delay).await;
        }
        let lines: Vec<&Line> = parcel.lines.iter().filter(|line| !line.told).collect();
        let events: Vec<Value> = lines
            .iter()
            .map(|line| {
                json!({"id": line.id, "kind": line.kind, "at": line.at, "place": line.place})
            })
            .collect();
        let push = json!({ "key": parcel.key, "label": parcel.label, "events": events });
        for wait in WAITS {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            if self.desk.is_down() || !self.push(address, &push).await? {
                continue;
            }
            if act.mode == Mode::Duplicate {
                self.push(address, &push).await?;
            }
            let told: Vec<String> = lines.iter().map(|line| line.id.clone()).collect();
            let mark = move |parcel: Option<Parcel>| {
                let mut parcel = parcel?;
                for line in parcel.lines.iter_mut().filter(|line| told.contains(&line.id)) {
                    line.told = true;
                }
                Some(parcel)
            };
            return self.book.change(&parcel.key, mark).await.map(drop);
        }
        Ok(())
    }

    /// One try; true if it was taken.
    async fn push(&self, address: &str, push: &Value) -> io::Result<bool> {
        let body = push.to_string();
        let target = url::Url::parse(address).map_err(io::Error::other)?.path().to_owned();
        let timestamp = self.desk.now();
        let signature = self.secret.sign("POST", &target, timestamp, body.as_bytes());
        let request = self.http.post(address).header("content-type", "application/json");
        let request = request.header("x-timestamp", timestamp).header("x-signature", signature);
        let status = request.body(body).send().await.map(|answer| answer.status().as_u16()).ok();
        let key = push.get("key").and_then(Value::as_str).unwrap_or_default();
        self.desk.record("push", key, push.clone(), json!({ "status": status })).await?;
        Ok(status == Some(200))
    }
}
