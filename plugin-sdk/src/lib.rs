//! What a department's programmer uses to write a plugin.
//!
//! A plugin is rules and forms: plain functions over plain structs, marked with
//! [`macro@service`], built for `wasm32-wasip2`. Everything that it wishes for (a fee, a message, a
//! parcel) is a value that the hall carries out if the call ends well; nothing is reached from
//! inside. docs/plugins/first-plugin.md goes through a whole one.

pub mod form;
pub mod hall;
mod manifest;
mod service;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod wish;

/// Generated from `wit/`, the single source of the contract.
#[allow(unsafe_code, missing_docs, unreachable_pub, rust_2018_idioms, clippy::all)] // Generated.
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "service",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "plugin_sdk::bindings",
        additional_derives: [PartialEq],
        generate_all,
    });
}

/// What almost every plugin uses.
pub mod prelude {
    pub use crate::{
        Answer, Case, Choice, Event, Form, Problem, Step, hall, item, problem, service, wish,
    };
}

use serde_json::Value;

pub use bindings::exports::tongban::service::plugin::Guest;
pub use bindings::tongban::service::model::{Actor, CaseView, Descriptor, Event, Item, Transition};
pub use bindings::tongban::types::types::{Problem, Prop, Text};
pub use manifest::Manifest;
pub use plugin_sdk_macros::{Choice, Form, item, manifest, service};
pub use serde_json;
pub use service::{Answer, Case, Form, Service, unknown};

/// A sentence in both languages.
#[must_use]
pub fn text(zh: &str, en: &str) -> Vec<Text> {
    vec![
        Text { lang: "zh-CN".to_owned(), value: zh.to_owned() },
        Text { lang: "en".to_owned(), value: en.to_owned() },
    ]
}

/// A fault of a field, or of the whole if `field` is none.
#[must_use]
pub fn problem(code: &str, field: Option<&str>, zh: &str, en: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        field: field.map(str::to_owned),
        detail: text(zh, en),
        retryable: false,
    }
}

/// JSON that the host gave. It is checked there, so a fault here is the host's: null.
#[must_use]
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// What a plugin decides: the edge, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Edge of the item's machine, or `stay`.
    pub edge: &'static str,
    /// Kept for the next event; null keeps what there was.
    pub data: Value,
    /// One line for the applicant.
    pub status: Vec<Text>,
    /// Sentences, each in both languages; a decision needs them.
    pub reasons: Vec<Vec<Text>>,
}

impl Step {
    /// An edge with its line for the applicant.
    #[must_use]
    pub fn new(edge: &'static str, data: Value, zh: &str, en: &str) -> Self {
        Self { edge, data, status: text(zh, en), reasons: Vec::new() }
    }

    /// An edge with its line for the applicant; the data stays as it was.
    #[must_use]
    pub fn to(edge: &'static str, zh: &str, en: &str) -> Self {
        Self::new(edge, Value::Null, zh, en)
    }

    /// Nothing to do.
    #[must_use]
    pub fn stay() -> Self {
        Self { edge: "stay", data: Value::Null, status: Vec::new(), reasons: Vec::new() }
    }

    /// The answer to the hall, over the data that there was.
    #[doc(hidden)]
    #[must_use]
    pub fn onto(self, before: &str) -> Transition {
        let data = if self.data.is_null() { before.to_owned() } else { self.data.to_string() };
        Transition {
            edge: self.edge.to_owned(),
            data,
            public_status: self.status,
            reasons: self.reasons,
            extra: Vec::new(),
        }
    }

    /// With data for the next event.
    #[must_use]
    pub fn keeping(mut self, data: &impl serde::Serialize) -> Self {
        self.data = serde_json::to_value(data).unwrap_or_default();
        self
    }

    /// With one more reason.
    #[must_use]
    pub fn because(mut self, zh: &str, en: &str) -> Self {
        self.reasons.push(text(zh, en));
        self
    }
}

/// What a plugin answers; [`plugin!`] writes it for a list of items.
pub trait Plugin {
    /// Id, version, items.
    fn describe() -> Descriptor;
    /// The form of an item as JSON schema with `x-` annotations.
    ///
    /// # Errors
    /// A problem for an item or step that is not served.
    fn form(item: &str, prefill: &Value) -> Result<Value, Problem>;
    /// Faults beyond what the schema says.
    fn validate(item: &str, data: &Value) -> Vec<Problem>;
    /// The first event of a case.
    ///
    /// # Errors
    /// A problem that the person can mend.
    fn start(item: &str, event: &Event, form: &Value) -> Result<Step, Problem>;
    /// Every later event.
    ///
    /// # Errors
    /// A problem that the person can mend.
    fn advance(case: &CaseView, event: &Event) -> Result<Step, Problem>;
}

/// Makes a component of a [`Plugin`]. Exports exist only when compiled for WebAssembly, so that the
/// same crate is tested natively.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[doc(hidden)]
        pub struct Component;

        impl $crate::Guest for Component {
            fn describe() -> $crate::Descriptor {
                <$plugin as $crate::Plugin>::describe()
            }
            fn form(
                item: String,
                _step: String,
                _who: $crate::Actor,
                prefill: String,
            ) -> Result<String, $crate::Problem> {
                let schema = <$plugin as $crate::Plugin>::form(&item, &$crate::json(&prefill))?;
                Ok(schema.to_string())
            }
            fn validate(
                item: String,
                _step: String,
                _who: $crate::Actor,
                data: String,
            ) -> Vec<$crate::Problem> {
                <$plugin as $crate::Plugin>::validate(&item, &$crate::json(&data))
            }
            fn start(
                item: String,
                event: $crate::Event,
                form: String,
            ) -> Result<$crate::Transition, $crate::Problem> {
                let form = $crate::json(&form);
                let step = <$plugin as $crate::Plugin>::start(&item, &event, &form)?;
                Ok(step.onto("{}"))
            }
            fn advance(
                case: $crate::CaseView,
                event: $crate::Event,
            ) -> Result<$crate::Transition, $crate::Problem> {
                let step = <$plugin as $crate::Plugin>::advance(&case, &event)?;
                Ok(step.onto(&case.data))
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // Generated.
        mod exported {
            use super::Component;
            $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        }
    };
}
