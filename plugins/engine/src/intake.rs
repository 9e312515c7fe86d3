//! From a form to a case: prefill, drafts, checks by field, the plugin's first turn.

use idp_store::{StoreError, Tx};
use plugins_hall::call::{Context, Event, Failure, Outcome, Problem};
use plugins_hall::catalogue::Item;
use plugins_hall::deadline::Deadline;
use plugins_hall::form;
use plugins_hall::number;
use plugins_hall::status;
use plugins_store::case::{self, Case};
use plugins_store::draft::{self, Draft};
use plugins_store::material;
use serde_json::{Value, json};

use crate::context::{Filed, hidden};
use crate::error::EngineError;
use crate::unit::{By, Halt, Unit};
use crate::upload::{Checked, missing};
use crate::view::{Citizen, DraftView, FormView, Submission, Submitted, Upload};
use crate::{Engine, show, turn};

/// The step whose form is handed in.
const STEP: &str = "apply";
/// Largest form, bytes of JSON.
const FORM: usize = 128 * 1024;

/// A form that has been checked against everything.
pub(crate) struct Examined {
    pub(crate) context: Context,
    pub(crate) filed: Filed,
    pub(crate) uploads: Vec<Checked>,
    pub(crate) problems: Vec<Problem>,
}

fn unavailable(failure: Failure) -> EngineError {
    match failure {
        Failure::Refused(problem) => EngineError::Refused(problem),
        other => EngineError::Unavailable(other.to_string()),
    }
}

impl Engine {
    async fn ask(
        &self,
        who: &Citizen,
        item: &Item,
        seed: &str,
    ) -> Result<(Context, Value), EngineError> {
        if who.proofing < item.level {
            return Err(EngineError::Level(item.level));
        }
        let attributes = self.shared.attributes(&item.plugin, &who.subject).await?;
        let actor = self.shared.actor(&item.plugin, &who.subject, who.proofing, who.auth);
        let prefill = json!(attributes);
        let context = self.shared.context(item, actor, attributes, self.now(), &[seed, "1"]);
        let runtime = &self.parts().runtime;
        let schema = runtime.form(context.clone(), STEP, prefill).await.map_err(unavailable)?;
        Ok((context, schema))
    }

    /// The item's form, prefilled with verified facts, and the saved draft.
    ///
    /// # Errors
    /// [`EngineError::Level`] where the person must step up first, [`EngineError::Unavailable`].
    pub async fn form(&self, who: &Citizen, code: &str) -> Result<FormView, EngineError> {
        let item = self.item(code)?;
        let (_, schema) = self.ask(who, item, "").await?;
        let draft = self.load_draft(who, code).await?;
        Ok(FormView { item: code.to_owned(), schema, draft })
    }

    /// Keeps what was typed and uploaded, faults or not.
    ///
    /// # Errors
    /// [`EngineError::Refused`] for an upload that is no picture or too large; what was typed is
    /// kept even then.
    pub async fn save_draft(
        &self,
        who: &Citizen,
        code: &str,
        form: Value,
        uploads: Vec<Upload>,
    ) -> Result<DraftView, EngineError> {
        let item = self.item(code)?;
        let (good, faults) = self.decode(item, uploads).await?;
        self.keep_draft(who, item, &form, good, None).await?;
        if let Some(problem) = faults.into_iter().next() {
            return Err(EngineError::Refused(problem));
        }
        self.load_draft(who, code).await?.ok_or(EngineError::NotFound)
    }

    async fn keep_draft(
        &self,
        who: &Citizen,
        item: &Item,
        form: &Value,
        uploads: Vec<Checked>,
        transaction: Option<&str>,
    ) -> Result<(), EngineError> {
        if form.to_string().len() > FORM {
            return Err(EngineError::Unavailable("the form is too large".to_owned()));
        }
        let shared = self.shared.clone();
        let now = self.now();
        let transaction =
            transaction.map_or_else(|| self.parts().ambient.id(), |known| known.to_owned());
        let draft = Draft { transaction, form: form.clone(), saved_at: now };
        let (subject, code) = (who.subject.clone(), item.code.clone());
        self.parts()
            .db
            .write("save_draft", move |tx: &mut Tx| {
                let (shared, draft, uploads) = (shared.clone(), draft.clone(), uploads.clone());
                let (subject, code) = (subject.clone(), code.clone());
                Box::pin(async move {
                    draft::save(tx, &subject, &code, &draft).await?;
                    shared.keep(tx, (&subject, &code, None), &uploads, now).await
                })
            })
            .await
            .map_err(|halt: Halt| halt.into())
    }

    /// What was kept.
    ///
    /// # Errors
    /// As the database says.
    pub async fn load_draft(
        &self,
        who: &Citizen,
        code: &str,
    ) -> Result<Option<DraftView>, EngineError> {
        let (subject, code) = (who.subject.clone(), code.to_owned());
        let found = self
            .parts()
            .db
            .read("load_draft", move |tx| {
                let (subject, code) = (subject.clone(), code.clone());
                Box::pin(async move {
                    let draft = draft::load(tx, &subject, &code).await?;
                    let materials = material::of_draft(tx, &subject, &code).await?;
                    Ok::<_, StoreError>(draft.map(|draft| (draft, materials)))
                })
            })
            .await?;
        Ok(found.map(|(draft, materials)| DraftView {
            transaction: draft.transaction,
            form: draft.form,
            materials: materials.into_iter().map(show::material).collect(),
            saved_at: draft.saved_at,
        }))
    }

    /// Checks a form and its uploads: locked fields are taken from the facts, never from what was
    /// sent.
    pub(crate) async fn examine(
        &self,
        who: &Citizen,
        item: &Item,
        form: &Value,
        uploads: Vec<Upload>,
        of_case: Option<&str>,
    ) -> Result<Examined, EngineError> {
        let seed = of_case.unwrap_or_default();
        let (context, schema) = self.ask(who, item, seed).await?;
        let mut values = json!({});
        for field in form::fields(&schema) {
            let value = if field.locked() {
                field.schema.get("default").cloned()
            } else {
                form::get(form, &field.path).filter(|value| !value.is_null()).cloned()
            };
            if let Some(value) = value {
                form::put(&mut values, &field.path, value);
            }
        }
        let mut problems = form::check(&schema, &values);
        let (uploads, faults) = self.decode(item, uploads).await?;
        problems.extend(faults);
        let kept = self.materials(&who.subject, &item.code, of_case).await?;
        problems.extend(missing(item, &kept, &uploads));
        let hidden = hidden(&schema, &self.shared.granted(&item.plugin));
        let filed = Filed { values, hidden };
        if problems.is_empty() {
            let runtime = &self.parts().runtime;
            let found = runtime.validate(context.clone(), STEP, filed.seen()).await;
            problems = found.map_err(unavailable)?;
        }
        Ok(Examined { context, filed, uploads, problems })
    }

    async fn materials(
        &self,
        subject: &str,
        code: &str,
        number: Option<&str>,
    ) -> Result<Vec<material::Material>, EngineError> {
        let key = (subject.to_owned(), code.to_owned(), number.map(str::to_owned));
        let found = self.parts().db.read("materials", move |tx| {
            let (subject, code, number) = key.clone();
            Box::pin(async move {
                match number {
                    Some(number) => material::of_case(tx, &number).await,
                    None => material::of_draft(tx, &subject, &code).await,
                }
            })
        });
        found.await.map_err(|cause: StoreError| cause.into())
    }

    /// Opens a case, or says what is at fault by field. The same transaction gives the same case.
    ///
    /// # Errors
    /// As [`Engine::form`].
    pub async fn submit(
        &self,
        who: &Citizen,
        code: &str,
        submission: Submission,
    ) -> Result<Submitted, EngineError> {
        let item = self.item(code)?.clone();
        let Submission { transaction, form, uploads } = submission;
        if let Some(number) = self.known(&who.subject, &transaction).await? {
            return Ok(Submitted::Case(number));
        }
        let examined = self.examine(who, &item, &form, uploads, None).await?;
        if !examined.problems.is_empty() {
            self.keep_draft(who, &item, &form, examined.uploads, Some(&transaction)).await?;
            return Ok(Submitted::Refused(examined.problems));
        }
        let case = self.new_case(who, &item, &transaction, &examined).await?;
        let mut context = examined.context.clone();
        context.seed = plugins_hall::key::hash(&[&case.number, "1"]);
        let event = Event {
            seq: 1,
            kind: "case.submitted".to_owned(),
            at: case.opened_at,
            actor: context.actor.clone(),
            payload: json!({}),
        };
        context.now = case.opened_at;
        let answer = self.parts().runtime.start(context, event, examined.filed.seen()).await;
        if let Err(Failure::Refused(problem)) = &answer {
            self.keep_draft(who, &item, &form, examined.uploads, Some(&transaction)).await?;
            return Ok(Submitted::Refused(vec![problem.clone()]));
        }
        self.parts().failpoints.reached("submit.answered");
        let opened = self.open_case(case.clone(), examined.uploads.clone(), answer).await;
        let opened = match opened {
            Err(Halt::Plugin(code, cause)) => {
                let broken = Failure::Broken { code: code.to_owned(), cause };
                self.open_case(case, examined.uploads, Err(broken)).await
            }
            other => other,
        };
        self.parts().failpoints.reached("submit.committed");
        self.parts().wake.notify_one();
        match opened {
            Ok(number) => Ok(Submitted::Case(number)),
            // The same form sent twice at once: the other one made the case.
            Err(Halt::Store(StoreError::Conflict)) => {
                let number = self.known(&who.subject, &transaction).await?;
                number.map(Submitted::Case).ok_or(EngineError::Conflict)
            }
            Err(halt) => Err(halt.into()),
        }
    }

    async fn known(&self, subject: &str, transaction: &str) -> Result<Option<String>, EngineError> {
        let key = (subject.to_owned(), transaction.to_owned());
        let found = self.parts().db.read("known", move |tx| {
            let (subject, transaction) = key.clone();
            Box::pin(async move { case::by_transaction(tx, &subject, &transaction).await })
        });
        found.await.map_err(|cause: StoreError| cause.into())
    }

    async fn new_case(
        &self,
        who: &Citizen,
        item: &Item,
        transaction: &str,
        examined: &Examined,
    ) -> Result<Case, EngineError> {
        let facts = self.parts().identity.facts(&who.subject, &["person_id"]).await?;
        let mut random = [0; 16];
        self.parts().ambient.random.fill(&mut random);
        let now = self.now();
        let json = |cause: serde_json::Error| EngineError::Unavailable(cause.to_string());
        Ok(Case {
            number: number::make(random),
            item: item.code.clone(),
            plugin: item.plugin.clone(),
            machine: item.machine.clone(),
            subject: who.subject.clone(),
            person_id: facts.get("person_id").cloned(),
            transaction: transaction.to_owned(),
            lang: who.lang.clone(),
            state: "draft".to_owned(),
            seq: 0,
            state_version: 1,
            plugin_version: String::new(),
            data: json!({}),
            form: serde_json::to_value(&examined.filed).map_err(json)?,
            status: json!(status::of("submitted")),
            clock: serde_json::to_value(Deadline::open(now)).map_err(json)?,
            quote: None,
            queue: None,
            label: None,
            rating: None,
            signal: None,
            promised_due: None,
            tick_at: None,
            opened_at: now,
            changed_at: now,
        })
    }

    /// Writes a case with its plugin's first answer; where the plugin failed, the case waits for
    /// it with a line that says so.
    async fn open_case(
        &self,
        case: Case,
        uploads: Vec<Checked>,
        answer: Result<Outcome, Failure>,
    ) -> Result<String, Halt> {
        let shared = self.shared.clone();
        self.parts()
            .db
            .write("open_case", move |tx: &mut Tx| {
                let (shared, case) = (shared.clone(), case.clone());
                let (uploads, answer) = (uploads.clone(), answer.clone());
                Box::pin(async move {
                    let now = case.opened_at;
                    let owner = (case.subject.clone(), case.item.clone());
                    let names = shared.granted(&case.plugin);
                    shared.keep(tx, (&owner.0, &owner.1, None), &uploads, now).await?;
                    material::attach(tx, &owner.0, &owner.1, &case.number).await?;
                    draft::remove(tx, &owner.0, &owner.1).await?;
                    let mut unit = Unit::begin(&shared, tx, case, now)?;
                    unit.take("submit", &By::citizen(), json!({})).await?;
                    match &answer {
                        Ok(outcome) => {
                            turn::apply(&mut unit, "case.submitted", outcome, &names).await?;
                        }
                        Err(failure) => {
                            let seq = unit.case.seq;
                            unit.hear(seq);
                            let payload = turn::failure_payload(failure);
                            unit.tell("plugin.failed", &By::system(), payload);
                        }
                    }
                    unit.commit().await
                })
            })
            .await
    }
}
