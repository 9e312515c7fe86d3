//! The express carrier as the hall meets it: bookings, tracking, pushes (domain.md §10).
//!
//! The carrier's own interface is not public; this is ours: JSON over HTTP, both sides proving with
//! HMAC-SHA-256 that they know the secret. A request signs `METHOD LF target LF milliseconds LF
//! body`, an answer the request's signature, LF and its body, so that it fits one question only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use plugins_hall::port::{CarrierNotices, Counterpart, Delivery, PortError, Tracking};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bytes of an answer or a push that are read.
const LONGEST: usize = 256 * 1024;
/// How far the two clocks may be apart, milliseconds.
const SKEW: i64 = 300_000;
/// Where the carrier's pushes arrive.
const PUSHED_TO: &str = "/express/notice";
/// Lines of a parcel's way that are known.
const KINDS: [&str; 5] = ["picked_up", "in_transit", "out_for_delivery", "delivered", "problem"];

/// Milliseconds UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Where the carrier is and what we share with it.
#[derive(Clone)]
pub struct Settings {
    /// Address without a path.
    pub base: String,
    /// Shared secret of the message authentication code.
    pub secret: String,
    /// How long a question may take.
    pub timeout: Duration,
}

/// Why the carrier cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the carrier cannot be used: {0}\nhint: see [express] in the configuration")]
pub struct SettingsError(String);

/// The carrier.
pub struct Express {
    base: String,
    key: hmac::Key,
    http: reqwest::Client,
    clock: Clock,
}

impl fmt::Debug for Express {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Express({})", self.base)
    }
}

/// An answer that the carrier signed.
struct Answer {
    status: u16,
    body: Value,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    kind: String,
    at: i64,
    place: Option<String>,
}

#[derive(Deserialize)]
struct Way {
    key: String,
    label: String,
    events: Vec<Event>,
}

fn port(code: &'static str, cause: impl ToString) -> PortError {
    PortError { code, cause: cause.to_string() }
}

fn text<'v>(arguments: &'v Value, name: &str) -> Option<&'v str> {
    arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A key that can stand in an address.
fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Express {
    /// A carrier behind an address.
    ///
    /// # Errors
    /// [`SettingsError`] for an empty secret or a client that cannot be made.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SettingsError> {
        if settings.secret.len() < 16 {
            return Err(SettingsError("the secret has fewer than 16 characters".to_owned()));
        }
        let http = reqwest::Client::builder()
            // The carrier answers itself or not at all.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .no_proxy()
            .build()
            .map_err(|cause| SettingsError(cause.to_string()))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, settings.secret.as_bytes());
        Ok(Self { base: settings.base, key, http, clock })
    }

    fn signature(&self, method: &str, target: &str, timestamp: &str, body: &[u8]) -> String {
        let mut signing = hmac::Context::with_key(&self.key);
        signing.update(format!("{method}\n{target}\n{timestamp}\n").as_bytes());
        signing.update(body);
        hex::encode(signing.sign())
    }

    /// Asks, and gives the answer only if the carrier signed it for this very question.
    async fn exchange(&self, target: &str, body: Option<&Value>) -> Result<Answer, String> {
        let address = format!("{}{target}", self.base);
        let (method, request) = match body {
            Some(_) => ("POST", self.http.post(address)),
            None => ("GET", self.http.get(address)),
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let timestamp = (self.clock)().to_string();
        let signature = self.signature(method, target, &timestamp, body.as_bytes());
        let sent = request
            .header("content-type", "application/json")
            .header("x-timestamp", timestamp)
            .header("x-signature", &signature)
            .body(body)
            .send()
            .await;
        let mut answer = sent.map_err(|cause| cause.without_url().to_string())?;
        let status = answer.status().as_u16();
        let proof = answer.headers().get("x-signature").and_then(|value| value.to_str().ok());
        let proof = proof.map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(part) =
            answer.chunk().await.map_err(|cause| cause.without_url().to_string())?
        {
            bytes.extend_from_slice(&part);
            if bytes.len() > LONGEST {
                return Err("the carrier's answer is too long".to_owned());
            }
        }
        let tag = proof.and_then(|proof| hex::decode(proof).ok()).unwrap_or_default();
        let signed = [signature.as_bytes(), b"\n", bytes.as_slice()].concat();
        hmac::verify(&self.key, &signed, &tag)
            .map_err(|_| format!("the carrier did not sign its answer {status}"))?;
        let body = serde_json::from_slice(&bytes)
            .map_err(|_| "the carrier's answer is no JSON".to_owned())?;
        Ok(Answer { status, body })
    }

    async fn book(&self, key: &str, arguments: &Value) -> Delivery {
        let order = json!({
            "key": key, "kind": arguments.get("kind"), "to": arguments.get("to"),
            "contents": arguments.get("contents"),
        });
        match self.exchange("/orders", Some(&order)).await {
            Err(cause) => Delivery::Unknown(cause),
            Ok(answer) => booked(key, &answer),
        }
    }

    async fn find(&self, key: &str) -> Result<Answer, Delivery> {
        if !is_key(key) {
            return Err(Delivery::Refused("malformed".to_owned()));
        }
        self.exchange(&format!("/orders/{key}"), None).await.map_err(Delivery::Unknown)
    }

    async fn track(&self, arguments: &Value) -> Delivery {
        let key = text(arguments, "key").unwrap_or_default();
        match self.find(key).await {
            Err(delivery) => delivery,
            Ok(answer) if answer.status == 200 => match way(&answer.body, Some(key)) {
                None => Delivery::Unknown("the carrier's answer is about no parcel".to_owned()),
                Some(_) => Delivery::Done(answer.body),
            },
            Ok(answer) => refused(&answer),
        }
    }
}

fn refused(answer: &Answer) -> Delivery {
    match answer.status {
        404 => Delivery::NotFound,
        422 => Delivery::Refused(text(&answer.body, "error").unwrap_or("refused").to_owned()),
        other => Delivery::Unknown(format!("the carrier answered {other}")),
    }
}

fn booked(key: &str, answer: &Answer) -> Delivery {
    if answer.status != 200 {
        return refused(answer);
    }
    match way(&answer.body, Some(key)) {
        Some(way) => Delivery::Done(json!({ "label": way.label })),
        None => Delivery::Unknown("the carrier's answer is about another parcel".to_owned()),
    }
}

/// A parcel's way, if it is well formed and about this key.
fn way(body: &Value, key: Option<&str>) -> Option<Way> {
    let way = Way::deserialize(body).ok()?;
    let label = (1..=40).contains(&way.label.len())
        && way.label.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let line = |event: &Event| {
        KINDS.contains(&event.kind.as_str())
            && (1..=64).contains(&event.id.len())
            && event.place.as_ref().is_none_or(|place| place.chars().count() <= 200)
    };
    let sound = label && is_key(&way.key) && way.events.len() <= 200;
    (sound && way.events.iter().all(line) && key.is_none_or(|key| key == way.key)).then_some(way)
}

#[async_trait]
impl Counterpart for Express {
    fn interface(&self) -> &'static str {
        "express"
    }

    fn may_resend(&self) -> bool {
        false
    }

    async fn send(&self, key: &str, arguments: &Value) -> Delivery {
        match text(arguments, "operation") {
            Some("book") => self.book(key, arguments).await,
            Some("track") => self.track(arguments).await,
            _ => Delivery::Refused("operation".to_owned()),
        }
    }

    async fn ask(&self, key: &str, arguments: &Value) -> Delivery {
        match text(arguments, "operation") {
            Some("book") => match self.find(key).await {
                Err(delivery) => delivery,
                // The question was refused, not the booking: there may be a parcel.
                Ok(answer) if !matches!(answer.status, 200 | 404) => {
                    Delivery::Unknown(format!("the carrier answered {}", answer.status))
                }
                Ok(answer) => booked(key, &answer),
            },
            Some("track") => self.track(arguments).await,
            _ => Delivery::Refused("operation".to_owned()),
        }
    }
}

impl CarrierNotices for Express {
    fn verify(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: i64,
    ) -> Result<Vec<Tracking>, PortError> {
        let header = |name: &str| headers.get(name).map_or("", String::as_str);
        let timestamp = header("x-timestamp");
        let at: i64 = timestamp.parse().map_err(|_| port("push.time", "it names no time"))?;
        // An old push that somebody kept is not taken again.
        if now.saturating_sub(at).saturating_abs() > SKEW {
            return Err(port("push.time", "its time is too far from ours"));
        }
        if body.len() > LONGEST {
            return Err(port("push.form", "it is too long"));
        }
        let tag = hex::decode(header("x-signature")).unwrap_or_default();
        let signed = [format!("POST\n{PUSHED_TO}\n{timestamp}\n").as_bytes(), body].concat();
        hmac::verify(&self.key, &signed, &tag)
            .map_err(|_| port("push.signature", "the carrier did not sign it"))?;
        let way = serde_json::from_slice(body).ok().and_then(|body| way(&body, None));
        let way = way.ok_or_else(|| port("push.form", "it is about no parcel"))?;
        let line = |event: Event| Tracking {
            key: way.key.clone(),
            source_id: event.id,
            kind: event.kind,
            at: event.at,
            place: event.place,
        };
        Ok(way.events.into_iter().map(line).collect())
    }
}

#[cfg(test)]
#[path = "express_tests.rs"]
mod tests;
