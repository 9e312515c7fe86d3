//! What the hall needs from outside, as traits: the plugin runtime, the identity half, the
//! counterparts. Other rooms implement them; the server wires them together.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::call::{Context, Event, Failure, Outcome, Problem};

/// Runs plugins. Implemented by plugins/host.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// What the active version of every plugin says of itself (the JSON of `describe`, with the
    /// manifest under `manifest`), by plugin id.
    fn descriptors(&self) -> BTreeMap<String, Value>;
    /// The step's form as JSON schema (read-only).
    async fn form(&self, context: Context, step: &str, prefill: Value) -> Result<Value, Failure>;
    /// All faults of what was entered (read-only); empty means none.
    async fn validate(
        &self,
        context: Context,
        step: &str,
        data: Value,
    ) -> Result<Vec<Problem>, Failure>;
    /// The first event of a case.
    async fn start(&self, context: Context, event: Event, form: Value) -> Result<Outcome, Failure>;
    /// Every later event; `context.case` holds the case.
    async fn advance(&self, context: Context, event: Event) -> Result<Outcome, Failure>;
}

/// The plugin's own documents before the call. Implemented by plugins/store.
#[async_trait]
pub trait Documents: Send + Sync {
    /// A document and its version, or none.
    async fn get(&self, collection: &str, id: &str) -> Result<Option<(Value, u64)>, String>;
}

/// Adds working days by the dated calendar. Implemented by `hall::clock`.
pub trait WorkingDays: Send + Sync {
    /// `at` plus `days` working days, milliseconds UTC.
    fn add_working_days(&self, at: i64, days: i32) -> i64;
}

/// The identity half, as the hall may ask it. `subject` is the hall's pairwise subject.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Verified facts of a person by name; only those that exist. Names: `name`, `sex`,
    /// `birth_date`, `region`, `number`, `number_masked`, `phone`, `phone_masked`, `address`,
    /// `proofing_level`, `age_over_16`, `age_over_18`.
    async fn facts(
        &self,
        subject: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, PortError>;
}

/// A counterpart outside: SMS gateway, express carrier, payment gateway. The outbox worker calls
/// it, never a page and never inside a transaction.
#[async_trait]
pub trait Counterpart: Send + Sync {
    /// The outbox's interface name: `sms`, `express`, `payment`.
    fn interface(&self) -> &'static str;
    /// Whether a lost answer may be followed by sending again (SMS yes; money and parcels no).
    fn may_resend(&self) -> bool;
    /// Carries out `arguments` under `key`.
    async fn send(&self, key: &str, arguments: &Value) -> Delivery;
    /// What became of `key`.
    async fn ask(&self, key: &str, arguments: &Value) -> Delivery;
}

/// What a counterpart said.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Done or accepted, with its answer.
    Done(Value),
    /// Refused for good, with its code.
    Refused(String),
    /// It has not happened yet and may be asked again.
    Pending,
    /// It never heard of the key: sending is safe.
    NotFound,
    /// No answer, or one that cannot be believed; the private cause.
    Unknown(String),
}

/// A port that could not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}")]
pub struct PortError {
    /// Stable code.
    pub code: &'static str,
    /// Private cause for the log.
    pub cause: String,
}
