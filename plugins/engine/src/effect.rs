//! A plugin's wishes, carried out inside the unit that commits its turn.

use plugins_hall::call::{Effect, Outcome};
use plugins_hall::form;
use plugins_hall::machine::Machine;
use plugins_hall::number;
use plugins_hall::text::Text;
use plugins_store::{document, order};
use serde_json::{Value, json};

use crate::context::Filed;
use crate::unit::{By, Halt, Unit};
use crate::{message, money};

/// Effects of one turn; far more than any sensible plugin wishes.
const EFFECTS: usize = 64;
/// Kinds of lines that a plugin may add to the timeline by itself.
const NOTES: &[&str] = &["rule.evaluated"];

fn broken(cause: impl Into<String>) -> Halt {
    Halt::Plugin("nonsense", cause.into())
}

/// Makes a quote's fee due: acceptance, the order, the ledger's entry.
pub(crate) async fn ask_fee(unit: &mut Unit<'_>, outcome: &Outcome) -> Result<(), Halt> {
    let mut wished = outcome.effects.iter().filter_map(|effect| match effect {
        Effect::RequestPayment { quote, .. } => Some(quote),
        _ => None,
    });
    let (Some(quote), None) = (wished.next(), wished.next()) else {
        return Err(broken("exactly one fee can be asked at a time"));
    };
    // A plugin names a price of the dated catalogue, it never sets one.
    // The price is that of the day of acceptance (domain.md §8).
    let day = unit.deadline.accepted.unwrap_or(unit.now);
    let quotes = unit.item()?.quotes_at(day);
    let quote = quotes.get(quote).ok_or_else(|| broken("no such quote in the catalogue"))?;
    let edge = "ask_fee";
    let machine: &Machine = unit.machine()?;
    if !machine.allows(&unit.case.state, edge, "rule") {
        return Err(Halt::Plugin("edge", "ask_fee does not exist in this state".to_owned()));
    }
    unit.case.quote = Some(json!(quote));
    let payload = json!({ "minor": quote.minor, "currency": quote.currency, "basis": quote.basis });
    unit.take(edge, &By::system(), payload).await?;
    money::prepare(unit, 1).await
}

/// Carries out everything but the fee and the correction, which the edge has done.
pub(crate) async fn carry(unit: &mut Unit<'_>, outcome: &Outcome) -> Result<(), Halt> {
    if outcome.effects.len() > EFFECTS {
        return Err(broken("too many effects"));
    }
    for effect in &outcome.effects {
        one(unit, effect).await?;
    }
    Ok(())
}

async fn one(unit: &mut Unit<'_>, effect: &Effect) -> Result<(), Halt> {
    match effect {
        Effect::RequestPayment { .. } | Effect::AskCorrection { .. } => Ok(()),
        Effect::Refund { payment, reason, .. } => refund(unit, payment, reason).await,
        Effect::SendMessage { template, to, params, key, .. } => {
            if to != "applicant" {
                return Err(broken("messages go to the applicant"));
            }
            let text = message::of_plugin(&unit.shared, &unit.case, template, params)
                .ok_or_else(|| broken("the manifest has no such message, or it is too long"))?;
            unit.send(template, &text, key).await
        }
        Effect::BookShipment { kind, to, contents, key, .. } => {
            book(unit, kind, to, contents, key).await
        }
        Effect::IssueDocument { template, data, key, .. } => issue(unit, template, data, key).await,
        Effect::PutDocument { collection, id, json, expect } => {
            let plugin = unit.case.plugin.clone();
            let written = document::put(unit.tx, &plugin, collection, id, json, *expect).await?;
            // Another case of the same plugin wrote in between: the turn runs again.
            if written { Ok(()) } else { Err(Halt::Lost) }
        }
        Effect::RemoveDocument { collection, id } => {
            let plugin = unit.case.plugin.clone();
            Ok(document::remove(unit.tx, &plugin, collection, id).await?)
        }
        Effect::SuspendClock { reason } => {
            let now = unit.now;
            unit.deadline.suspend(now, reason).map_err(|cause| broken(cause.to_string()))?;
            unit.tell("clock.suspended", &By::rule(), json!({ "reason": reason }));
            Ok(())
        }
        Effect::ResumeClock => {
            let now = unit.now;
            unit.deadline.resume(now).map_err(|cause| broken(cause.to_string()))?;
            unit.tell("clock.resumed", &By::rule(), json!({}));
            Ok(())
        }
        Effect::Assign { queue, .. } => {
            unit.case.queue = Some(queue.clone());
            Ok(())
        }
        Effect::Note { kind, payload } => {
            let known = NOTES.contains(&kind.as_str());
            let kind = if known { kind.clone() } else { "note".to_owned() };
            unit.tell(&kind, &By::rule(), payload.clone());
            Ok(())
        }
    }
}

async fn refund(unit: &mut Unit<'_>, payment: &str, reason: &str) -> Result<(), Halt> {
    let orders = order::of_case(unit.tx, &unit.case.number).await?;
    let settled = orders.into_iter().find(|one| one.order_id == payment && one.state == "settled");
    let Some(settled) = settled else { return Err(broken("there is no such payment to refund")) };
    money::refund(unit, &settled, reason).await
}

async fn book(
    unit: &mut Unit<'_>,
    kind: &str,
    to: &str,
    contents: &[String],
    author: &str,
) -> Result<(), Halt> {
    if unit.case.state != "dispatch" {
        return Err(Halt::Plugin("edge", "a parcel leaves with the edge dispatch".to_owned()));
    }
    let values = Filed::of(&unit.case).values;
    // `applicant` leaves everything to the verified facts, looked up when the booking leaves.
    let given = match to {
        "applicant" => Value::Null,
        path => form::get(&values, path)
            .cloned()
            .ok_or_else(|| broken("the form has no such address"))?,
    };
    // A field of the form holds an address, or an object with name, telephone and address.
    let given = if given.is_string() { json!({ "address": given }) } else { given };
    let arguments = json!({
        "operation": "book", "kind": kind, "to_subject": unit.case.subject,
        "to": {
            "name": given.get("name"), "phone": given.get("phone"),
            "address": given.get("address"),
        },
        "contents": contents,
    });
    let now = unit.now;
    unit.enqueue("express", author, arguments, now).await.map(drop)
}

/// No certificate is printed by this program: its production is simulated, and says so.
async fn issue(
    unit: &mut Unit<'_>,
    template: &str,
    data: &Value,
    author: &str,
) -> Result<(), Halt> {
    if !matches!(unit.case.state.as_str(), "making" | "dispatch" | "ready_for_pickup") {
        return Err(Halt::Plugin("edge", "a document is issued after the approval".to_owned()));
    }
    let id = unit.key("document", author);
    let mut random = [0; 16];
    for (to, from) in random.iter_mut().zip(plugins_hall::key::hash(&[&id])) {
        *to = from;
    }
    let document_number = format!("SIM-{}", number::make(random));
    let issued = document::Issued {
        id: id.clone(),
        template: template.to_owned(),
        document_number: document_number.clone(),
        at: unit.now,
    };
    let number = unit.case.number.clone();
    document::issue(unit.tx, &number, &issued, data).await?;
    let payload = json!({
        "id": id, "template": template, "number": document_number, "simulated": true,
    });
    unit.log("document.issued", &By::system(), payload);
    Ok(())
}

/// Sentences of an event's payload.
pub(crate) fn texts(payload: &Value) -> Vec<Text> {
    payload
        .get("text")
        .and_then(|texts| serde_json::from_value(texts.clone()).ok())
        .unwrap_or_default()
}
