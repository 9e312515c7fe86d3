//! SMS through a gateway that speaks CMPP 2.0, the carriers' protocol. By hand: no maintained crate
//! speaks it.
//!
//! One connection, opened when the first message leaves and given up when nothing has passed for
//! three minutes; messages share it side by side. A message that was written and not answered is
//! `Unknown`: whether it may be sent again is the outbox's rule, and for messages it says yes.

mod line;
mod packet;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use plugins_hall::port::{Counterpart, Delivery};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use line::{Line, Lost};

/// Milliseconds UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Parts of one long message at most, about 670 characters.
const MOST_PARTS: usize = 10;

/// Where the gateway is, and who we are there.
#[derive(Clone)]
pub struct Settings {
    /// `host:port`.
    pub address: String,
    /// `Source_Addr`, at most 6 characters.
    pub source: String,
    /// Shared secret.
    pub secret: String,
    /// `Src_Id`, the number that phones show as the sender, at most 21 characters.
    pub sender: String,
    /// How long the gateway may take for one answer.
    pub timeout: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({}, {})", self.address, self.source)
    }
}

/// The gateway as a counterpart of the outbox, interface `sms`.
pub struct Cmpp {
    settings: Settings,
    clock: Clock,
    line: Mutex<Option<Arc<Line>>>,
    /// Tells long texts apart, across lines: a phone joins parts of one reference.
    reference: AtomicU32,
}

impl Cmpp {
    /// Opens no connection yet.
    #[must_use]
    pub fn new(settings: Settings, clock: Clock) -> Self {
        // Not the same references after every start, lest a text cut off by a crash is joined with
        // the first of the next process.
        let reference = AtomicU32::new((clock() / 1000).rem_euclid(256) as u32);
        Self { settings, clock, line: Mutex::default(), reference }
    }

    /// The open line, or a new one.
    async fn line(&self) -> Result<Arc<Line>, Lost> {
        let mut slot = self.line.lock().await;
        if let Some(line) = slot.as_ref().filter(|line| line.is_open()) {
            return Ok(line.clone());
        }
        let line = Arc::new(Line::open(&self.settings, (self.clock)()).await?);
        *slot = Some(line.clone());
        Ok(line)
    }

    async fn deliver(&self, to: &str, text: &str) -> Delivery {
        let Some(national) = national(to) else { return Delivery::Refused("phone".to_owned()) };
        let units: Vec<u16> = text.encode_utf16().collect();
        let line = match self.line().await {
            Ok(line) => line,
            // Nothing has left: sending later is safe.
            Err(Lost::Refused(status)) => {
                tracing::error!(status, "the SMS gateway refuses our sign-in");
                return Delivery::NotFound;
            }
            Err(Lost::Gone(cause)) => {
                tracing::warn!(cause, "the SMS gateway cannot be reached");
                return Delivery::NotFound;
            }
        };
        let parts = packet::parts(&units, self.reference.fetch_add(1, Ordering::Relaxed));
        if parts.is_empty() || parts.len() > MOST_PARTS {
            return Delivery::Refused("length".to_owned());
        }
        let mut ids = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let body = packet::submit(&self.settings, national, part);
            match line.submit(body, self.settings.timeout).await {
                Ok((id, 0)) => ids.push(format!("{id:016x}")),
                // 8: too fast. The first part has not been taken, so the whole may come again.
                Ok((_, 8)) if index == 0 => return Delivery::NotFound,
                Ok((_, 8)) => return Delivery::Unknown("too fast for the gateway".to_owned()),
                Ok((_, result)) => return Delivery::Refused(format!("cmpp_{result}")),
                Err(cause) => return Delivery::Unknown(cause),
            }
        }
        Delivery::Done(json!({ "messages": ids }))
    }
}

/// The 11 digits of a mainland number in E.164.
fn national(to: &str) -> Option<&str> {
    let digits = to.strip_prefix("+86").unwrap_or(to);
    (digits.len() == 11 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

#[async_trait]
impl Counterpart for Cmpp {
    fn interface(&self) -> &'static str {
        "sms"
    }

    fn may_resend(&self) -> bool {
        true
    }

    async fn send(&self, _key: &str, arguments: &Value) -> Delivery {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        match (text("to"), text("text")) {
            (Some(to), Some(text)) => self.deliver(to, text).await,
            _ => Delivery::Refused("arguments".to_owned()),
        }
    }

    /// CMPP 2.0 knows no key of ours and can only be asked for totals (its QUERY), so nothing can
    /// be learnt about one message.
    async fn ask(&self, _key: &str, _arguments: &Value) -> Delivery {
        Delivery::NotFound
    }
}
