//! What travels between a case and the plugin that decides about it: a call and its outcome.
//!
//! One call is one unit of work: the plugin sees a snapshot and its own buffered writes, and
//! everything that it wishes for comes back as a value that the engine commits whole or not at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who acts: a pairwise pseudonym with the assurance of this session, never a number or a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Pairwise subject, stable for one plugin's department; `system` for counterparts and timers.
    pub subject: String,
    /// `citizen`, `officer`, `counterpart` or `timer`.
    pub role: String,
    /// Proofing level of the person, 0–5.
    pub proofing: u8,
    /// Authentication level of this session, 0–3.
    pub auth: u8,
    /// The person for whom the actor acts, where it is not themselves.
    pub on_behalf_of: Option<String>,
}

/// Something that happened to a case. `(case, seq)` is unique and applied once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 1 for the submission, then without gaps.
    pub seq: i64,
    /// A name of the contract's list of timeline events, such as `payment.settled`.
    pub kind: String,
    /// Milliseconds UTC: the clock that the plugin sees during this call.
    pub at: i64,
    /// Who caused it.
    pub actor: Actor,
    /// JSON whose shape the kind fixes.
    pub payload: Value,
}

/// The case as a plugin sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseSnapshot {
    /// The case's number as shown to the citizen.
    pub number: String,
    /// Item code, such as `exit-entry.passport-renewal`.
    pub item: String,
    /// State of the item's machine.
    pub state: String,
    /// Version of the plugin's own data.
    pub state_version: u32,
    /// The plugin's own data for this case.
    pub data: Value,
    /// The form as submitted; fields of kind phone, address and document number are references.
    pub form: Value,
    /// Milliseconds UTC.
    pub opened: i64,
}

/// The edge that the plugin chose, with what it wants kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Name of an edge of the item's machine; one that the machine lacks here is the plugin's
    /// error. `stay` keeps the state.
    pub edge: String,
    /// The plugin's own data from now on.
    pub data: Value,
    /// One line for the citizen in each language (`zh-CN`, `en`).
    pub public_status: BTreeMap<String, String>,
    /// Why, each a sentence in each language; required where a decision is made.
    pub reasons: Vec<BTreeMap<String, String>>,
}

/// A fault in what was entered, for the person who entered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code for programs, such as `passport.number.form`.
    pub code: String,
    /// Path of the field in the form's schema, where one field is at fault.
    pub field: Option<String>,
    /// The sentence in each language (`zh-CN`, `en`).
    pub detail: BTreeMap<String, String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// What a plugin wishes to happen if its call is committed. `key` is the author's own key, unique
/// within one event and interface; the engine derives the outbox key from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
#[allow(missing_docs)] // Each variant says what its fields are.
pub enum Effect {
    /// Ask the applicant to pay a quote (its id, never an amount).
    RequestPayment { id: String, quote: String, purpose: String, key: String },
    /// Give back what was paid under a payment's id.
    Refund { id: String, payment: String, reason: String, key: String },
    /// Send a template to a reference that the host resolves (`applicant`).
    SendMessage {
        id: String,
        template: String,
        to: String,
        params: BTreeMap<String, String>,
        key: String,
    },
    /// Book a parcel to an address reference (`applicant`, or a form field's path).
    BookShipment { id: String, kind: String, to: String, contents: Vec<String>, key: String },
    /// Issue a document from a template; `id` names it from now on.
    IssueDocument { id: String, template: String, data: Value, key: String },
    /// Write a document of the plugin's own store; `expect` is the version read, 0 for new.
    PutDocument { collection: String, id: String, json: Value, expect: Option<u64> },
    /// Remove a document of the plugin's own store.
    RemoveDocument { collection: String, id: String },
    /// Ask the applicant once for all that is missing.
    AskCorrection { problems: Vec<Problem> },
    /// Stop the clock, with the reason told to the applicant.
    SuspendClock { reason: String },
    /// Let the clock go on.
    ResumeClock,
    /// Put the case into a queue of officers with a role.
    Assign { role: String, queue: String },
    /// A line for the timeline.
    Note { kind: String, payload: Value },
}

/// One host call, kept with its event so that the event can be replayed and audited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostCall {
    /// `interface.function`, such as `docs.get`.
    pub function: String,
    /// SHA-256 of the canonical arguments, hex.
    pub arguments: String,
    /// The answer, as JSON.
    pub answer: Value,
    /// False where the call was refused by policy.
    pub allowed: bool,
}

/// What one successful call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Microseconds of CPU inside the guest.
    pub cpu_us: u64,
    /// Peak linear memory, bytes.
    pub memory: u64,
    /// Number of host calls.
    pub host_calls: u32,
}

/// A plugin's answer to `start` or `advance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The chosen edge.
    pub transition: Transition,
    /// Wished effects in the order of their calls.
    pub effects: Vec<Effect>,
    /// Host calls in order.
    pub calls: Vec<HostCall>,
    /// What it used.
    pub usage: Usage,
    /// Version of the plugin that answered.
    pub version: String,
}

/// Everything that a plugin may see during one call. The host reaches nothing else.
#[derive(Clone)]
pub struct Context {
    /// Item code.
    pub item: String,
    /// The case before the event; none for `start`, `form` and `validate`.
    pub case: Option<CaseSnapshot>,
    /// Who calls.
    pub actor: Actor,
    /// Milliseconds UTC that the guest's clock shows.
    pub now: i64,
    /// Released facts by name (`name`, `sex`, `birth_date`, `region`, `number_masked`,
    /// `age_over_16`, …): those that the manifest's grant names and that the person has.
    pub attributes: BTreeMap<String, String>,
    /// Quotes that the dated catalogue holds for this item at the time of acceptance, by id.
    pub quotes: BTreeMap<String, Quote>,
    /// Settings of the operator for this item (`auto_approve` = `true`|`false`, …).
    pub settings: BTreeMap<String, String>,
    /// Randomness: a hash of case and sequence.
    pub seed: [u8; 32],
    /// Working days.
    pub calendar: std::sync::Arc<dyn crate::port::WorkingDays>,
    /// The plugin's own documents, as of before this call.
    pub documents: std::sync::Arc<dyn crate::port::Documents>,
}

/// A price of the dated catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Name within the item, such as `standard` or `two-entries`.
    pub id: String,
    /// Minor units (fen).
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Legal basis with its date.
    pub basis: String,
}

/// Why a call gave no outcome. Nothing happened to the case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The plugin answered with a problem: the person's to mend.
    #[error("the plugin refused: {}", .0.code)]
    Refused(Problem),
    /// Trap, limit, deadline or an answer that is none: the plugin's fault.
    #[error("the plugin failed: {code}")]
    Broken {
        /// `trap`, `cpu`, `wall`, `memory`, `host_calls`, `output`, `edge`, `nonsense`.
        code: String,
        /// The private cause, for the log.
        cause: String,
    },
    /// No such plugin, item or version is active.
    #[error("no active plugin serves this item")]
    Absent,
    /// Too many calls in flight: the caller may try again.
    #[error("the plugin host is busy")]
    Busy,
}
