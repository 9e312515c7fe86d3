//! The officer's desk and the supervision board.

use idp_store::{StoreError, Tx, audit, outbox};
use plugins_hall::call::Problem;
use plugins_hall::text::text;
use plugins_store::{case, event};
use serde_json::json;

use crate::Engine;
use crate::error::EngineError;
use crate::money;
use crate::unit::{By, Halt, Unit, corrections, sentences};
use crate::view::{CaseLine, CaseView, Decision, DeskFilter, Officer, SupervisionView};

/// Facts of the applicant that an officer is shown.
const APPLICANT: &[&str] = &["name", "sex", "birth_date", "number_masked"];

/// Longest reasons, characters.
const REASONS: usize = 2_000;

impl Engine {
    /// The desk's list: what waits for an officer, the earliest promise first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn inbox(
        &self,
        _officer: &Officer,
        filter: DeskFilter,
    ) -> Result<Vec<CaseLine>, EngineError> {
        let all = filter.all || filter.state.is_some();
        let found: Vec<case::Case> = self
            .parts()
            .db
            .read("desk", move |tx| Box::pin(async move { case::desk(tx, all).await }))
            .await
            .map_err(|cause: StoreError| EngineError::from(cause))?;
        let fits = |case: &&case::Case| {
            filter.state.as_ref().is_none_or(|state| *state == case.state)
                && filter.item.as_ref().is_none_or(|item| *item == case.item)
        };
        Ok(found.iter().filter(fits).map(|case| self.shared.line(case)).collect())
    }

    async fn look(
        &self,
        officer: &Officer,
        case: &case::Case,
        at: &str,
    ) -> Result<(), EngineError> {
        let Some(person) = case.person_id.clone() else { return Ok(()) };
        let details = json!({
            "case": case.number, "item": case.item, "officer": officer.name, "looked_at": at,
        });
        let line = audit::Line {
            at: self.now(),
            kind: "officer_look",
            actor: format!("officer:{}", officer.id),
            details,
        };
        self.parts()
            .db
            .write("officer_look", move |tx: &mut Tx| {
                let (person, line) = (person.clone(), line.clone());
                Box::pin(async move { audit::append(tx, &person, line).await })
            })
            .await
            .map_err(|cause: StoreError| cause.into())
    }

    /// A case on the desk; the look is a line in the applicant's audit trail, written before
    /// anything is shown.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn desk_case(
        &self,
        officer: &Officer,
        number: &str,
    ) -> Result<CaseView, EngineError> {
        let loaded = self.load(number).await?;
        self.look(officer, &loaded.case, "case").await?;
        let subject = loaded.case.subject.clone();
        let mut view = self.shared.view(loaded, "officer", None);
        match self.parts().identity.facts(&subject, APPLICANT).await {
            Ok(facts) => view.applicant = facts,
            // The case can be read without its applicant's name.
            Err(cause) => tracing::warn!(%cause, "the applicant's facts are not available"),
        }
        Ok(view)
    }

    /// A material on the desk; the look is a line in the applicant's audit trail.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn desk_material(
        &self,
        officer: &Officer,
        number: &str,
        id: &str,
    ) -> Result<(String, Vec<u8>), EngineError> {
        let loaded = self.load(number).await?;
        let (found, bytes) = self.bytes(id).await?;
        if found.number.as_ref() != Some(&loaded.case.number) {
            return Err(EngineError::NotFound);
        }
        self.look(officer, &loaded.case, "material").await?;
        Ok((found.about.media_type, bytes))
    }

    /// Decides about the case as the officer saw it (`seq`, where the page sent it).
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if it moved on, [`EngineError::Refused`] without reasons.
    pub async fn decide(
        &self,
        officer: &Officer,
        number: &str,
        seq: Option<i64>,
        decision: Decision,
        reasons: &str,
    ) -> Result<(), EngineError> {
        let reasons = reasons.trim().replace("\r\n", "\n");
        let needed = !matches!(decision, Decision::Approve | Decision::Resume | Decision::Taken);
        if (needed && reasons.is_empty()) || reasons.chars().count() > REASONS {
            // 许可法 art. 38: a refusal is written and gives its reasons.
            return Err(EngineError::Refused(Problem {
                code: "decision.reasons".to_owned(),
                field: Some("reasons".to_owned()),
                detail: text(
                    "请写明理由（不超过二千字）。",
                    "Please give the reasons (at most 2,000 characters).",
                ),
                retryable: false,
            }));
        }
        let number = plugins_hall::number::parse(number).ok_or(EngineError::NotFound)?;
        let by = By::officer(&officer.id);
        let decided = self.change("decide", None, &number, move |unit| {
            let (by, reasons, decision) = (by.clone(), reasons.clone(), decision.clone());
            Box::pin(async move {
                if let Some(seq) = seq
                    && moved(unit, seq).await?
                {
                    return Err(Halt::Engine(EngineError::Conflict));
                }
                carry_out(unit, &by, &decision, &reasons).await
            })
        });
        decided.await?;
        self.parts().failpoints.reached("decided");
        Ok(())
    }

    /// The supervision board.
    ///
    /// # Errors
    /// As the database says.
    pub async fn supervision(&self) -> Result<SupervisionView, EngineError> {
        let read = self.parts().db.read("supervision", |tx: &mut Tx| {
            Box::pin(async move {
                let counts = case::counts(tx).await?;
                let signals = case::signalled(tx).await?;
                let outbox = outbox::counts(tx).await?;
                Ok::<_, StoreError>((counts, signals, outbox, case::ratings(tx).await?))
            })
        });
        let (counts, signals, outbox, ratings) = read.await?;
        let signals = signals.iter().map(|case| self.shared.line(case)).collect();
        Ok(SupervisionView { counts, signals, outbox, ratings })
    }
}

/// Events that change nothing an officer decides about: a text that left, a signal of the clock, a
/// parcel on its way.
const QUIET: &[&str] = &["notice.sent", "signal.", "express.", "plugin.failed"];

/// Whether the case has moved since the officer's page showed it at `seen`.
async fn moved(unit: &mut Unit<'_>, seen: i64) -> Result<bool, Halt> {
    if seen == unit.case.seq {
        return Ok(false);
    }
    let events = event::list(unit.tx, &unit.case.number).await?;
    let quiet = |kind: &str| QUIET.iter().any(|known| kind.starts_with(known));
    Ok(seen > unit.case.seq || events.iter().any(|one| one.seq > seen && !quiet(&one.kind)))
}

async fn carry_out(
    unit: &mut Unit<'_>,
    by: &By,
    decision: &Decision,
    reasons: &str,
) -> Result<(), Halt> {
    let told = if reasons.is_empty() { Vec::new() } else { vec![text(reasons, reasons)] };
    match decision {
        Decision::Approve if unit.case.state != "review" => {
            Err(Halt::Engine(EngineError::Conflict))
        }
        Decision::Approve => unit.take("approve", by, sentences(&told)).await,
        Decision::Refuse => {
            let review = unit.case.state == "review";
            unit.take(if review { "refuse" } else { "reject" }, by, sentences(&told)).await?;
            // The fee is for a document that is not made now.
            money::let_go(unit, "refused").await
        }
        Decision::Correct => {
            let asked = Problem {
                code: "officer.correction".to_owned(),
                field: None,
                detail: text(reasons, reasons),
                retryable: false,
            };
            unit.take("ask_correction", by, corrections(&[asked])).await
        }
        Decision::Suspend => unit.take("suspend", by, sentences(&told)).await,
        Decision::Resume => unit.take("resume", by, sentences(&told)).await,
        Decision::Extend => {
            let days = unit.item()?.extension;
            unit.deadline.extend(days).map_err(|_| Halt::Engine(EngineError::Conflict))?;
            let mut payload = sentences(&told);
            if let Some(map) = payload.as_object_mut() {
                map.insert("days".to_owned(), json!(days));
            }
            unit.tell("clock.extended", by, payload);
            Ok(())
        }
        Decision::Taken if unit.case.state != "ready_for_pickup" => {
            Err(Halt::Engine(EngineError::Conflict))
        }
        Decision::Taken => {
            unit.tell("pickup.taken", by, json!({}));
            unit.take("deliver", by, json!({})).await
        }
    }
}
