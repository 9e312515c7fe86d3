//! Cases as pages show them.

use std::collections::BTreeMap;

use idp_store::{StoreError, Tx};
use plugins_hall::call::Problem;
use plugins_hall::deadline::Deadline;
use plugins_hall::machine::Machine;
use plugins_store::case::Case;
use plugins_store::event::{self, CaseEvent};
use plugins_store::order::PaymentOrder;
use plugins_store::{document, material, order};
use serde_json::Value;

use crate::Shared;
use crate::context::Filed;
use crate::effect::texts;
use crate::view::{
    CaseLine, CaseView, DocumentView, DueView, MaterialView, PaymentView, TimelineRow,
};

pub(crate) fn material(one: material::Material) -> MaterialView {
    MaterialView {
        id: one.id,
        name: one.name,
        file_name: one.about.file_name,
        media_type: one.about.media_type,
        size: one.size,
        sha256: one.about.sha256,
    }
}

/// What a page needs of one case, read in one unit.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) case: Case,
    events: Vec<CaseEvent>,
    materials: Vec<material::Material>,
    orders: Vec<PaymentOrder>,
    documents: Vec<document::Issued>,
}

impl Loaded {
    pub(crate) async fn read(tx: &mut Tx, case: Case) -> Result<Self, StoreError> {
        Ok(Self {
            events: event::list(tx, &case.number).await?,
            materials: material::of_case(tx, &case.number).await?,
            orders: order::of_case(tx, &case.number).await?,
            documents: document::issued(tx, &case.number).await?,
            case,
        })
    }

    /// The order that waits for its payer.
    pub(crate) fn due(&self) -> Option<&PaymentOrder> {
        let open = |one: &&PaymentOrder| matches!(one.state.as_str(), "prepared" | "started");
        self.orders.iter().find(open).filter(|_| self.case.state == "fee_due")
    }

    fn corrections(&self) -> Vec<Problem> {
        if self.case.state != "correction" {
            return Vec::new();
        }
        let asked = self.events.iter().rev().find(|one| one.kind == "correction.asked");
        let problems = asked.and_then(|one| one.payload.get("problems"));
        problems.and_then(|found| serde_json::from_value(found.clone()).ok()).unwrap_or_default()
    }
}

impl Shared {
    pub(crate) fn line(&self, case: &Case) -> CaseLine {
        let item = self.catalogue.find(&case.item);
        CaseLine {
            number: case.number.clone(),
            item: case.item.clone(),
            title: item.map(|item| item.title.clone()).unwrap_or_default(),
            state: case.state.clone(),
            public_status: serde_json::from_value(case.status.clone()).unwrap_or_default(),
            opened_at: case.opened_at,
            changed_at: case.changed_at,
            signal: case.signal.clone(),
            promised_due: case.promised_due,
            queue: case.queue.clone(),
        }
    }

    fn due(&self, case: &Case) -> DueView {
        let deadline: Deadline = serde_json::from_value(case.clock.clone()).unwrap_or_default();
        let calendar = self.catalogue.calendar();
        DueView {
            accepted_at: deadline.accepted,
            promised: deadline.promised_end(calendar),
            statutory: deadline.statutory_end(calendar),
            suspended: deadline.suspended().map(str::to_owned),
            signal: case.signal.clone(),
        }
    }

    /// A case whole; `role` says whose actions stand open.
    pub(crate) fn view(
        &self,
        loaded: Loaded,
        role: &str,
        payment: Option<PaymentView>,
    ) -> CaseView {
        let corrections = loaded.corrections();
        let case = &loaded.case;
        let timeline = loaded.events.iter().map(|event| row(event, role)).collect();
        CaseView {
            line: self.line(case),
            seq: case.seq,
            due: self.due(case),
            timeline,
            form: Filed::of(case).values,
            payment,
            documents: loaded
                .documents
                .iter()
                .map(|one| DocumentView {
                    template: one.template.clone(),
                    number: one.document_number.clone(),
                    simulated: true,
                    at: one.at,
                })
                .collect(),
            parcel: case.label.clone(),
            corrections,
            actions: actions(case, role, loaded.due().is_some()),
            rating: case.rating.and_then(|stars| u8::try_from(stars).ok()),
            materials: loaded.materials.into_iter().map(material).collect(),
            applicant: BTreeMap::new(),
        }
    }
}

/// A row of the timeline. The applicant learns that an officer acted, not which.
fn row(event: &CaseEvent, role: &str) -> TimelineRow {
    let actor = event.actor.split(':').next().unwrap_or_default();
    TimelineRow {
        seq: event.seq,
        kind: event.kind.clone(),
        at: event.at,
        actor: if role == "officer" { &event.actor } else { actor }.to_owned(),
        text: texts(&event.payload),
        payload: event.payload.clone(),
    }
}

fn actions(case: &Case, role: &str, payable: bool) -> Vec<String> {
    let Some(machine) = Machine::find(&case.machine) else { return Vec::new() };
    let allows = |edge: &str| machine.allows(&case.state, edge, role);
    let mut found: Vec<&str> = Vec::new();
    if role == "officer" {
        if allows("approve") && case.state == "review" {
            found.push("approve");
        }
        found.extend(allows("ask_correction").then_some("correct"));
        found.extend((allows("refuse") || allows("reject")).then_some("refuse"));
        found.extend(allows("suspend").then_some("suspend"));
        found.extend(allows("resume").then_some("resume"));
        let clock: Deadline = serde_json::from_value(case.clock.clone()).unwrap_or_default();
        let extensible = clock.accepted.is_some() && clock.closed.is_none() && clock.extended == 0;
        found.extend(extensible.then_some("extend"));
        found.extend((case.state == "ready_for_pickup").then_some("taken"));
    } else {
        found.extend(payable.then_some("pay"));
        found.extend(allows("resubmit").then_some("correct"));
        found.extend(allows("withdraw").then_some("withdraw"));
        found.extend(allows("rate").then_some("rate"));
    }
    found.into_iter().map(str::to_owned).collect()
}

/// Something of an event's payload, as text.
pub(crate) fn text_of(payload: &Value, name: &str) -> String {
    payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
