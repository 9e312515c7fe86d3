//! What a plugin may ask of the hall. Nothing happens before the call has ended well; a refusal
//! is a value whose text names the line of the manifest that would allow it.
//!
//! One function a wish: a component imports what it calls and nothing else, so that an operator
//! reads from its imports what it can do at most.
//!
//! `key` is the author's own, unique within one event: a repeated event makes no second parcel.

#[cfg(target_arch = "wasm32")]
use crate::bindings::tongban;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::{Wish, wished};
use crate::{Problem, Prop};

use serde_json::Value;

/// Asks the applicant to pay a quote of the catalogue; the answer is the payment's id. Goes with the
/// edge `ask_fee`.
///
/// # Errors
/// The hall's refusal.
pub fn pay(quote: &str, purpose: &str, key: &str) -> Result<String, Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::pay::payment::request(quote, purpose, key);
    #[cfg(not(target_arch = "wasm32"))]
    wished(key, |key| Wish::Pay { quote: quote.to_owned(), purpose: purpose.to_owned(), key })
}

/// Gives back what was paid under a payment's id.
///
/// # Errors
/// The hall's refusal.
pub fn refund(payment: &str, reason: &str, key: &str) -> Result<String, Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::pay::payment::refund(payment, reason, key);
    #[cfg(not(target_arch = "wasm32"))]
    wished(key, |key| Wish::Refund { payment: payment.to_owned(), reason: reason.to_owned(), key })
}

/// Issues a document of a template; the answer names it from now on.
///
/// # Errors
/// The hall's refusal.
pub fn issue(template: &str, data: &Value, key: &str) -> Result<String, Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::files::document::issue(template, &data.to_string(), key);
    #[cfg(not(target_arch = "wasm32"))]
    wished(key, |key| Wish::Issue { template: template.to_owned(), data: data.clone(), key })
}

/// Books a parcel to `applicant` or to the address in a field of the form, named by its path: the
/// plugin sees neither. The answer is the parcel's id.
///
/// # Errors
/// The hall's refusal.
pub fn ship(kind: &str, to: &str, contents: &[String], key: &str) -> Result<String, Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::express::shipment::book(kind, to, contents, key);
    #[cfg(not(target_arch = "wasm32"))]
    wished(key, |key| Wish::Ship {
        kind: kind.to_owned(),
        to: to.to_owned(),
        contents: contents.to_vec(),
        key,
    })
}

/// Sends the applicant a message whose texts stand in the manifest's `messages`, with values for
/// its `{names}`; the plugin sees no telephone number.
///
/// # Errors
/// The hall's refusal.
pub fn tell(template: &str, params: &[(&str, &str)], key: &str) -> Result<String, Problem> {
    let prop =
        |(key, value): &(&str, &str)| Prop { key: (*key).to_owned(), value: (*value).to_owned() };
    let params: Vec<Prop> = params.iter().map(prop).collect();
    #[cfg(target_arch = "wasm32")]
    return tongban::notify::message::send(template, "applicant", &params, key);
    #[cfg(not(target_arch = "wasm32"))]
    wished(key, |key| Wish::Tell { template: template.to_owned(), params, key })
}

/// Asks the applicant once for all that is missing. Goes with the edge `ask_correction`.
///
/// # Errors
/// The hall's refusal.
pub fn correct(problems: &[Problem]) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::flow::flow::ask_correction(problems);
    #[cfg(not(target_arch = "wasm32"))]
    wished("", |_| Wish::Correct(problems.to_vec())).map(drop)
}

/// Puts the case before the officers of a queue.
///
/// # Errors
/// The hall's refusal.
pub fn assign(role: &str, queue: &str) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::flow::flow::assign(role, queue);
    #[cfg(not(target_arch = "wasm32"))]
    wished("", |_| Wish::Assign { role: role.to_owned(), queue: queue.to_owned() }).map(drop)
}

/// Stops the clock, with the reason told to the applicant.
///
/// # Errors
/// The hall's refusal.
pub fn suspend(reason: &str) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::flow::flow::suspend_clock(reason);
    #[cfg(not(target_arch = "wasm32"))]
    wished("", |_| Wish::Suspend(reason.to_owned())).map(drop)
}

/// Lets the clock go on.
///
/// # Errors
/// The hall's refusal.
pub fn resume() -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::flow::flow::resume_clock();
    #[cfg(not(target_arch = "wasm32"))]
    wished("", |_| Wish::Resume).map(drop)
}

/// A line for the timeline.
///
/// # Errors
/// The hall's refusal.
pub fn note(kind: &str, payload: &Value) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::flow::flow::note(kind, &payload.to_string());
    #[cfg(not(target_arch = "wasm32"))]
    wished("", |_| Wish::Note { kind: kind.to_owned(), payload: payload.clone() }).map(drop)
}
