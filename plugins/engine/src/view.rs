//! What pages see of the hall: plain values, ready to be shown.

use std::collections::BTreeMap;

use plugins_hall::call::Problem;
use plugins_hall::text::Text;
use serde::Serialize;
use serde_json::Value;

/// A citizen as the hall's session knows them.
#[derive(Debug, Clone)]
pub struct Citizen {
    /// The hall's pairwise subject.
    pub subject: String,
    /// Proofing level, 1–5.
    pub proofing: u8,
    /// Authentication level of the session, 1–3.
    pub auth: u8,
    /// `zh-CN` or `en`.
    pub lang: String,
}

/// An officer as the hall's session knows them.
#[derive(Debug, Clone)]
pub struct Officer {
    /// Staff id.
    pub id: String,
    /// Name, shown in the applicant's audit trail.
    pub name: String,
    /// `officer`, `supervisor` or `administrator`.
    pub role: String,
}

/// A form ready to be rendered.
#[derive(Debug, Clone, Serialize)]
pub struct FormView {
    /// Item code.
    pub item: String,
    /// JSON schema with `x-` annotations; verified fields are `readOnly` with their `default`.
    pub schema: Value,
    /// What was saved before, if anything.
    pub draft: Option<DraftView>,
}

/// A saved form.
#[derive(Debug, Clone, Serialize)]
pub struct DraftView {
    /// Transaction id: submitting it twice makes one case.
    pub transaction: String,
    /// As typed.
    pub form: Value,
    /// What was uploaded.
    pub materials: Vec<MaterialView>,
    /// Milliseconds UTC.
    pub saved_at: i64,
}

/// An upload that came with a request.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Name of the material, as in `materials.NAME`.
    pub name: String,
    /// As the browser said; shown, never used as a path.
    pub file_name: String,
    /// The bytes; their type is found by decoding, not believed.
    pub bytes: Vec<u8>,
}

/// A material of a draft or a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaterialView {
    /// Id for fetching it.
    pub id: String,
    /// Name of the material.
    pub name: String,
    /// As the browser said.
    pub file_name: String,
    /// Found by decoding.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// Hex.
    pub sha256: String,
}

/// A form handed in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// From [`DraftView`] or a hidden field; a retry with the same one gives the same case.
    pub transaction: String,
    /// Nested by the schema's paths.
    pub form: Value,
    /// New uploads; those of the draft need not come again.
    pub uploads: Vec<Upload>,
}

/// What became of a submission or correction.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// The case's number.
    Case(String),
    /// Faults by field; what was typed and uploaded is kept as a draft.
    Refused(Vec<Problem>),
}

/// One case in a list.
#[derive(Debug, Clone, Serialize)]
pub struct CaseLine {
    /// Number.
    pub number: String,
    /// Item code.
    pub item: String,
    /// Item title.
    pub title: Text,
    /// State of the machine.
    pub state: String,
    /// One line for the citizen.
    pub public_status: Text,
    /// Milliseconds UTC.
    pub opened_at: i64,
    /// Last change.
    pub changed_at: i64,
    /// `blue`, `yellow`, `red` or none.
    pub signal: Option<String>,
    /// Promised end, milliseconds UTC.
    pub promised_due: Option<i64>,
    /// Queue that holds it, for officers.
    pub queue: Option<String>,
}

/// The case's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DueView {
    /// Accepted, milliseconds UTC: the clock's start.
    pub accepted_at: Option<i64>,
    /// Promised end; none before acceptance and while suspended.
    pub promised: Option<i64>,
    /// Statutory end; likewise.
    pub statutory: Option<i64>,
    /// Why the clock stands.
    pub suspended: Option<String>,
    /// `blue`, `yellow`, `red` or none.
    pub signal: Option<String>,
}

/// One row of the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineRow {
    /// Position.
    pub seq: i64,
    /// Kind of the contract.
    pub kind: String,
    /// Milliseconds UTC.
    pub at: i64,
    /// `citizen`, `officer`, `system`, `rule` or `counterpart`.
    pub actor: String,
    /// Sentences for the person (reasons, faults, places); may be empty.
    pub text: Vec<Text>,
    /// Facts of the kind: `order_id`, `minor`, `label`, …
    pub payload: Value,
}

/// A fee that waits for its payer.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentView {
    /// Our order.
    pub order_id: String,
    /// Minor units.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Legal basis of the price.
    pub basis: String,
    /// Whether the payer was sent to the gateway before.
    pub started: bool,
    /// Absolute address of the gateway.
    pub gateway_url: String,
    /// Signed fields for hidden inputs.
    pub fields: Vec<(String, String)>,
}

/// A document that was issued.
#[derive(Debug, Clone, Serialize)]
pub struct DocumentView {
    /// Template.
    pub template: String,
    /// Number on the document.
    pub number: String,
    /// Always true here: no certificate is printed by this program.
    pub simulated: bool,
    /// Milliseconds UTC.
    pub at: i64,
}

/// One case whole.
#[derive(Debug, Clone, Serialize)]
pub struct CaseView {
    /// As in lists.
    #[serde(flatten)]
    pub line: CaseLine,
    /// Its sequence: a decision names the one it saw.
    pub seq: i64,
    /// Clock.
    pub due: DueView,
    /// Oldest first.
    pub timeline: Vec<TimelineRow>,
    /// The form as submitted.
    pub form: Value,
    /// Materials.
    pub materials: Vec<MaterialView>,
    /// What to pay, if a fee is due.
    pub payment: Option<PaymentView>,
    /// Issued documents.
    pub documents: Vec<DocumentView>,
    /// Parcel label, when booked.
    pub parcel: Option<String>,
    /// Faults to be mended, while in `correction`.
    pub corrections: Vec<Problem>,
    /// `pay`, `withdraw`, `correct`, `rate` for a citizen; decisions for an officer.
    pub actions: Vec<String>,
    /// 1–5, when rated.
    pub rating: Option<u8>,
    /// Verified facts of the applicant by name, for an officer; empty for the applicant.
    pub applicant: BTreeMap<String, String>,
}

/// What an officer decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Grant.
    Approve,
    /// Ask once for all that is missing.
    Correct,
    /// Deny; reasons are required.
    Refuse,
    /// Stop the clock (special procedure); a reason is required.
    Suspend,
    /// Let the clock go on.
    Resume,
    /// Extend the statutory limit once; a reason is required.
    Extend,
    /// The document was picked up.
    Taken,
}

/// Which cases the desk lists.
#[derive(Debug, Clone, Default)]
pub struct DeskFilter {
    /// Only this state.
    pub state: Option<String>,
    /// Only this item.
    pub item: Option<String>,
    /// Also those that wait for nobody here.
    pub all: bool,
}

/// The supervision board.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SupervisionView {
    /// Number of cases by item and state.
    pub counts: Vec<(String, String, i64)>,
    /// Cases with a signal, the worst first.
    pub signals: Vec<CaseLine>,
    /// Outbox rows by interface and state.
    pub outbox: Vec<(String, String, i64)>,
    /// Ratings by item: item, number, sum.
    pub ratings: Vec<(String, i64, i64)>,
}
