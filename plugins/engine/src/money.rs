//! Fees: prepared when due, settled once, given back where nothing was owed (BRIEF: domain.md §10).
//!
//! An order can be paid once; a failed one makes room for a new attempt with a new number; unknown
//! is settled by asking, never by a second order.

use idp_store::{StoreError, Tx};
use plugins_hall::ledger::Kind;
use plugins_hall::port::Order;
use plugins_store::inbox::{self, Waiting};
use plugins_store::order::{self, PaymentOrder};
use serde_json::{Value, json};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::error::EngineError;
use crate::unit::{By, Halt, Unit};
use crate::view::PaymentView;
use crate::{Engine, Shared};

/// `YYYYMMDDhhmmss` in Beijing.
fn txn_time(now: i64) -> String {
    let nanos = i128::from(now) * 1_000_000;
    let china = UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|at| {
            let format = format_description!("[year][month][day][hour][minute][second]");
            at.to_offset(china).format(format).ok()
        })
        .unwrap_or_default()
}

fn quote(unit: &Unit<'_>) -> Option<(i64, String)> {
    let quote = unit.case.quote.as_ref()?;
    let currency = quote.get("currency")?.as_str()?.to_owned();
    Some((quote.get("minor")?.as_i64()?, currency))
}

/// Prepares an attempt for the fee that has just become due or has failed before.
pub(crate) async fn prepare(unit: &mut Unit<'_>, attempt: i64) -> Result<(), Halt> {
    let (minor, currency) = quote(unit)
        .ok_or_else(|| Halt::Store(StoreError::Data("the case has no quote".to_owned())))?;
    let prepared = PaymentOrder {
        order_id: unit.key("payment", &format!("attempt-{attempt}")),
        number: unit.case.number.clone(),
        seq: unit.case.seq,
        attempt,
        minor,
        currency,
        txn_time: txn_time(unit.now),
        state: "prepared".to_owned(),
        query_id: None,
    };
    order::insert(unit.tx, &prepared, unit.now).await?;
    if attempt == 1 {
        post(unit, &prepared, Kind::Asked).await?;
    }
    Ok(())
}

async fn post(unit: &mut Unit<'_>, order: &PaymentOrder, kind: Kind) -> Result<(), Halt> {
    let id = unit.shared.parts.ambient.id();
    Ok(order::post(unit.tx, &id, order, kind, unit.now).await?)
}

async fn set(unit: &mut Unit<'_>, order: &PaymentOrder, to: &str) -> Result<(), Halt> {
    set_known(unit, order, to, None).await
}

async fn set_known(
    unit: &mut Unit<'_>,
    order: &PaymentOrder,
    to: &str,
    query_id: Option<&str>,
) -> Result<(), Halt> {
    let moved = order::set(unit.tx, order, to, query_id, unit.now).await?;
    if moved { Ok(()) } else { Err(Halt::Lost) }
}

/// Whether the citizen may still be asked to pay this order.
fn live(order: &PaymentOrder) -> bool {
    matches!(order.state.as_str(), "prepared" | "started")
}

/// Asks the gateway about an order: when the payer leaves for it, and whenever a notice comes.
async fn query(unit: &mut Unit<'_>, order: &PaymentOrder, why: &str, at: i64) -> Result<(), Halt> {
    let key = plugins_hall::key::key("payment", &order.order_id, order.attempt, "query", why);
    unit.enqueue_as("payment", key, query_arguments(order), at).await
}

fn query_arguments(order: &PaymentOrder) -> Value {
    json!({
        "operation": "query", "order_id": order.order_id, "txn_time": order.txn_time,
        "minor": order.minor, "currency": order.currency,
    })
}

/// Withdrawal and refusal: what was never paid falls away, what was paid is given back.
pub(crate) async fn let_go(unit: &mut Unit<'_>, reason: &str) -> Result<(), Halt> {
    let orders = order::of_case(unit.tx, &unit.case.number).await?;
    let first = orders.iter().find(|one| one.attempt == 1).cloned();
    let settled = orders.iter().find(|one| one.state == "settled").cloned();
    for open in orders.iter().filter(|one| live(one)) {
        // A started one may still be paid: the query that is under way will tell, and a payment
        // that comes then is given back.
        set(unit, open, "void").await?;
    }
    match (settled, first) {
        (Some(settled), _) => refund(unit, &settled, reason).await,
        (None, Some(first)) => post(unit, &first, Kind::Waived).await,
        (None, None) => Ok(()),
    }
}

/// Gives back what a settled order brought in.
pub(crate) async fn refund(
    unit: &mut Unit<'_>,
    settled: &PaymentOrder,
    reason: &str,
) -> Result<(), Halt> {
    post(unit, settled, Kind::RefundDue).await?;
    send_back(unit, settled, reason).await
}

async fn send_back(unit: &mut Unit<'_>, order: &PaymentOrder, reason: &str) -> Result<(), Halt> {
    set(unit, order, "refund_due").await?;
    let payload = json!({
        "order_id": order.order_id, "minor": order.minor, "currency": order.currency,
        "reason": reason,
    });
    let machine = unit.machine()?;
    if machine.allows(&unit.case.state, "refund", "system") {
        unit.take("refund", &By::system(), payload).await?;
    } else {
        unit.tell("refund.due", &By::system(), payload);
        unit.message("refund_due").await?;
    }
    let arguments = json!({
        "operation": "refund", "order_id": order.order_id, "query_id": order.query_id,
        "minor": order.minor, "currency": order.currency, "txn_time": txn_time(unit.now),
        "number": unit.case.number,
    });
    let key = plugins_hall::key::key("payment", &order.order_id, order.attempt, "refund", "");
    let now = unit.now;
    unit.enqueue_as("payment", key, arguments, now).await
}

/// What the gateway answered about an order.
pub(crate) async fn answered(unit: &mut Unit<'_>, payload: &Value) -> Result<(), Halt> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(order) = order::find(unit.tx, text("order_id")).await? else { return Ok(()) };
    if order.number != unit.case.number {
        return Ok(());
    }
    match text("status") {
        "settled" => {
            let minor = payload.get("minor").and_then(Value::as_i64);
            // Another amount or currency is not this payment (attacks: a lying gateway).
            if minor != Some(order.minor) || text("currency") != order.currency {
                return disputed(unit, &order).await;
            }
            settled(unit, order, text("query_id")).await
        }
        _ => failed(unit, &order, text("reason")).await,
    }
}

async fn disputed(unit: &mut Unit<'_>, order: &PaymentOrder) -> Result<(), Halt> {
    if !live(order) {
        return Ok(());
    }
    tracing::error!(case = %unit.case.number, "the gateway names another amount than was asked");
    set(unit, order, "disputed").await?;
    unit.case.signal = Some("red".to_owned());
    let payload = json!({ "order_id": order.order_id, "code": "amount" });
    unit.tell("payment.disputed", &By::counterpart(), payload);
    Ok(())
}

async fn settled(unit: &mut Unit<'_>, mut order: PaymentOrder, id: &str) -> Result<(), Halt> {
    if !(live(&order) || matches!(order.state.as_str(), "failed" | "void")) {
        return Ok(());
    }
    set_known(unit, &order, "settled", Some(id)).await?;
    order.state = "settled".to_owned();
    order.query_id = Some(id.to_owned());
    let payload = json!({
        "order_id": order.order_id, "minor": order.minor, "currency": order.currency,
    });
    let orders = order::of_case(unit.tx, &unit.case.number).await?;
    let owed = unit.case.state == "fee_due";
    if owed {
        for other in orders.iter().filter(|one| live(one) && one.order_id != order.order_id) {
            set(unit, other, "void").await?;
        }
        post(unit, &order, Kind::Paid).await?;
        unit.take("settle", &By::counterpart(), json!({})).await?;
        unit.log("payment.settled", &By::counterpart(), payload);
        return Ok(());
    }
    // Paid after withdrawal, or a second attempt paid late: nothing is owed, so it goes back.
    post(unit, &order, Kind::Overpaid).await?;
    unit.tell("payment.settled", &By::counterpart(), payload);
    send_back(unit, &order, "nothing was owed").await
}

async fn failed(unit: &mut Unit<'_>, order: &PaymentOrder, reason: &str) -> Result<(), Halt> {
    if !live(order) {
        return Ok(());
    }
    set(unit, order, "failed").await?;
    let payload = json!({ "order_id": order.order_id, "code": reason });
    unit.tell("payment.failed", &By::counterpart(), payload);
    let orders = order::of_case(unit.tx, &unit.case.number).await?;
    if unit.case.state == "fee_due" && !orders.iter().any(live) {
        let attempts = orders.iter().map(|one| one.attempt).max().unwrap_or(0);
        prepare(unit, attempts + 1).await?;
    }
    Ok(())
}

/// The gateway has given the money back.
pub(crate) async fn refunded(unit: &mut Unit<'_>, payload: &Value) -> Result<(), Halt> {
    let id = payload.get("order_id").and_then(Value::as_str).unwrap_or_default();
    let Some(order) = order::find(unit.tx, id).await? else { return Ok(()) };
    if order.state != "refund_due" || order.number != unit.case.number {
        return Ok(());
    }
    set(unit, &order, "refunded").await?;
    post(unit, &order, Kind::Refunded).await?;
    let payload = json!({ "order_id": order.order_id, "minor": order.minor });
    if unit.machine()?.allows(&unit.case.state, "refunded", "system") {
        return unit.take("refunded", &By::system(), payload).await;
    }
    unit.tell("refund.settled", &By::counterpart(), payload);
    unit.message("refunded").await
}

impl Shared {
    /// The order that the citizen is asked to pay, with its signed form.
    pub(crate) fn payment_view(
        &self,
        order: &PaymentOrder,
        quote: Option<&Value>,
    ) -> Result<PaymentView, EngineError> {
        let form = self.parts.gateway.order_form(&Order {
            order_id: order.order_id.clone(),
            txn_time: order.txn_time.clone(),
            minor: order.minor,
            currency: order.currency.clone(),
            case: order.number.clone(),
        })?;
        let basis = quote.and_then(|quote| quote.get("basis")).and_then(Value::as_str);
        Ok(PaymentView {
            order_id: order.order_id.clone(),
            minor: order.minor,
            currency: order.currency.clone(),
            basis: basis.unwrap_or_default().to_owned(),
            started: order.state == "started",
            gateway_url: form.gateway_url,
            fields: form.fields,
        })
    }
}

impl Engine {
    /// Makes `payment.started` durable (once an order) and gives the form that the browser posts.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Conflict`] if nothing is due.
    pub async fn start_payment(
        &self,
        subject: &str,
        number: &str,
    ) -> Result<PaymentView, EngineError> {
        let shared = self.shared.clone();
        let view = self
            .change("payment_started", Some(subject), number, move |unit| {
                let shared = shared.clone();
                Box::pin(async move {
                    let orders = order::of_case(unit.tx, &unit.case.number).await?;
                    let due = unit.case.state == "fee_due";
                    let open = orders.into_iter().find(|one| due && live(one));
                    let Some(open) = open else { return Err(Halt::Engine(EngineError::Conflict)) };
                    let view = shared.payment_view(&open, unit.case.quote.as_ref());
                    let view = view.map_err(Halt::Engine)?;
                    // Two tabs, going back, reloading: one order, one line.
                    if open.state == "prepared" {
                        set(unit, &open, "started").await?;
                        let payload = json!({ "order_id": open.order_id, "minor": open.minor });
                        unit.tell("payment.started", &By::citizen(), payload);
                        let at = unit.now + 1_000;
                        query(unit, &open, "started", at).await?;
                    }
                    Ok(view)
                })
            })
            .await?;
        self.parts().failpoints.reached("payment.started");
        Ok(view)
    }

    /// A back notice of the gateway: verified and stored; the worker queries before anything is
    /// believed. Returning means received (domain.md §10).
    ///
    /// # Errors
    /// [`EngineError::Forged`]; [`EngineError::NotFound`] for an order that is not ours.
    pub async fn payment_notice(&self, fields: &[(String, String)]) -> Result<(), EngineError> {
        let notice = self.parts().gateway.verify_notice(fields).map_err(|cause| {
            tracing::warn!(code = cause.code, "a payment notice was refused");
            EngineError::Forged(cause.code)
        })?;
        let shared = self.shared.clone();
        let now = self.now();
        self.parts()
            .db
            .write("payment_notice", move |tx: &mut Tx| {
                let (shared, notice) = (shared.clone(), notice.clone());
                Box::pin(async move {
                    let Some(order) = order::find(tx, &notice.order_id).await? else {
                        return Err(Halt::Engine(EngineError::NotFound));
                    };
                    let waiting = Waiting {
                        id: shared.parts.ambient.id(),
                        source: "payment".to_owned(),
                        source_id: notice.source_id.clone(),
                        number: order.number.clone(),
                        kind: "notice".to_owned(),
                        payload: json!({ "order_id": order.order_id }),
                        tries: 0,
                    };
                    inbox::insert(tx, &waiting, now).await?;
                    Ok(())
                })
            })
            .await
            .map_err(EngineError::from)?;
        self.parts().failpoints.reached("payment.notice");
        self.parts().wake.notify_one();
        Ok(())
    }
}

/// A stored notice becomes a query of its own: the one under way may have given up.
pub(crate) async fn noticed(unit: &mut Unit<'_>, waiting: &Waiting) -> Result<(), Halt> {
    let id = waiting.payload.get("order_id").and_then(Value::as_str).unwrap_or_default();
    let Some(order) = order::find(unit.tx, id).await? else { return Ok(()) };
    let now = unit.now;
    query(unit, &order, &waiting.source_id, now).await
}
