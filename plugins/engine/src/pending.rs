//! Applies what waits: stored notices, answers of counterparts, turns of plugins, clocks.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use idp_store::{StoreError, Tx};
use plugins_hall::clock::Signal;
use plugins_store::case;
use plugins_store::inbox::{self, Waiting};
use serde_json::json;

use crate::error::EngineError;
use crate::unit::{By, Halt, Unit};
use crate::{Engine, money, parcel};

/// How many waiting rows one look takes.
const BATCH: u32 = 50;
/// How often a row that lost against another change is tried at once.
const RACES: u32 = 8;

impl Engine {
    /// Applies what waits: stored notices, plugin turns that are due again, clock signals. Says
    /// when to call again, milliseconds UTC. The worker calls it.
    ///
    /// # Errors
    /// As the database says.
    pub async fn tick(&self, now: i64) -> Result<Option<i64>, EngineError> {
        // One look at a time in one process: a second would only repeat the plugins' calls.
        let _alone = self.shared.ticking.lock().await;
        loop {
            let due = self
                .parts()
                .db
                .read("inbox", move |tx| Box::pin(async move { inbox::due(tx, now, BATCH).await }))
                .await
                .map_err(|cause: StoreError| EngineError::from(cause))?;
            if due.is_empty() {
                break;
            }
            // Cases side by side, what concerns one case in its order.
            let mut cases: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
            for waiting in due {
                cases.entry(waiting.number.clone()).or_default().push(waiting);
            }
            let settled = cases.into_values().map(|rows| async move {
                for row in rows {
                    self.settle_one(&row).await?;
                }
                Ok::<_, EngineError>(())
            });
            join_all(settled).await.into_iter().collect::<Result<(), _>>()?;
        }
        self.clocks(now).await?;
        let next = self
            .parts()
            .db
            .read("next", |tx| {
                Box::pin(async move {
                    let times = [inbox::next_at(tx).await?, case::next_tick(tx).await?];
                    Ok::<_, StoreError>(times.into_iter().flatten().min())
                })
            })
            .await?;
        Ok(next)
    }

    /// One waiting row; its failure keeps no other from being applied.
    async fn settle_one(&self, waiting: &Waiting) -> Result<(), EngineError> {
        let outcome = if waiting.kind == "turn" {
            self.turn(waiting).await
        } else {
            self.fact(waiting).await
        };
        self.parts().failpoints.reached("inbox.applied");
        match outcome {
            Ok(()) => Ok(()),
            Err(Halt::Store(StoreError::Database(cause))) => {
                Err(StoreError::Database(cause).into())
            }
            Err(halt) => {
                let cause = EngineError::from(halt);
                tracing::error!(case = %waiting.number, kind = %waiting.kind, %cause,
                    "a waiting row cannot be applied and is tried again later");
                Ok(self.postpone(waiting, 30_000).await?)
            }
        }
    }

    async fn fact(&self, waiting: &Waiting) -> Result<(), Halt> {
        for _ in 0..RACES {
            let shared = self.shared.clone();
            let now = self.now();
            let row = waiting.clone();
            let outcome = self
                .parts()
                .db
                .write("fact", move |tx: &mut Tx| {
                    let (shared, row) = (shared.clone(), row.clone());
                    Box::pin(async move {
                        if !inbox::done(tx, &row.id).await? {
                            return Ok(());
                        }
                        let opened = Unit::open(&shared, tx, &row.number, now).await?;
                        let Some(mut unit) = opened else { return Ok(()) };
                        tell(&mut unit, &row).await?;
                        unit.commit().await.map(drop)
                    })
                })
                .await;
            match outcome {
                Err(Halt::Lost) => {}
                other => {
                    self.parts().wake.notify_one();
                    return other;
                }
            }
        }
        self.postpone(waiting, 1_000).await
    }

    pub(crate) async fn postpone(&self, waiting: &Waiting, by: i64) -> Result<(), Halt> {
        let (id, at) = (waiting.id.clone(), self.now() + by);
        self.parts()
            .db
            .write("postpone", move |tx: &mut Tx| {
                let id = id.clone();
                Box::pin(async move { Ok(inbox::postpone(tx, &id, at).await?) })
            })
            .await
    }

    pub(crate) async fn drop_waiting(&self, waiting: &Waiting) -> Result<(), Halt> {
        let id = waiting.id.clone();
        self.parts()
            .db
            .write("drop_waiting", move |tx: &mut Tx| {
                let id = id.clone();
                Box::pin(async move { Ok(inbox::done(tx, &id).await.map(drop)?) })
            })
            .await
    }

    /// Signals whose time has come, and parcels to be asked for.
    async fn clocks(&self, now: i64) -> Result<(), EngineError> {
        let numbers: Vec<String> = self
            .parts()
            .db
            .read("ticking", move |tx| Box::pin(async move { case::ticking(tx, now).await }))
            .await
            .map_err(|cause: StoreError| EngineError::from(cause))?;
        for number in numbers {
            let shared = self.shared.clone();
            let outcome = self
                .parts()
                .db
                .write("clock", move |tx: &mut Tx| {
                    let (shared, number) = (shared.clone(), number.clone());
                    Box::pin(async move {
                        let opened = Unit::open(&shared, tx, &number, now).await?;
                        let Some(mut unit) = opened else { return Ok(()) };
                        look(&mut unit).await?;
                        unit.commit().await.map(drop)
                    })
                })
                .await;
            match outcome {
                // Whoever was first has looked at the clock too.
                Ok(()) | Err(Halt::Lost) => {}
                Err(halt) => return Err(halt.into()),
            }
        }
        Ok(())
    }
}

/// A fact from outside, told to its case.
async fn tell(unit: &mut Unit<'_>, row: &Waiting) -> Result<(), Halt> {
    match row.kind.as_str() {
        "notice" => money::noticed(unit, row).await,
        "payment" => money::answered(unit, &row.payload).await,
        "refund" => money::refunded(unit, &row.payload).await,
        "booked" => parcel::booked(unit, &row.payload).await,
        "booking_refused" => {
            parcel::refused(unit, &row.payload);
            Ok(())
        }
        "tracking" => parcel::tracked(unit, &row.payload).await,
        "sent" => {
            unit.tell("notice.sent", &By::counterpart(), row.payload.clone());
            Ok(())
        }
        kind @ ("undelivered" | "refund_refused") => {
            let kind = if kind == "undelivered" { "notice.failed" } else { "refund.problem" };
            if kind == "refund.problem" {
                unit.case.signal = Some("red".to_owned());
            }
            unit.tell(kind, &By::counterpart(), row.payload.clone());
            Ok(())
        }
        other => {
            tracing::error!(kind = other, "an unknown kind waits");
            Ok(())
        }
    }
}

/// The clock of one case.
async fn look(unit: &mut Unit<'_>) -> Result<(), Halt> {
    if unit.case.state == "dispatch" {
        return parcel::follow(unit).await;
    }
    let signal = unit.deadline.signal(unit.shared.catalogue.calendar(), unit.now);
    let before = unit.case.signal.as_deref().and_then(Signal::parse);
    if let Some(signal) = signal
        && Some(signal) > before
    {
        unit.case.signal = Some(signal.name().to_owned());
        let payload = json!({ "promised": unit.case.promised_due });
        unit.tell(&format!("signal.{}", signal.name()), &By::system(), payload);
    }
    Ok(())
}
