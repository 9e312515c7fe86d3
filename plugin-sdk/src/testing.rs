//! A hall for `cargo test`: no WebAssembly, no server. It refuses what the manifest does not grant,
//! as the real one does, and keeps what was wished for.
//!
//! ```
//! use plugin_sdk::testing::Hall;
//! let mut hall = Hall::open().with_fact("region", "350102");
//! let region = hall.run(|| plugin_sdk::hall::fact("region"));
//! assert_eq!(region.as_deref(), Some("350102"));
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Manifest, Problem, Prop, problem};

/// A wish as the hall received it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The fields are those of the functions in `wish`.
pub enum Wish {
    Pay { quote: String, purpose: String, key: String },
    Refund { payment: String, reason: String, key: String },
    Issue { template: String, data: Value, key: String },
    Ship { kind: String, to: String, contents: Vec<String>, key: String },
    Tell { template: String, params: Vec<Prop>, key: String },
    Correct(Vec<Problem>),
    Assign { role: String, queue: String },
    Suspend(String),
    Resume,
    Note { kind: String, payload: Value },
}

/// The hall that a test opens.
#[derive(Debug, Default)]
pub struct Hall {
    /// What is granted; none grants all.
    manifest: Option<Manifest>,
    facts: BTreeMap<String, String>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) now: u64,
    documents: BTreeMap<(String, String), (Value, u64)>,
    pub(crate) log: Vec<String>,
    wishes: Vec<Wish>,
}

thread_local! {
    static INSIDE: RefCell<Option<Hall>> = const { RefCell::new(None) };
}

/// Gives the hall back to its test, also when the plugin's code panics.
struct Leave<'h>(&'h mut Hall);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| {
            if let Some(hall) = inside.take() {
                *self.0 = hall;
            }
        });
    }
}

fn refused(why: &str) -> Problem {
    problem("denied", None, why, why)
}

impl Hall {
    /// One that grants everything.
    #[must_use]
    pub fn open() -> Self {
        Self { now: 1_790_000_000_000, ..Self::default() }
    }

    /// One that grants what a manifest says.
    #[must_use]
    pub fn of(manifest: Manifest) -> Self {
        Self { manifest: Some(manifest), ..Self::open() }
    }

    /// With a verified fact of the applicant.
    #[must_use]
    pub fn with_fact(mut self, name: &str, value: &str) -> Self {
        self.facts.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a setting of the operator.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// At another time, milliseconds UTC.
    #[must_use]
    pub fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    /// Runs plugin code inside.
    pub fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        INSIDE.with_borrow_mut(|inside| *inside = Some(std::mem::take(self)));
        let _leave = Leave(self);
        work()
    }

    /// What was wished for since the last time, in order.
    #[must_use]
    pub fn wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// The plugin's log, `level code` a line.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.log
    }

    /// The hall in which the plugin's code runs just now.
    pub(crate) fn inside<T>(
        work: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        INSIDE.with_borrow_mut(|inside| match inside {
            Some(hall) => work(hall),
            None => Err(refused("no hall is open; hint: run this inside testing::Hall::run")),
        })
    }

    fn granted(
        &self,
        list: fn(&Manifest) -> &'static [&'static str],
        name: &str,
        line: &str,
    ) -> Result<(), Problem> {
        match &self.manifest {
            Some(manifest) if !list(manifest).contains(&name) => {
                Err(refused(&format!("`{name}` is not granted; hint: add it to {line}")))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn fact_of(&self, name: &str) -> Result<Option<String>, Problem> {
        self.granted(|m| m.attributes, name, "[grants.identity] attributes")?;
        Ok(self.facts.get(name).cloned())
    }

    pub(crate) fn read(&self, of: &str, id: &str) -> Result<Option<(Value, u64)>, Problem> {
        self.granted(|m| m.collections, of, "[grants.store] collections")?;
        Ok(self.documents.get(&(of.to_owned(), id.to_owned())).cloned())
    }

    pub(crate) fn write(
        &mut self,
        of: &str,
        id: &str,
        body: Option<&Value>,
        expect: Option<u64>,
    ) -> Result<u64, Problem> {
        let known = self.read(of, id)?.map_or(0, |(_, version)| version);
        if expect.is_some_and(|expect| expect != known) {
            return Err(refused("the document has another version by now"));
        }
        let key = (of.to_owned(), id.to_owned());
        match body {
            Some(body) => drop(self.documents.insert(key, (body.clone(), known + 1))),
            None => drop(self.documents.remove(&key)),
        }
        Ok(known + 1)
    }

    fn allowed(&self, wish: &Wish) -> Result<(), Problem> {
        match wish {
            Wish::Pay { quote, .. } => self.granted(|m| m.quotes, quote, "[grants.pay] quotes"),
            Wish::Ship { kind, .. } => self.granted(|m| m.kinds, kind, "[grants.express] kinds"),
            Wish::Issue { template, .. } => {
                self.granted(|m| m.documents, template, "[grants.files] templates")
            }
            Wish::Tell { template, .. } => {
                self.granted(|m| m.templates, template, "[grants.notify] templates")
            }
            Wish::Assign { queue, .. } => self.granted(|m| m.queues, queue, "[grants.flow] queues"),
            Wish::Refund { .. }
            | Wish::Correct(_)
            | Wish::Suspend(_)
            | Wish::Resume
            | Wish::Note { .. } => Ok(()),
        }
    }
}

/// Receives a wish; the answer is its id.
pub(crate) fn wished(key: &str, wish: impl FnOnce(String) -> Wish) -> Result<String, Problem> {
    Hall::inside(|hall| {
        let wish = wish(key.to_owned());
        hall.allowed(&wish)?;
        hall.wishes.push(wish);
        Ok(format!("{}-{key}", hall.wishes.len()))
    })
}

/// Working days with weekends only: the real calendar is the host's.
pub(crate) fn working_days(at: u64, days: i32) -> u64 {
    const DAY: u64 = 86_400_000;
    let mut at = at;
    let mut left = days.unsigned_abs();
    while left > 0 {
        at = if days < 0 { at.saturating_sub(DAY) } else { at.saturating_add(DAY) };
        // 1970-01-01 was a Thursday; days begin at midnight in China.
        let weekday = ((at + 8 * 3_600_000) / DAY + 3) % 7;
        if weekday < 5 {
            left -= 1;
        }
        if at == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{hall, wish};

    const MANIFEST: Manifest = Manifest {
        id: "a",
        version: "1.0.0",
        state_version: 1,
        items: &["a.b"],
        attributes: &["region"],
        queues: &["desk"],
        collections: &["notes"],
        quotes: &["standard"],
        templates: &["hello"],
        kinds: &["document"],
        documents: &["card"],
    };

    #[test]
    fn what_is_granted_is_kept_and_what_is_not_is_refused_with_the_missing_line() {
        let mut hall = Hall::of(MANIFEST).with_fact("region", "350102").with_fact("name", "林晓");
        hall.run(|| {
            assert_eq!(hall::fact("region").as_deref(), Some("350102"));
            assert_eq!(hall::fact("name"), None, "not granted");
            assert!(wish::pay("standard", "fee", "fee").is_ok());
            let denied = wish::pay("cheaper", "fee", "fee").unwrap_err();
            assert!(denied.detail[1].value.contains("[grants.pay] quotes"));
            assert!(wish::assign("officer", "elsewhere").is_err());
            assert!(wish::issue("money", &json!({}), "k").is_err());
            assert!(wish::tell("free text", &[], "k").is_err());
            assert!(wish::ship("elephant", "applicant", &[], "k").is_err());
        });
        assert_eq!(hall.wishes().len(), 1);
        assert!(hall.wishes().is_empty(), "taken once");
    }

    #[test]
    fn documents_have_versions_and_belong_to_granted_collections() {
        let mut hall = Hall::of(MANIFEST);
        hall.run(|| {
            assert_eq!(hall::keep("notes", "1", &json!(1), Some(0)).unwrap(), 1);
            assert!(hall::keep("notes", "1", &json!(2), Some(0)).is_err(), "version 1 by now");
            assert_eq!(hall::document("notes", "1").unwrap(), Some((json!(1), 1)));
            hall::forget("notes", "1").unwrap();
            assert_eq!(hall::document("notes", "1").unwrap(), None);
            assert!(hall::document("others", "1").is_err());
        });
    }

    #[test]
    fn outside_of_a_hall_nothing_is_wished_for_in_silence() {
        assert!(wish::resume().unwrap_err().detail[1].value.contains("no hall is open"));
    }

    #[test]
    fn working_days_step_over_weekends() {
        // 2026-09-25 is a Friday, 04:00 UTC.
        let friday = 1_790_308_800_000;
        assert_eq!(working_days(friday, 1), friday + 3 * 86_400_000);
        assert_eq!(working_days(friday, 0), friday);
        assert_eq!(working_days(friday + 3 * 86_400_000, -1), friday);
    }
}
