//! The unit of work: from an event on a case to one commit, and the worker that carries its outbox.

pub mod error;
pub mod parts;
pub mod view;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use plugins_hall::call::Problem;
use serde_json::Value;

pub use error::EngineError;
pub use parts::{Failpoints, NoFailpoints, Parts, Settings};
use view::{
    CaseLine, CaseView, Citizen, Decision, DeskFilter, DraftView, FormView, ItemView, Officer,
    Submission, Submitted, SupervisionView, Upload,
};
pub use worker::Worker;

/// The hall's engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

fn not_yet<T>() -> Result<T, EngineError> {
    Err(EngineError::Unavailable("this step is not built yet".to_owned()))
}

impl Engine {
    /// Joins the parts.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if the embedded catalogue does not read.
    pub fn new(parts: Parts) -> Result<Self, EngineError> {
        Ok(Self { parts: Arc::new(parts) })
    }

    /// The catalogue now.
    #[must_use]
    pub fn items(&self) -> Vec<ItemView> {
        let _ = &self.parts;
        Vec::new()
    }

    /// One item.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn item(&self, code: &str) -> Result<ItemView, EngineError> {
        self.items().into_iter().find(|item| item.code == code).ok_or(EngineError::NotFound)
    }

    /// The item's form, prefilled with verified facts, and the saved draft.
    ///
    /// # Errors
    /// [`EngineError::Level`] where the person must step up first, [`EngineError::Unavailable`].
    pub async fn form(&self, _who: &Citizen, _item: &str) -> Result<FormView, EngineError> {
        not_yet()
    }

    /// Keeps what was typed and uploaded, faults or not (uploads must be what they say).
    ///
    /// # Errors
    /// [`EngineError::Refused`] for an upload that is no image or too large.
    pub async fn save_draft(
        &self,
        _who: &Citizen,
        _item: &str,
        _form: Value,
        _uploads: Vec<Upload>,
    ) -> Result<DraftView, EngineError> {
        not_yet()
    }

    /// What was kept.
    ///
    /// # Errors
    /// As the database says.
    pub async fn load_draft(
        &self,
        _who: &Citizen,
        _item: &str,
    ) -> Result<Option<DraftView>, EngineError> {
        not_yet()
    }

    /// Opens a case, or says what is at fault by field.
    ///
    /// # Errors
    /// As [`Engine::form`].
    pub async fn submit(
        &self,
        _who: &Citizen,
        _item: &str,
        _submission: Submission,
    ) -> Result<Submitted, EngineError> {
        not_yet()
    }

    /// A citizen's cases, newest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn cases(&self, _subject: &str) -> Result<Vec<CaseLine>, EngineError> {
        not_yet()
    }

    /// One case of a citizen.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn case(&self, _subject: &str, _number: &str) -> Result<CaseView, EngineError> {
        not_yet()
    }

    /// Makes `payment.started` durable (once an order) and gives the form that the browser posts.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if nothing is due.
    pub async fn start_payment(
        &self,
        _subject: &str,
        _number: &str,
    ) -> Result<view::PaymentView, EngineError> {
        not_yet()
    }

    /// A back notice of the gateway: verified, stored, then queried by the worker.
    ///
    /// # Errors
    /// [`EngineError::Forged`].
    pub async fn payment_notice(&self, _fields: &[(String, String)]) -> Result<(), EngineError> {
        not_yet()
    }

    /// A push of the carrier: verified, stored, applied once.
    ///
    /// # Errors
    /// [`EngineError::Forged`].
    pub async fn express_notice(
        &self,
        _headers: &BTreeMap<String, String>,
        _body: &[u8],
    ) -> Result<(), EngineError> {
        not_yet()
    }

    /// Withdraws before the decision; what was paid becomes due for refund.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] after the decision.
    pub async fn withdraw(&self, _subject: &str, _number: &str) -> Result<(), EngineError> {
        not_yet()
    }

    /// Hands in what was missing.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if nothing was asked.
    pub async fn correct(
        &self,
        _who: &Citizen,
        _number: &str,
        _form: Value,
        _uploads: Vec<Upload>,
    ) -> Result<Vec<Problem>, EngineError> {
        not_yet()
    }

    /// Rates a delivered case once, 1 (very dissatisfied) to 5.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if it cannot be rated now.
    pub async fn rate(
        &self,
        _subject: &str,
        _number: &str,
        _stars: u8,
        _comment: Option<String>,
    ) -> Result<(), EngineError> {
        not_yet()
    }

    /// A material of one's own case or draft: media type and bytes.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn material(
        &self,
        _subject: &str,
        _id: &str,
    ) -> Result<(String, Vec<u8>), EngineError> {
        not_yet()
    }

    /// The desk's list.
    ///
    /// # Errors
    /// As the database says.
    pub async fn inbox(
        &self,
        _officer: &Officer,
        _filter: DeskFilter,
    ) -> Result<Vec<CaseLine>, EngineError> {
        not_yet()
    }

    /// A case on the desk; the look is a line in the applicant's audit trail.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn desk_case(
        &self,
        _officer: &Officer,
        _number: &str,
    ) -> Result<CaseView, EngineError> {
        not_yet()
    }

    /// A material on the desk; the look is a line in the applicant's audit trail.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn desk_material(
        &self,
        _officer: &Officer,
        _number: &str,
        _id: &str,
    ) -> Result<(String, Vec<u8>), EngineError> {
        not_yet()
    }

    /// Decides about the case as the officer saw it (`seq`).
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if it moved on, [`EngineError::Refused`] without reasons.
    pub async fn decide(
        &self,
        _officer: &Officer,
        _number: &str,
        _seq: Option<i64>,
        _decision: Decision,
        _reasons: &str,
    ) -> Result<(), EngineError> {
        not_yet()
    }

    /// The supervision board.
    ///
    /// # Errors
    /// As the database says.
    pub async fn supervision(&self) -> Result<SupervisionView, EngineError> {
        not_yet()
    }

    /// Applies what waits: stored notices, plugin turns that are due again, clock signals. Says
    /// when to call again, milliseconds UTC. [`Worker::run`] calls it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tick(&self, _now: i64) -> Result<Option<i64>, EngineError> {
        not_yet()
    }
}
