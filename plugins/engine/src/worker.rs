//! Carries the outbox: claims under a lease, sends, asks where nobody knows.
//!
//! `unknown` is settled by asking with the key, never by sending again; a message may be sent again
//! within its policy, because a second text does no harm and a second parcel does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Shared, join_all};
use idp_store::outbox::{self, Claimed, Lane, Settled};
use idp_store::{StoreError, Tx};
use plugins_hall::port::{Counterpart, Delivery, Tracking};
use plugins_store::inbox::{self, Waiting};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::Engine;
use crate::error::EngineError;
use crate::show::text_of;

/// Effects that are carried at the same time.
const SIDE_BY_SIDE: u32 = 16;
/// How often a message is tried before it is given up.
const MESSAGES: i64 = 6;
/// How often an effect that nobody knows about is asked for before an operator must look.
const ASKED: i64 = 40;

/// Longest sleep, milliseconds: what another process wrote (the command line, a node that died) is
/// found after this.
const LONGEST: i64 = 5_000;

/// The outbox worker. One a node; several nodes share the rows.
pub struct Worker {
    engine: Engine,
}

/// 1, 2, 4, 8, 16, 32 s (domain.md §10), then a minute, five, a quarter of an hour.
fn backoff(attempts: i64) -> i64 {
    match attempts {
        ..6 => 1_000 << attempts.max(0),
        6..12 => 60_000,
        12..20 => 300_000,
        _ => 900_000,
    }
}

impl Worker {
    /// A worker over an engine.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Runs until `shutdown` resolves; sleeps until something is due or a commit wakes it.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let shutdown = shutdown.shared();
        // One wake for both: whoever wakes the worker need not know which lane it is for.
        let notices = Notify::new();
        let both = async {
            tokio::join!(
                self.keep(Lane::House, &self.engine.parts().wake, Some(&notices), shutdown.clone()),
                self.keep(Lane::Notices, &notices, None, shutdown.clone()),
            )
        };
        both.await;
    }

    async fn keep(
        &self,
        lane: Lane,
        wake: &Notify,
        pass_on: Option<&Notify>,
        mut shutdown: Shared<impl Future<Output = ()> + Send>,
    ) {
        loop {
            let wait = match self.step_of(lane).await {
                Ok(None) => LONGEST,
                Ok(Some(at)) => (at - self.engine.now()).clamp(0, LONGEST),
                Err(cause) => {
                    tracing::error!(%cause, "the outbox worker cannot work");
                    1_000
                }
            };
            let wait = Duration::from_millis(u64::try_from(wait).unwrap_or_default());
            tokio::select! {
                () = &mut shutdown => return,
                () = wake.notified() => {
                    if let Some(other) = pass_on {
                        other.notify_one();
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that is due now; says when to come again, milliseconds UTC.
    ///
    /// # Errors
    /// As the database says.
    pub async fn step(&self) -> Result<Option<i64>, EngineError> {
        self.step_of(Lane::Notices).await?;
        self.step_of(Lane::House).await
    }

    async fn step_of(&self, lane: Lane) -> Result<Option<i64>, EngineError> {
        loop {
            let now = self.engine.now();
            let lease = self.engine.parts().settings.lease_ms;
            let claimed: Vec<Claimed> = self
                .engine
                .parts()
                .db
                .write("claim", move |tx: &mut Tx| {
                    Box::pin(async move { outbox::claim(tx, lane, now, lease, SIDE_BY_SIDE).await })
                })
                .await
                .map_err(|cause: StoreError| EngineError::from(cause))?;
            let idle = claimed.is_empty();
            for outcome in join_all(claimed.into_iter().map(|row| self.carry(row))).await {
                outcome?;
            }
            let next = match lane {
                Lane::House => self.engine.tick(self.engine.now()).await?,
                Lane::Notices => None,
            };
            let waiting: Option<i64> = self
                .engine
                .parts()
                .db
                .read("outbox_next", move |tx| {
                    Box::pin(async move { outbox::next_at(tx, lane).await })
                })
                .await
                .map_err(|cause: StoreError| EngineError::from(cause))?;
            if idle && waiting.is_none_or(|at| at > now) {
                return Ok([next, waiting].into_iter().flatten().min());
            }
        }
    }

    async fn carry(&self, row: Claimed) -> Result<(), EngineError> {
        let failpoints = &self.engine.parts().failpoints;
        failpoints.reached("outbox.claimed");
        let found = self.engine.parts().counterparts.iter();
        let counterpart = found.clone().find(|one| one.interface() == row.interface).cloned();
        let delivery = match counterpart {
            Some(counterpart) => self.deliver(&counterpart, &row).await,
            None => Delivery::Unknown("no counterpart serves this interface".to_owned()),
        };
        failpoints.reached("outbox.answered");
        self.settle(&row, delivery).await?;
        failpoints.reached("outbox.settled");
        Ok(())
    }

    async fn deliver(&self, counterpart: &Arc<dyn Counterpart>, row: &Claimed) -> Delivery {
        let arguments = match self.resolved(row).await {
            Ok(arguments) => arguments,
            Err(delivery) => return delivery,
        };
        let again = harmless(row) || counterpart.may_resend();
        // A lapsed lease: somebody may have sent it and died before saying so.
        if row.state == "pending" || again {
            return counterpart.send(&row.key, &arguments).await;
        }
        match counterpart.ask(&row.key, &arguments).await {
            // The counterpart never heard of the key: sending is safe.
            Delivery::NotFound => counterpart.send(&row.key, &arguments).await,
            other => other,
        }
    }

    /// Telephone numbers, names and addresses are looked up when an effect leaves.
    async fn resolved(&self, row: &Claimed) -> Result<Value, Delivery> {
        let mut arguments = row.arguments.clone();
        let subject = text_of(&arguments, "to_subject");
        if subject.is_empty() {
            return Ok(arguments);
        }
        let identity = &self.engine.parts().identity;
        let facts = identity.facts(&subject, &["name", "phone", "address"]).await;
        let facts = facts.map_err(|cause| Delivery::Unknown(cause.to_string()))?;
        let Some(map) = arguments.as_object_mut() else { return Ok(arguments) };
        map.remove("to_subject");
        if row.interface == "sms" {
            let Some(phone) = facts.get("phone") else {
                return Err(Delivery::Refused("no_phone".to_owned()));
            };
            map.insert("to".to_owned(), json!(phone));
            return Ok(arguments);
        }
        let given = map.get("to").cloned().unwrap_or(Value::Null);
        let of = |name: &str| {
            let typed = given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            typed.map(str::to_owned).or_else(|| facts.get(name).cloned())
        };
        let (name, phone, address) = (of("name"), of("phone"), of("address"));
        if name.is_none() || phone.is_none() || address.is_none() {
            return Err(Delivery::Refused("no_address".to_owned()));
        }
        let to = json!({ "name": name, "phone": phone, "address": address });
        map.insert("to".to_owned(), to);
        Ok(arguments)
    }

    async fn settle(&self, row: &Claimed, delivery: Delivery) -> Result<(), EngineError> {
        let now = self.engine.now();
        let settings = &self.engine.parts().settings;
        let settled = verdict(row, &delivery, now, settings.order_ms);
        let mut told = outcome(row, &settled);
        if let Settled::Sent(answer) = &settled
            && text_of(&row.arguments, "operation") == "track"
        {
            self.engine.keep_tracking(lines(&row.arguments, answer)).await?;
            told = None;
        }
        let ambient = self.engine.parts().ambient.clone();
        let row = row.clone();
        let kept: bool = self
            .engine
            .parts()
            .db
            .write("settle", move |tx: &mut Tx| {
                let (row, settled, told) = (row.clone(), settled.clone(), told.clone());
                let id = ambient.id();
                Box::pin(async move {
                    // A late worker whose lease was lost leaves no trace.
                    if !outbox::settle(tx, &row, now, &settled).await? {
                        return Ok::<_, StoreError>(false);
                    }
                    if let Some((kind, payload)) = told
                        && let Some(number) = row.subject
                    {
                        let waiting = Waiting {
                            id,
                            source: "outbox".to_owned(),
                            source_id: row.key,
                            number,
                            kind: kind.to_owned(),
                            payload,
                            tries: 0,
                        };
                        inbox::insert(tx, &waiting, now).await?;
                    }
                    Ok(true)
                })
            })
            .await?;
        if !kept {
            tracing::warn!("an effect took longer than its lease");
        }
        Ok(())
    }
}

/// Whether an operation changes nothing outside, so that it may always be asked again.
fn harmless(row: &Claimed) -> bool {
    matches!(text_of(&row.arguments, "operation").as_str(), "query" | "track")
}

/// What an answer means for the row.
fn verdict(row: &Claimed, delivery: &Delivery, now: i64, order_ms: i64) -> Settled {
    let later = now + backoff(row.attempts);
    let query = text_of(&row.arguments, "operation") == "query";
    match delivery {
        Delivery::Done(answer) => Settled::Sent(answer.clone()),
        // A refused question says nothing about the payment.
        _ if query => {
            // The sum of all waits is known from the number of attempts.
            let waited: i64 = (0..=row.attempts).map(backoff).sum();
            if waited > order_ms {
                Settled::Failed("expired".to_owned())
            } else {
                Settled::Again(later, "not settled yet".to_owned())
            }
        }
        Delivery::Refused(code) => Settled::Failed(code.clone()),
        Delivery::Unknown(cause) if row.interface == "sms" || harmless(row) => {
            if row.attempts + 1 >= MESSAGES {
                Settled::Failed("unreachable".to_owned())
            } else {
                Settled::Again(later, cause.clone())
            }
        }
        Delivery::Unknown(cause) if row.attempts + 1 >= ASKED => Settled::Dead(cause.clone()),
        _ if row.attempts + 1 >= ASKED => Settled::Dead("nobody knows".to_owned()),
        Delivery::NotFound => Settled::Again(later, "not found".to_owned()),
        Delivery::Pending => Settled::Unknown(later, "pending".to_owned()),
        Delivery::Unknown(cause) => Settled::Unknown(later, cause.clone()),
    }
}

/// What the case hears about a row that is settled for good.
fn outcome(row: &Claimed, settled: &Settled) -> Option<(&'static str, Value)> {
    let argument = |name: &str| text_of(&row.arguments, name);
    let operation = argument("operation");
    match (row.interface.as_str(), operation.as_str(), settled) {
        ("sms", _, Settled::Sent(_)) => Some(("sent", json!({ "template": argument("template") }))),
        ("sms", _, Settled::Failed(code) | Settled::Dead(code)) => {
            Some(("undelivered", json!({ "template": argument("template"), "code": code })))
        }
        ("express", "book", Settled::Sent(answer)) => {
            let label = text_of(answer, "label");
            Some(("booked", json!({ "key": row.key, "label": label })))
        }
        ("express", "book", Settled::Failed(code) | Settled::Dead(code)) => {
            Some(("booking_refused", json!({ "code": code })))
        }
        ("payment", "query", Settled::Sent(answer)) => {
            let mut payload = answer.clone();
            payload.as_object_mut()?.insert("order_id".to_owned(), json!(argument("order_id")));
            Some(("payment", payload))
        }
        ("payment", "query", Settled::Failed(code)) => Some((
            "payment",
            json!({ "order_id": argument("order_id"), "status": "failed", "reason": code }),
        )),
        ("payment", "refund", Settled::Sent(_)) => {
            Some(("refund", json!({ "order_id": argument("order_id") })))
        }
        ("payment", "refund", Settled::Failed(code) | Settled::Dead(code)) => {
            Some(("refund_refused", json!({ "order_id": argument("order_id"), "code": code })))
        }
        _ => None,
    }
}

/// The lines of a carrier's answer about a parcel.
fn lines(arguments: &Value, answer: &Value) -> Vec<Tracking> {
    let key = text_of(arguments, "key");
    let events = answer.get("events").and_then(Value::as_array);
    let line = |event: &Value| Tracking {
        key: key.clone(),
        source_id: text_of(event, "id"),
        kind: text_of(event, "kind"),
        at: event.get("at").and_then(Value::as_i64).unwrap_or_default(),
        place: event.get("place").and_then(Value::as_str).map(str::to_owned),
    };
    events.into_iter().flatten().map(line).collect()
}
