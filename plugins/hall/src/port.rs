//! What the hall needs from outside, as traits: the plugin runtime, the identity half, the
//! counterparts. Other rooms implement them; the server wires them together.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
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
    /// `proofing_level`, `age_over_16`, `age_over_18`;
    /// and `person_id`, the key of the person's audit chain, which the engine alone may ask and
    /// which reaches no plugin and no page.
    async fn facts(
        &self,
        subject: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, PortError>;
}

/// A partner's call with an access token, as it came over HTTP.
#[derive(Debug, Clone, Default)]
pub struct BearerCall {
    /// Its method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The `DPoP` headers (RFC 9449 §4.1).
    pub proofs: Vec<String>,
    /// The certificate with which it came (RFC 8705 §3).
    pub certificate: Option<Shown>,
}

/// Certificates that a call's client showed, DER, its own first. Whoever wires the rooms makes it
/// an extension of the request.
#[derive(Debug, Clone, Default)]
pub struct Shown(pub Vec<Vec<u8>>);

/// Why a call opens nothing (RFC 6750 §3.1, RFC 9449 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerRefused {
    /// The error's code.
    pub code: &'static str,
    /// Headers of the answer, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// What a partner's access token opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CasesOpened {
    /// The hall's subject of the citizen.
    pub subject: String,
    /// The cases that the citizen named, where they did not allow all.
    pub only: Option<CasesNamed>,
}

/// Cases by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CasesNamed {
    /// Codes of items: every case of them.
    pub items: Vec<String>,
    /// Numbers of cases.
    pub cases: Vec<String>,
}

impl CasesOpened {
    /// Whether a case of this citizen is open.
    #[must_use]
    pub fn opens(&self, item: &str, number: &str) -> bool {
        let has = |list: &[String], one: &str| list.iter().any(|known| known == one);
        self.only.as_ref().is_none_or(|named| has(&named.items, item) || has(&named.cases, number))
    }
}

/// Reads the access tokens that partners present to the hall. Implemented by the identity half.
#[async_trait]
pub trait Bearers: Send + Sync {
    /// The citizen who consented to the scope `cases`, or to some cases in particular (RFC 9396);
    /// none for a partner that acts for itself (RFC 6749 §4.4). The look is a line in the citizen's
    /// audit trail.
    async fn cases(
        &self,
        call: &BearerCall,
    ) -> Result<Result<Option<CasesOpened>, BearerRefused>, PortError>;
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

/// An order that the payer's browser carries to the gateway. `(order_id, txn_time)` is unique
/// with the merchant (domain.md §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// 8–40 letters and digits.
    pub order_id: String,
    /// `YYYYMMDDhhmmss`, Beijing time.
    pub txn_time: String,
    /// Minor units (fen).
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The case's number, for the address that the payer's browser comes back to.
    pub case: String,
}

/// A signed form that the browser posts to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderForm {
    /// Absolute address of the gateway.
    pub gateway_url: String,
    /// Names and values in the order of the form.
    pub fields: Vec<(String, String)>,
}

/// What a verified notice of the gateway claims. It is never believed before a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Our order.
    pub order_id: String,
    /// The gateway's own id of this notice, or a digest of it: the same notice twice is one.
    pub source_id: String,
}

/// The payment gateway as pages meet it: forms and notices. Implemented by plugins/payment.
pub trait PaymentGateway: Send + Sync {
    /// Signs an order.
    ///
    /// # Errors
    /// [`PortError`] if the key or the address is missing.
    fn order_form(&self, order: &Order) -> Result<OrderForm, PortError>;
    /// Checks a back notice's signature, merchant and form.
    ///
    /// # Errors
    /// [`PortError`] for a notice that the gateway did not sign.
    fn verify_notice(&self, fields: &[(String, String)]) -> Result<Notice, PortError>;
}

/// One line of a parcel's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// The key under which we booked.
    pub key: String,
    /// The carrier's id of this line: the same line twice is one.
    pub source_id: String,
    /// `picked_up`, `in_transit`, `out_for_delivery`, `delivered` or `problem`.
    pub kind: String,
    /// Milliseconds UTC, as the carrier says.
    pub at: i64,
    /// Where, or what the problem is.
    pub place: Option<String>,
}

/// Verifies what the carrier pushes. Implemented by plugins/mailing.
pub trait CarrierNotices: Send + Sync {
    /// Checks the signature over body and time and reads the lines.
    ///
    /// # Errors
    /// [`PortError`] for a push that the carrier did not sign.
    fn verify(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: i64,
    ) -> Result<Vec<Tracking>, PortError>;
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
