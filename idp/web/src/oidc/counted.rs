//! How often something happened within a minute, in this process: fetches that others make us do
//! (attacks row 42).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Names counted; beyond, all begins anew.
const MOST: usize = 10_000;

/// Start of the minute, milliseconds UTC, and how often in it, by name.
#[derive(Default)]
pub(crate) struct Counted(Mutex<HashMap<String, (i64, u32)>>);

impl Counted {
    /// Counts; false if that was more than `most` in this minute.
    pub(crate) fn within(&self, name: String, most: u32, now: i64) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST {
            counted.clear();
        }
        let (start, count) = counted.entry(name).or_insert((now, 0));
        if !(0..60_000).contains(&(now - *start)) {
            (*start, *count) = (now, 0);
        }
        *count += 1;
        *count <= most
    }
}
