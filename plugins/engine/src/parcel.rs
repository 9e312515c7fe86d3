//! Parcels: booked through the outbox, followed by the carrier's pushes and by asking.

use std::collections::BTreeMap;

use idp_store::{StoreError, Tx};
use plugins_hall::port::Tracking;
use plugins_store::event;
use plugins_store::inbox::{self, Waiting};
use serde_json::{Value, json};

use crate::Engine;
use crate::error::EngineError;
use crate::unit::{By, Halt, Unit};

/// The carrier has taken the booking.
pub(crate) async fn booked(unit: &mut Unit<'_>, payload: &Value) -> Result<(), Halt> {
    let label = payload.get("label").and_then(Value::as_str).unwrap_or_default();
    unit.case.label = Some(label.to_owned());
    unit.tell("express.booked", &By::counterpart(), payload.clone());
    unit.message("booked").await
}

/// The carrier has refused the booking: an officer must look.
pub(crate) fn refused(unit: &mut Unit<'_>, payload: &Value) {
    unit.case.signal = Some("yellow".to_owned());
    unit.tell("express.problem", &By::counterpart(), payload.clone());
}

/// A line of the parcel's way.
pub(crate) async fn tracked(unit: &mut Unit<'_>, payload: &Value) -> Result<(), Halt> {
    let kind = payload.get("kind").and_then(Value::as_str).unwrap_or_default();
    let known =
        ["picked_up", "in_transit", "out_for_delivery", "delivered", "problem"].contains(&kind);
    if !known {
        return Ok(());
    }
    let deliver =
        kind == "delivered" && unit.machine()?.allows(&unit.case.state, "deliver", "counterpart");
    unit.tell(&format!("express.{kind}"), &By::counterpart(), payload.clone());
    if kind == "problem" {
        unit.case.signal = Some("yellow".to_owned());
    }
    if deliver {
        unit.take("deliver", &By::counterpart(), json!({})).await?;
    }
    Ok(())
}

/// Asks the carrier about a parcel that is on its way, besides its pushes.
pub(crate) async fn follow(unit: &mut Unit<'_>) -> Result<(), Halt> {
    let events = event::list(unit.tx, &unit.case.number).await?;
    let booked = events.iter().rev().find(|one| one.kind == "express.booked");
    let key = booked.and_then(|one| one.payload.get("key")).and_then(Value::as_str);
    let Some(key) = key else { return Ok(()) };
    let arguments = json!({ "operation": "track", "key": key, "label": unit.case.label });
    let round = unit.now / unit.shared.parts.settings.track_ms.max(1);
    let own = plugins_hall::key::key("express", key, round, "track", "");
    let now = unit.now;
    unit.enqueue_as("express", own, arguments, now).await
}

impl Engine {
    /// A push of the carrier: verified, stored, applied once.
    ///
    /// # Errors
    /// [`EngineError::Forged`].
    pub async fn express_notice(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<(), EngineError> {
        let lines = self.parts().carrier.verify(headers, body, self.now()).map_err(|cause| {
            tracing::warn!(code = cause.code, "a push of the carrier was refused");
            EngineError::Forged(cause.code)
        })?;
        self.keep_tracking(lines).await?;
        Ok(())
    }

    /// Stores lines of parcels; those of unknown parcels are left out.
    pub(crate) async fn keep_tracking(&self, lines: Vec<Tracking>) -> Result<(), StoreError> {
        let ambient = self.parts().ambient.clone();
        let now = self.now();
        self.parts()
            .db
            .write("tracking", move |tx: &mut Tx| {
                let (ambient, lines) = (ambient.clone(), lines.clone());
                Box::pin(async move {
                    for line in lines {
                        let Some(number) = inbox::case_of(tx, &line.key).await? else {
                            tracing::warn!("the carrier tells of a parcel that is not ours");
                            continue;
                        };
                        let waiting = Waiting {
                            id: ambient.id(),
                            source: "express".to_owned(),
                            source_id: format!("{}:{}", line.key, line.source_id),
                            number,
                            kind: "tracking".to_owned(),
                            payload: json!({
                                "kind": line.kind, "carrier_at": line.at, "place": line.place,
                            }),
                            tries: 0,
                        };
                        inbox::insert(tx, &waiting, now).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        self.parts().wake.notify_one();
        Ok(())
    }
}
