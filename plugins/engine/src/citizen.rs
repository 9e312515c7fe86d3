//! What a citizen does with cases: look, withdraw, correct, rate.

use idp_store::{StoreError, Tx};
use plugins_hall::call::Problem;
use plugins_hall::number;
use plugins_store::{case, material};
use serde_json::{Value, json};

use crate::error::EngineError;
use crate::show::Loaded;
use crate::unit::{By, Halt};
use crate::view::{CaseLine, CaseView, Citizen, Upload};
use crate::{Engine, money};

/// Longest comment on a rating, characters.
const COMMENT: usize = 500;

impl Engine {
    /// A citizen's cases, newest first.
    ///
    /// # Errors
    /// As the database says.
    pub async fn cases(&self, subject: &str) -> Result<Vec<CaseLine>, EngineError> {
        let subject = subject.to_owned();
        let found: Vec<case::Case> = self
            .parts()
            .db
            .read("cases", move |tx| {
                let subject = subject.clone();
                Box::pin(async move { case::of_subject(tx, &subject).await })
            })
            .await
            .map_err(|cause: StoreError| EngineError::from(cause))?;
        Ok(found.iter().map(|case| self.shared.line(case)).collect())
    }

    pub(crate) async fn load(&self, number: &str) -> Result<Loaded, EngineError> {
        let number = number::parse(number).ok_or(EngineError::NotFound)?;
        let found = self
            .parts()
            .db
            .read("case", move |tx: &mut Tx| {
                let number = number.clone();
                Box::pin(async move {
                    match case::find(tx, &number).await? {
                        Some(case) => Loaded::read(tx, case).await.map(Some),
                        None => Ok::<_, StoreError>(None),
                    }
                })
            })
            .await?;
        found.ok_or(EngineError::NotFound)
    }

    /// One case of a citizen.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], also for another's case.
    pub async fn case(&self, subject: &str, number: &str) -> Result<CaseView, EngineError> {
        let loaded = self.load(number).await?;
        if loaded.case.subject != subject {
            return Err(EngineError::NotFound);
        }
        let payment = match loaded.due() {
            Some(order) => Some(self.shared.payment_view(order, loaded.case.quote.as_ref())?),
            None => None,
        };
        Ok(self.shared.view(loaded, "citizen", payment))
    }

    /// Withdraws before the decision; what was paid becomes due for refund.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] after the decision.
    pub async fn withdraw(&self, subject: &str, number: &str) -> Result<(), EngineError> {
        let withdrawn = self.change("withdraw", Some(subject), number, |unit| {
            Box::pin(async move {
                if unit.case.state == "withdrawn" {
                    return Ok(());
                }
                unit.take("withdraw", &By::citizen(), json!({})).await?;
                money::let_go(unit, "withdrawn").await
            })
        });
        withdrawn.await?;
        self.parts().failpoints.reached("withdrawn");
        Ok(())
    }

    /// Hands in what was missing; the faults by field, none if it was taken.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if nothing was asked.
    pub async fn correct(
        &self,
        who: &Citizen,
        number: &str,
        form: Value,
        uploads: Vec<Upload>,
    ) -> Result<Vec<Problem>, EngineError> {
        let loaded = self.load(number).await?;
        if loaded.case.subject != who.subject {
            return Err(EngineError::NotFound);
        }
        if loaded.case.state != "correction" {
            return Err(EngineError::Conflict);
        }
        let item = self.item(&loaded.case.item)?.clone();
        let number = loaded.case.number.clone();
        let examined = self.examine(who, &item, &form, uploads, Some(&number)).await?;
        if !examined.problems.is_empty() {
            return Ok(examined.problems);
        }
        let filed = serde_json::to_value(&examined.filed)
            .map_err(|cause| EngineError::Unavailable(cause.to_string()))?;
        let uploads = examined.uploads;
        let shared = self.shared.clone();
        let corrected = self.change("correct", Some(&who.subject), &number, move |unit| {
            let (filed, uploads, shared) = (filed.clone(), uploads.clone(), shared.clone());
            Box::pin(async move {
                let owner = (unit.case.subject.clone(), unit.case.item.clone());
                let number = unit.case.number.clone();
                let place = (owner.0.as_str(), owner.1.as_str(), Some(number.as_str()));
                shared.keep(unit.tx, place, &uploads, unit.now).await?;
                unit.case.form = filed;
                let accepted = unit.deadline.accepted.is_some();
                let edge = if accepted { "corrected" } else { "resubmit" };
                unit.take(edge, &By::citizen(), json!({})).await
            })
        });
        corrected.await?;
        Ok(Vec::new())
    }

    /// Rates a delivered case once, 1 (very dissatisfied) to 5.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] if it cannot be rated now, [`EngineError::Refused`] outside 1–5.
    pub async fn rate(
        &self,
        subject: &str,
        number: &str,
        stars: u8,
        comment: Option<String>,
    ) -> Result<(), EngineError> {
        if !(1..=5).contains(&stars) {
            return Err(EngineError::Refused(Problem {
                code: "rating.range".to_owned(),
                field: Some("rating".to_owned()),
                detail: plugins_hall::text::text("请选择一至五级。", "Please choose one to five."),
                retryable: false,
            }));
        }
        let comment: Option<String> = comment.map(|text| text.chars().take(COMMENT).collect());
        let rated = self.change("rate", Some(subject), number, move |unit| {
            let comment = comment.clone();
            Box::pin(async move {
                unit.case.rating = Some(i64::from(stars));
                let payload = json!({ "stars": stars, "comment": comment });
                unit.take("rate", &By::citizen(), payload).await
            })
        });
        rated.await
    }

    /// A material of one's own case or draft: media type and bytes.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn material(
        &self,
        subject: &str,
        id: &str,
    ) -> Result<(String, Vec<u8>), EngineError> {
        let (found, bytes) = self.bytes(id).await?;
        if found.subject != subject {
            return Err(EngineError::NotFound);
        }
        Ok((found.about.media_type, bytes))
    }

    pub(crate) async fn bytes(
        &self,
        id: &str,
    ) -> Result<(material::Material, Vec<u8>), EngineError> {
        let id = id.to_owned();
        let found = self
            .parts()
            .db
            .read("material", move |tx| {
                let id = id.clone();
                Box::pin(async move { material::find(tx, &id).await.map_err(Halt::from) })
            })
            .await?;
        found.ok_or(EngineError::NotFound)
    }
}
