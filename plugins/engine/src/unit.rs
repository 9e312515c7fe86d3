//! One unit of work on one case: what happens to it is gathered, then committed under the sequence
//! that was seen, with every effect, posting and audit line of the same cause.

use std::sync::Arc;

use idp_store::{StoreError, Tx, audit, outbox};
use plugins_hall::call::Problem;
use plugins_hall::catalogue::Item;
use plugins_hall::deadline::Deadline;
use plugins_hall::key;
use plugins_hall::machine::{self, Machine};
use plugins_hall::status;
use plugins_hall::text::Text;
use plugins_store::case::{self, Case};
use plugins_store::event::{self, CaseEvent};
use plugins_store::inbox::{self, Waiting};
use serde_json::{Value, json};

use crate::error::EngineError;
use crate::{Shared, message};

/// Why a unit gave no commit.
#[derive(Debug, Clone)]
pub(crate) enum Halt {
    /// The database.
    Store(StoreError),
    /// Somebody carried the case forward first: look again.
    Lost,
    /// The plugin's answer cannot be carried out: code and private cause.
    Plugin(&'static str, String),
    /// The person's or the officer's to know.
    Engine(EngineError),
}

impl From<StoreError> for Halt {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}

impl From<Halt> for EngineError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Store(cause) => cause.into(),
            Halt::Lost => Self::Conflict,
            Halt::Plugin(code, cause) => Self::Unavailable(format!("plugin: {code}: {cause}")),
            Halt::Engine(error) => error,
        }
    }
}

/// Events after which the plugin has its turn.
const HEARD: &[&str] =
    &["payment.settled", "correction.received", "decision.approved", "document.issued"];

/// A case being carried forward.
pub(crate) struct Unit<'t> {
    pub(crate) tx: &'t mut Tx,
    pub(crate) shared: Arc<Shared>,
    pub(crate) case: Case,
    pub(crate) deadline: Deadline,
    pub(crate) now: i64,
    expected: i64,
    fresh: bool,
    events: Vec<CaseEvent>,
    turns: Vec<i64>,
}

/// How an event is told: who did it, and the source for what came from outside.
#[derive(Debug, Clone)]
pub(crate) struct By {
    pub(crate) role: &'static str,
    pub(crate) actor: String,
}

impl By {
    pub(crate) fn citizen() -> Self {
        Self { role: "citizen", actor: "citizen".to_owned() }
    }

    pub(crate) fn officer(id: &str) -> Self {
        Self { role: "officer", actor: format!("officer:{id}") }
    }

    pub(crate) fn rule() -> Self {
        Self { role: "rule", actor: "rule".to_owned() }
    }

    pub(crate) fn system() -> Self {
        Self { role: "system", actor: "system".to_owned() }
    }

    pub(crate) fn counterpart() -> Self {
        Self { role: "counterpart", actor: "counterpart".to_owned() }
    }
}

impl<'t> Unit<'t> {
    /// Opens a case that stands.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        tx: &'t mut Tx,
        number: &str,
        now: i64,
    ) -> Result<Option<Self>, Halt> {
        let Some(case) = case::find(tx, number).await? else { return Ok(None) };
        Ok(Some(Self::over(shared, tx, case, now, false)?))
    }

    /// Begins a new case.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        tx: &'t mut Tx,
        case: Case,
        now: i64,
    ) -> Result<Self, Halt> {
        Self::over(shared, tx, case, now, true)
    }

    fn over(
        shared: &Arc<Shared>,
        tx: &'t mut Tx,
        case: Case,
        now: i64,
        fresh: bool,
    ) -> Result<Self, Halt> {
        let deadline = serde_json::from_value(case.clock.clone())
            .map_err(|cause| StoreError::Data(format!("clock: {cause}")))?;
        // Clocks of several nodes differ: a case's time never runs backwards.
        let now = now.max(case.changed_at);
        let expected = case.seq;
        let (events, turns) = (Vec::new(), Vec::new());
        let shared = shared.clone();
        Ok(Self { tx, shared, case, deadline, now, expected, fresh, events, turns })
    }

    pub(crate) fn machine(&self) -> Result<&'static Machine, Halt> {
        Machine::find(&self.case.machine)
            .ok_or_else(|| StoreError::Data("the case's machine is unknown".to_owned()).into())
    }

    pub(crate) fn item(&self) -> Result<Item, Halt> {
        let item = self.shared.catalogue.find(&self.case.item).cloned();
        item.ok_or_else(|| StoreError::Data("the case's item is unknown".to_owned()).into())
    }

    /// The key of an effect caused by the event that is written next.
    pub(crate) fn key(&self, interface: &str, author: &str) -> String {
        key::key(&self.case.plugin, &self.case.number, self.case.seq, interface, author)
    }

    /// Adds an event; the plugin hears some kinds.
    pub(crate) fn log(&mut self, kind: &str, by: &By, payload: Value) -> i64 {
        let seq = self.tell(kind, by, payload);
        if HEARD.contains(&kind) {
            self.turns.push(seq);
        }
        seq
    }

    /// Adds an event that the plugin does not hear.
    pub(crate) fn tell(&mut self, kind: &str, by: &By, payload: Value) -> i64 {
        self.case.seq += 1;
        self.events.push(CaseEvent {
            seq: self.case.seq,
            kind: kind.to_owned(),
            at: self.now,
            actor: by.actor.clone(),
            payload,
            source: None,
        });
        self.case.seq
    }

    /// Lets the plugin have its turn about an event.
    pub(crate) fn hear(&mut self, seq: i64) {
        self.turns.push(seq);
    }

    /// Takes an edge: states, lines, clock and the messages that people expect.
    pub(crate) async fn take(&mut self, edge: &str, by: &By, payload: Value) -> Result<(), Halt> {
        let path = self
            .machine()?
            .take(&self.case.state, edge, by.role)
            .map_err(|cause| Halt::Plugin("edge", cause.to_string()))?;
        let reason = reason(&payload);
        for (position, state) in path.iter().enumerate() {
            let last = position + 1 == path.len();
            (*state).clone_into(&mut self.case.state);
            self.case.status = json!(status::of(state));
            self.clock(edge, state, &reason)?;
            let passed = matches!(*state, "accepted" | "withdrawn" | "approved");
            let line = match edge {
                "resubmit" | "corrected" => Some("correction.received"),
                "resume" => Some("clock.resumed"),
                "rate" => Some("case.rated"),
                // The caller has logged what the counterpart said.
                "settle" | "deliver" => None,
                _ if last || passed => machine::line(state),
                _ => None,
            };
            if let Some(kind) = line {
                self.log(kind, by, if last { payload.clone() } else { json!({}) });
            }
            if last {
                let template = *state;
                self.message(template).await?;
            }
        }
        Ok(())
    }

    fn clock(&mut self, edge: &str, state: &str, reason: &str) -> Result<(), Halt> {
        let item = self.item()?;
        match state {
            "accepted" | "fee_due" | "paid" | "review" => {
                self.deadline.accept(self.now, item.promised, item.statutory);
            }
            "special_procedure" | "correction" if self.deadline.accepted.is_some() => {
                // A clock that stands already stays so.
                let _ = self.deadline.suspend(self.now, reason);
                self.case.signal = None;
            }
            "approved" | "refused" | "rejected_accept" | "withdrawn" => {
                self.deadline.close(self.now);
                self.case.signal = None;
            }
            // The trouble with a parcel or a refund is over.
            "delivered" | "refunded" => self.case.signal = None,
            _ => {}
        }
        if matches!(edge, "resume" | "corrected" | "resubmit") {
            // Not suspended where the correction was asked before acceptance.
            let _ = self.deadline.resume(self.now);
        }
        Ok(())
    }

    /// Sends the applicant the hall's own message about a step, if it has one.
    pub(crate) async fn message(&mut self, step: &str) -> Result<(), Halt> {
        let title = self.item()?.title;
        let Some(text) = message::standard(step, &self.case, &title) else { return Ok(()) };
        self.send(step, &text, &format!("hall:{step}")).await
    }

    /// Sends the applicant a text. The telephone number is looked up when it leaves.
    pub(crate) async fn send(
        &mut self,
        template: &str,
        text: &str,
        author: &str,
    ) -> Result<(), Halt> {
        let arguments = json!({
            "operation": "send", "to_subject": self.case.subject, "template": template,
            "text": text,
        });
        self.enqueue("sms", author, arguments, self.now).await.map(drop)
    }

    /// Writes an effect; gives its key.
    pub(crate) async fn enqueue(
        &mut self,
        interface: &'static str,
        author: &str,
        arguments: Value,
        at: i64,
    ) -> Result<String, Halt> {
        let key = self.key(interface, author);
        self.enqueue_as(interface, key.clone(), arguments, at).await?;
        Ok(key)
    }

    /// Writes an effect under a key of its own.
    pub(crate) async fn enqueue_as(
        &mut self,
        interface: &'static str,
        key: String,
        arguments: Value,
        at: i64,
    ) -> Result<(), Halt> {
        let id = self.shared.parts.ambient.id();
        let subject = Some(self.case.number.clone());
        let entry = outbox::Entry { id, key, interface, subject, arguments, at };
        outbox::enqueue(self.tx, entry).await.map_err(|cause| match cause {
            StoreError::Conflict => {
                Halt::Plugin("key", "the same key was used for another effect".to_owned())
            }
            other => other.into(),
        })
    }

    /// Adds a line to the applicant's audit trail.
    pub(crate) async fn audit(
        &mut self,
        kind: &'static str,
        actor: String,
        details: Value,
    ) -> Result<(), Halt> {
        let Some(person) = self.case.person_id.clone() else { return Ok(()) };
        let line = audit::Line { at: self.now, kind, actor, details };
        audit::append(self.tx, &person, line).await.map_err(Halt::from)
    }

    /// Writes everything.
    ///
    /// # Errors
    /// [`Halt::Lost`] if the case has moved since it was opened: nothing is written then.
    pub(crate) async fn commit(mut self) -> Result<String, Halt> {
        let calendar = self.shared.catalogue.calendar();
        self.case.promised_due = match self.deadline.closed {
            None => self.deadline.promised_end(calendar),
            Some(_) => None,
        };
        self.case.tick_at = if self.case.state == "dispatch" {
            Some(self.now + self.shared.parts.settings.track_ms)
        } else {
            self.deadline.next_change(calendar, self.now)
        };
        self.case.clock = serde_json::to_value(&self.deadline)
            .map_err(|cause| StoreError::Data(cause.to_string()))?;
        self.case.changed_at = self.now;
        if self.fresh {
            case::insert(self.tx, &self.case).await?;
        } else if !case::update(self.tx, &self.case, self.expected).await? {
            return Err(Halt::Lost);
        }
        for event in &self.events {
            event::insert(self.tx, &self.case.number, event).await?;
        }
        for seq in std::mem::take(&mut self.turns) {
            let waiting = Waiting {
                id: self.shared.parts.ambient.id(),
                source: "engine".to_owned(),
                source_id: format!("{}:{seq}", self.case.number),
                number: self.case.number.clone(),
                kind: "turn".to_owned(),
                payload: json!({ "seq": seq }),
                tries: 0,
            };
            inbox::insert(self.tx, &waiting, self.now).await?;
        }
        Ok(self.case.number)
    }
}

/// The reason among an event's sentences, for the clock.
fn reason(payload: &Value) -> String {
    let first = payload.get("text").and_then(|text| text.get(0));
    let reason = first.and_then(|text| text.get("zh-CN")).and_then(Value::as_str);
    reason.unwrap_or("补正材料").to_owned()
}

/// The payload of an event that tells sentences.
pub(crate) fn sentences(texts: &[Text]) -> Value {
    json!({ "text": texts })
}

/// The payload of an event that asks for corrections.
pub(crate) fn corrections(problems: &[Problem]) -> Value {
    let texts: Vec<&Text> = problems.iter().map(|problem| &problem.detail).collect();
    json!({ "text": texts, "problems": problems })
}
