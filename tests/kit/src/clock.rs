//! A clock that a test turns by hand.

use std::sync::atomic::{AtomicI64, Ordering};

use idp_domain::ambient::Clock;
use idp_server::ambient::SystemClock;

/// Stands still at the moment when the test began, until it is turned. It begins at the real time
/// because the partners' library reads the real clock.
#[derive(Debug)]
pub struct VirtualClock(AtomicI64);

impl Default for VirtualClock {
    fn default() -> Self {
        Self(AtomicI64::new(SystemClock.now()))
    }
}

impl VirtualClock {
    /// Turns it on by `ms` milliseconds.
    pub fn turn(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
