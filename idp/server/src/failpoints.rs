//! Where a demo dies that is being tested: at the step that the test names, as if it were killed
//! there. Nothing but `tongban demo` looks for such a step.

use std::sync::{Arc, OnceLock};

use plugins_engine::{Failpoints, NoFailpoints};

/// The variable of the environment that names the step.
const STEP: &str = "TONGBAN_DEMO_DIES_AT";

static DIES_AT: OnceLock<String> = OnceLock::new();

struct Mortal(&'static str);

impl Failpoints for Mortal {
    fn reached(&self, step: &'static str) {
        if step == self.0 {
            // As sudden as SIGKILL: nothing is unwound, flushed or closed.
            std::process::abort();
        }
    }
}

/// Said by the demo: it may be told to die.
#[allow(clippy::disallowed_methods)] // This room reads the environment.
pub(crate) fn of_a_demo() {
    if let Ok(step) = std::env::var(STEP) {
        let _ = DIES_AT.set(step);
    }
}

/// The failpoints of this process: none, but in a demo that is to die.
pub(crate) fn armed() -> Arc<dyn Failpoints> {
    match DIES_AT.get() {
        Some(step) => Arc::new(Mortal(step)),
        None => Arc::new(NoFailpoints),
    }
}
