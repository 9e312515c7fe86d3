//! What a plugin may ask of the hall during a call. Nothing happens before the call has ended well,
//! and a refusal names the line of the manifest that would allow it.

#[cfg(target_arch = "wasm32")]
use crate::bindings::tongban;
use crate::{Problem, Prop};

/// One wish with the author's own key, unique within one event: a repeated event makes no second
/// parcel.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Ask the applicant to pay a quote of the catalogue.
    Pay {
        /// Name of the quote.
        quote: &'static str,
        /// What for.
        purpose: &'static str,
        /// Author's key.
        key: &'static str,
    },
    /// Issue a document.
    Issue {
        /// Template.
        template: &'static str,
        /// What stands in it.
        data: serde_json::Value,
        /// Author's key.
        key: &'static str,
    },
    /// Book a parcel.
    Ship {
        /// `document`.
        kind: &'static str,
        /// `applicant` or the path of an address in the form.
        to: String,
        /// Documents in it.
        contents: Vec<String>,
        /// Author's key.
        key: &'static str,
    },
    /// Send a message of a template to the applicant.
    Tell {
        /// Template.
        template: &'static str,
        /// Values in it.
        params: Vec<(String, String)>,
        /// Author's key.
        key: &'static str,
    },
    /// Ask the applicant for all that is missing.
    Correct(Vec<Problem>),
    /// Put the case before officers.
    Assign {
        /// Role of the officers.
        role: &'static str,
        /// Their queue.
        queue: &'static str,
    },
}

/// Makes the wishes in order.
///
/// # Errors
/// The first refusal.
#[cfg(target_arch = "wasm32")]
pub fn make(wishes: Vec<Wish>) -> Result<(), Problem> {
    for wish in wishes {
        match wish {
            Wish::Pay { quote, purpose, key } => {
                tongban::pay::payment::request(quote, purpose, key)?;
            }
            Wish::Issue { template, data, key } => {
                tongban::files::document::issue(template, &data.to_string(), key)?;
            }
            Wish::Ship { kind, to, contents, key } => {
                tongban::express::shipment::book(kind, &to, &contents, key)?;
            }
            Wish::Tell { template, params, key } => {
                let params: Vec<Prop> =
                    params.into_iter().map(|(key, value)| Prop { key, value }).collect();
                tongban::notify::message::send(template, "applicant", &params, key)?;
            }
            Wish::Correct(problems) => tongban::flow::flow::ask_correction(&problems)?,
            Wish::Assign { role, queue } => tongban::flow::flow::assign(role, queue)?,
        }
    }
    Ok(())
}

/// Outside of a component there is no hall: rules are tested as values, before they are made.
///
/// # Errors
/// Never.
#[cfg(not(target_arch = "wasm32"))]
pub fn make(_wishes: Vec<Wish>) -> Result<(), Problem> {
    let _: Option<Prop> = None;
    Ok(())
}

/// A verified fact of the person, if granted and known.
#[must_use]
pub fn attribute(name: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return tongban::identity::identity::attribute(name).ok().flatten();
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = name;
        None
    }
}
