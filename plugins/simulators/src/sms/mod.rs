//! The SMS gateway, acted: CMPP 2.0 on one port, an inbox on another.
//!
//! `GET /messages?to=PHONE` lists what was delivered, oldest first: `[{"id", "at", "to", "text"}]`.
//! Behaviours see `to` and `text`: `refuse` answers result 9, `down` closes the connection
//! unanswered, `lie` accepts and delivers nothing, `duplicate` and `late` concern the receipt.

mod cmpp;
mod gateway;

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::Clock;
use crate::desk::Desk;
use crate::page::{escape, shell};

/// How it is started.
#[derive(Clone)]
pub struct Settings {
    /// Directory of the journal.
    pub dir: PathBuf,
    /// CMPP `Source_Addr` of the product, at most 6 characters.
    pub source: String,
    /// CMPP shared secret.
    pub secret: String,
    /// Milliseconds UTC.
    pub clock: Clock,
}

/// A message as a phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Message {
    id: String,
    at: i64,
    to: String,
    text: String,
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
}

/// Serves the inbox on `http` and the gateway on `cmpp` until the task is dropped.
///
/// # Errors
/// As the file system and the network say.
pub async fn serve(
    settings: Settings,
    http: TcpListener,
    cmpp: TcpListener,
) -> std::io::Result<()> {
    let desk = Desk::open(&settings.dir, "sms", settings.clock)?;
    let inbox = Router::new()
        .route("/", get(page))
        .route("/messages", get(messages))
        .with_state(desk.clone())
        .merge(desk.routes());
    let account = gateway::Account { source: settings.source, secret: settings.secret };
    tokio::select! {
        ended = axum::serve(http, inbox) => ended,
        ended = gateway::listen(cmpp, desk, account) => ended,
    }
}

/// The last 11 digits, so that `+86` and `0086` find the same phone.
fn national(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits.iter().skip(digits.len().saturating_sub(11)).collect()
}

/// Parts of long messages that are not complete: whose, which and of how many, then texts by number.
type Open = BTreeMap<(String, u64, u64), BTreeMap<u64, String>>;

/// What was delivered to a phone, or to all. The parts of a long message are joined, and shown
/// when the last has come.
fn delivered(desk: &Desk, to: Option<&str>) -> Vec<Message> {
    let wanted = to.map(national);
    let mut messages: Vec<Message> = Vec::new();
    let mut open = Open::new();
    for entry in desk.entries() {
        let text = |name: &str| entry.request.get(name).and_then(|value| value.as_str());
        let number = |name: &str| entry.request.get(name).and_then(serde_json::Value::as_u64);
        let (Some(to), Some(body)) = (text("to"), text("text")) else { continue };
        let arrived = entry.answer.get("delivered").and_then(serde_json::Value::as_bool);
        if arrived != Some(true) || wanted.as_deref().is_some_and(|wanted| wanted != national(to)) {
            continue;
        }
        let (part, of) = (number("part").unwrap_or(1), number("of").unwrap_or(1));
        let mut text = body.to_owned();
        if of > 1 {
            let whole = (to.to_owned(), number("long").unwrap_or(0), of);
            let parts = open.entry(whole.clone()).or_default();
            // A part that comes again, because the whole was sent again, takes the place of the
            // first: a reference of 8 bits says no more.
            parts.insert(part, text);
            if !(1..=of).all(|number| parts.contains_key(&number)) {
                continue;
            }
            text = open.remove(&whole).into_iter().flat_map(BTreeMap::into_values).collect();
        }
        messages.push(Message { id: entry.key.clone(), at: entry.at, to: to.to_owned(), text });
    }
    messages
}

async fn messages(State(desk): State<Desk>, Query(wanted): Query<Wanted>) -> Json<Vec<Message>> {
    Json(delivered(&desk, wanted.to.as_deref()))
}

async fn page(State(desk): State<Desk>, Query(wanted): Query<Wanted>) -> Html<String> {
    let to = wanted.to.filter(|to| !to.is_empty());
    let rows: String = delivered(&desk, to.as_deref())
        .iter()
        .rev()
        .take(200)
        .map(|message| {
            let at = time::OffsetDateTime::from_unix_timestamp(message.at / 1000 + 8 * 3600);
            let at = at.map(|at| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute()));
            format!(
                "<tr data-message><td>{}<td>{}<td>{}</tr>",
                at.unwrap_or_default(),
                escape(&message.to),
                escape(&message.text)
            )
        })
        .collect();
    shell(
        "短信收件箱 · SMS inbox",
        &format!(
            "<form><label>手机号 · Phone <input name=\"to\" value=\"{}\"></label> <button>查看 · Show</button></form>\
             <table><tr><th>时间<th>收件人<th>内容</tr>{rows}</table>",
            escape(to.as_deref().unwrap_or_default())
        ),
    )
}
