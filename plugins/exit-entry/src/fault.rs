//! Faults of what was entered, one sentence each, and what is read from a form.

use plugin_sdk::serde_json::Value;
use plugin_sdk::{Problem, problem};

/// What was entered.
#[derive(Clone, Copy)]
pub(crate) struct Entered<'f>(pub(crate) &'f Value);

impl<'f> Entered<'f> {
    /// A text, trimmed; empty if there is none.
    pub(crate) fn text(self, name: &str) -> &'f str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().trim()
    }
}

/// Faults, in the order in which they were looked for.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Problem>);

impl Faults {
    /// A fault of a field, unless `holds`.
    pub(crate) fn unless(&mut self, holds: bool, field: &str, code: &str, said: (&str, &str)) {
        if !holds {
            self.0.push(problem(&format!("{field}.{code}"), Some(field), said.0, said.1));
        }
    }
}
