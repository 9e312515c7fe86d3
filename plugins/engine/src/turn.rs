//! A plugin's turn: a snapshot goes in with no transaction open, an outcome comes back, and all of
//! it is committed or nothing.

use idp_store::{StoreError, Tx};
use plugins_hall::call::{Effect, Failure, Outcome, Problem};
use plugins_hall::deadline::Deadline;
use plugins_hall::machine::STAY;
use plugins_hall::text::text;
use plugins_store::inbox::{self, Waiting};
use plugins_store::{case, event};
use serde_json::{Value, json};

use crate::context::{Filed, heard, snapshot};
use crate::unit::{By, Halt, Unit, corrections, sentences};
use crate::{Engine, effect};

/// How often a turn that lost against another change is run again at once.
const RACES: u32 = 8;
/// Largest data of a plugin's own about one case, bytes.
const DATA: usize = 256 * 1024;

impl Engine {
    /// Lets the plugin act upon one event that it has not heard yet.
    pub(crate) async fn turn(&self, waiting: &Waiting) -> Result<(), Halt> {
        for _ in 0..RACES {
            match self.turn_once(waiting).await {
                Err(Halt::Lost) => {}
                Err(Halt::Plugin(code, cause)) => {
                    let broken = Failure::Broken { code: code.to_owned(), cause };
                    return self.failed(waiting, &broken).await;
                }
                other => return other,
            }
        }
        self.postpone(waiting, 1_000).await
    }

    async fn turn_once(&self, waiting: &Waiting) -> Result<(), Halt> {
        let seq = waiting.payload.get("seq").and_then(Value::as_i64).unwrap_or_default();
        let number = waiting.number.clone();
        let found: Option<(case::Case, event::CaseEvent)> = self
            .parts()
            .db
            .read("turn", move |tx| {
                let number = number.clone();
                Box::pin(async move {
                    let case = case::find(tx, &number).await?;
                    Ok::<_, StoreError>(case.zip(event::find(tx, &number, seq).await?))
                })
            })
            .await?;
        let Some((case, event)) = found else { return self.drop_waiting(waiting).await };
        let Some(item) = self.shared.catalogue.find(&case.item) else {
            return self.failed(waiting, &Failure::Absent).await;
        };
        let attributes = match self.shared.attributes(&case.plugin, &case.subject).await {
            Ok(attributes) => attributes,
            Err(cause) => {
                tracing::warn!(%cause, "facts for a plugin's turn are not available");
                return self.postpone(waiting, 2_000).await;
            }
        };
        let names: Vec<String> = attributes.keys().cloned().collect();
        let actor = self.shared.actor(&case.plugin, &case.subject, item.level, 0);
        let event = heard(&event, &actor);
        let seed = [case.number.as_str(), &event.seq.to_string()];
        let mut context = self.shared.context(item, actor, attributes, event.at, &seed);
        // The price is that of the day of acceptance: cases keep the old fee (domain.md §8).
        let clock: Deadline = serde_json::from_value(case.clock.clone()).unwrap_or_default();
        context.quotes = item.quotes_at(clock.accepted.unwrap_or_else(|| self.now()));
        self.parts().failpoints.reached("turn.call");
        let first = event.kind == "case.submitted";
        let answer = if first {
            self.parts().runtime.start(context, event.clone(), Filed::of(&case).seen()).await
        } else {
            context.case = Some(snapshot(&case));
            self.parts().runtime.advance(context, event.clone()).await
        };
        self.parts().failpoints.reached("turn.answered");
        match answer {
            Ok(outcome) => self.commit_turn(waiting, &case, &event.kind, outcome, names).await,
            Err(Failure::Busy) => self.postpone(waiting, 500).await,
            Err(failure) => self.failed(waiting, &failure).await,
        }
    }

    async fn commit_turn(
        &self,
        waiting: &Waiting,
        seen: &case::Case,
        kind: &str,
        outcome: Outcome,
        attributes: Vec<String>,
    ) -> Result<(), Halt> {
        let shared = self.shared.clone();
        let now = self.now();
        let (waiting, seen, kind) = (waiting.clone(), seen.clone(), kind.to_owned());
        let committed = self
            .parts()
            .db
            .write("plugin_turn", move |tx: &mut Tx| {
                let (shared, waiting, kind) = (shared.clone(), waiting.clone(), kind.clone());
                let (outcome, attributes) = (outcome.clone(), attributes.clone());
                let expected = seen.seq;
                Box::pin(async move {
                    if !inbox::done(tx, &waiting.id).await? {
                        return Ok(());
                    }
                    let opened = Unit::open(&shared, tx, &waiting.number, now).await?;
                    let Some(mut unit) = opened else { return Ok(()) };
                    if unit.case.seq != expected {
                        return Err(Halt::Lost);
                    }
                    apply(&mut unit, &kind, &outcome, &attributes).await?;
                    unit.commit().await.map(drop)
                })
            })
            .await;
        self.parts().failpoints.reached("turn.committed");
        self.parts().wake.notify_one();
        committed
    }

    /// The case stays as it was; the timeline says so once, and the turn is tried again later.
    async fn failed(&self, waiting: &Waiting, failure: &Failure) -> Result<(), Halt> {
        tracing::warn!(case = %waiting.number, %failure, "a plugin's turn failed");
        let shared = self.shared.clone();
        let now = self.now();
        let later = now + backoff(waiting.tries);
        let (waiting, payload) = (waiting.clone(), failure_payload(failure));
        self.parts()
            .db
            .write("plugin_failed", move |tx: &mut Tx| {
                let (shared, waiting, payload) = (shared.clone(), waiting.clone(), payload.clone());
                Box::pin(async move {
                    inbox::postpone(tx, &waiting.id, later).await?;
                    // One line a trouble, not one a try.
                    if waiting.tries == 0
                        && let Some(mut unit) =
                            Unit::open(&shared, tx, &waiting.number, now).await?
                    {
                        unit.tell("plugin.failed", &By::system(), payload);
                        unit.commit().await?;
                    }
                    Ok::<_, Halt>(())
                })
            })
            .await
    }
}

/// 1, 2, 4 … minutes, at most one hour.
fn backoff(tries: i64) -> i64 {
    60_000 * (1_i64 << tries.clamp(0, 6)).min(60)
}

/// The sentence for the applicant; the private cause stays in the log.
pub(crate) fn failure_payload(failure: &Failure) -> Value {
    let sentence = match failure {
        Failure::Refused(problem) => problem.detail.clone(),
        _ => text(
            "办理程序暂时出错，您的办件没有变化，系统会自动重试，工作人员已收到提示。",
            "The service's program failed just now. Your case is unchanged; it is tried again \
             automatically, and the staff have been told.",
        ),
    };
    let code = match failure {
        Failure::Refused(problem) => problem.code.clone(),
        Failure::Broken { code, .. } => code.clone(),
        Failure::Absent => "absent".to_owned(),
        Failure::Busy => "busy".to_owned(),
    };
    json!({ "text": [sentence], "code": code })
}

fn broken(cause: &str) -> Halt {
    Halt::Plugin("nonsense", cause.to_owned())
}

/// Carries an outcome out inside a unit.
pub(crate) async fn apply(
    unit: &mut Unit<'_>,
    kind: &str,
    outcome: &Outcome,
    attributes: &[String],
) -> Result<(), Halt> {
    let transition = &outcome.transition;
    if transition.data.to_string().len() > DATA {
        return Err(broken("the plugin's data is too large"));
    }
    let heard_at = unit.case.seq;
    let edge = choose(unit, outcome).await?;
    unit.case.data = transition.data.clone();
    unit.case.plugin_version.clone_from(&outcome.version);
    let asked = outcome.effects.iter().any(|e| matches!(e, Effect::RequestPayment { .. }));
    if asked != (edge == "ask_fee") {
        return Err(broken("a fee is asked by the edge ask_fee together with a payment request"));
    }
    match edge.as_str() {
        STAY => {}
        "ask_fee" => effect::ask_fee(unit, outcome).await?,
        "ask_correction" => {
            let problems = problems(outcome)?;
            unit.take("ask_correction", &By::rule(), corrections(&problems)).await?;
        }
        other => unit.take(other, &By::rule(), sentences(&transition.reasons)).await?,
    }
    // What the plugin says of an edge that was not taken would not be true (an approval that an
    // officer has yet to give).
    if edge == transition.edge && !transition.public_status.is_empty() {
        unit.case.status = json!(transition.public_status);
    }
    effect::carry(unit, outcome).await?;
    for (n, call) in outcome.calls.iter().enumerate() {
        let record = serde_json::to_value(call).map_err(|c| StoreError::Data(c.to_string()))?;
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let number = unit.case.number.clone();
        event::keep_call(unit.tx, &number, heard_at, n, &call.function, &record).await?;
    }
    let details = json!({
        "case": unit.case.number, "item": unit.case.item, "event": kind, "edge": edge,
        "version": outcome.version, "attributes": attributes, "calls": outcome.calls.len(),
    });
    let actor = format!("plugin:{}", unit.case.plugin);
    unit.audit("plugin_call", actor, details).await
}

/// The edge that is taken: a rule's approval is advice while the operator's switch is off.
async fn choose(unit: &mut Unit<'_>, outcome: &Outcome) -> Result<String, Halt> {
    let transition = &outcome.transition;
    if transition.edge != "approve" {
        return Ok(transition.edge.clone());
    }
    if transition.reasons.is_empty() {
        return Err(broken("a decision shows its reasons"));
    }
    let allowed = unit.shared.auto_approve(&unit.case.item);
    let mut payload = sentences(&transition.reasons);
    if let Some(map) = payload.as_object_mut() {
        map.insert("result".to_owned(), json!("approve"));
        map.insert("applied".to_owned(), json!(allowed));
    }
    unit.tell("rule.evaluated", &By::rule(), payload);
    if allowed {
        return Ok("approve".to_owned());
    }
    let here = unit.case.state == "review";
    Ok(if here { STAY } else { "review" }.to_owned())
}

fn problems(outcome: &Outcome) -> Result<Vec<Problem>, Halt> {
    let found = outcome.effects.iter().find_map(|effect| match effect {
        Effect::AskCorrection { problems } if !problems.is_empty() => Some(problems.clone()),
        _ => None,
    });
    found.ok_or_else(|| broken("a correction names all that is missing"))
}
