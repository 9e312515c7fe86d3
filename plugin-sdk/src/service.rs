//! Items as a department writes them: a form, functions, and the case as they see it.

use serde_json::Value;

use crate::{CaseView, Event, Problem, Step, problem};

/// What a function of a plugin answers: a step, or a problem that a person can mend.
pub type Answer = Result<Step, Problem>;

/// A form over a plain struct; `#[derive(Form)]` writes it.
pub trait Form: Sized {
    /// The questions as JSON schema, verified facts filled in.
    fn ask(prefill: &Value) -> Value;
    /// The answers.
    ///
    /// # Errors
    /// A problem of the field that cannot be read.
    fn read(data: &Value) -> Result<Self, Problem>;
}

/// An item; `#[item]` writes it over a block of functions.
pub trait Service {
    /// Its code.
    const CODE: &'static str;
    /// Its name in Chinese and English.
    const TITLE: (&'static str, &'static str);
    /// See [`Form::ask`].
    fn form(prefill: &Value) -> Value;
    /// Faults beyond what the schema says.
    fn validate(form: &Value) -> Vec<Problem>;
    /// The first event of a case.
    ///
    /// # Errors
    /// A problem that the person can mend.
    fn start(event: &Event, form: &Value) -> Answer;
    /// Every later event; those that no function is marked for change nothing.
    ///
    /// # Errors
    /// A problem that the person can mend.
    fn advance(case: &CaseView, event: &Event) -> Answer;
}

/// A case: its form, and the data that the plugin has kept (see [`Step::keeping`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Case<F, D = Value> {
    /// Its number, as the applicant knows it.
    pub number: String,
    /// State of the item's machine, before the event.
    pub state: String,
    /// The form. A telephone number, an address or a document number stands in it as a reference
    /// (`ref:address`) unless the manifest's grant names the field.
    pub form: F,
    /// What was kept.
    pub data: D,
    /// When it was opened, milliseconds UTC.
    pub opened: u64,
}

impl<F: Form, D: serde::de::DeserializeOwned> Case<F, D> {
    /// Reads what the hall gave.
    ///
    /// # Errors
    /// A problem, if the form or the data is older than the plugin can read.
    pub fn read(view: &CaseView) -> Result<Self, Problem> {
        let data = serde_json::from_str(&view.data).map_err(|_| {
            let (zh, en) = ("办件数据无法读取。", "The data of this case cannot be read.");
            problem("data.unreadable", None, zh, en)
        })?;
        Ok(Self {
            number: view.number.clone(),
            state: view.state.clone(),
            form: F::read(&crate::json(&view.form))?,
            data,
            opened: view.opened,
        })
    }
}

/// The answer about an item that is not served.
#[must_use]
pub fn unknown(item: &str) -> Problem {
    let (zh, en) = ("没有这个事项。", "There is no such service.");
    problem(&format!("item.unknown.{item}"), None, zh, en)
}

/// A plugin of items: `plugin!("plugin.toml", Card, Renewal)`. The manifest and the code must name
/// the same items, or it does not compile.
#[macro_export]
macro_rules! plugin {
    ($manifest:literal, $($item:ty),+ $(,)?) => {
        /// What the operator approves.
        pub const MANIFEST: $crate::Manifest = $crate::manifest!($manifest);

        const _: () = assert!(
            MANIFEST.serves(&[$(<$item as $crate::Service>::CODE),+]),
            "the manifest and the code name different items, or in another order"
        );

        #[doc(hidden)]
        pub struct Department;

        impl $crate::Plugin for Department {
            fn describe() -> $crate::Descriptor {
                MANIFEST.descriptor(&[$({
                    let (zh, en) = <$item as $crate::Service>::TITLE;
                    (<$item as $crate::Service>::CODE, zh, en)
                }),+])
            }
            fn form(
                item: &str,
                prefill: &$crate::serde_json::Value,
            ) -> Result<$crate::serde_json::Value, $crate::Problem> {
                $(if item == <$item as $crate::Service>::CODE {
                    return Ok(<$item as $crate::Service>::form(prefill));
                })+
                Err($crate::unknown(item))
            }
            fn validate(
                item: &str,
                data: &$crate::serde_json::Value,
            ) -> Vec<$crate::Problem> {
                $(if item == <$item as $crate::Service>::CODE {
                    return <$item as $crate::Service>::validate(data);
                })+
                vec![$crate::unknown(item)]
            }
            fn start(
                item: &str,
                event: &$crate::Event,
                form: &$crate::serde_json::Value,
            ) -> $crate::Answer {
                $(if item == <$item as $crate::Service>::CODE {
                    return <$item as $crate::Service>::start(event, form);
                })+
                Err($crate::unknown(item))
            }
            fn advance(case: &$crate::CaseView, event: &$crate::Event) -> $crate::Answer {
                $(if case.item == <$item as $crate::Service>::CODE {
                    return <$item as $crate::Service>::advance(case, event);
                })+
                Err($crate::unknown(&case.item))
            }
        }

        $crate::export!(Department);
    };
}
