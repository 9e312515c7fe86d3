//! The wall clock and the operating system's randomness: the only place that knows either.

use std::sync::Arc;

use idp_domain::ambient::{Ambient, Clock, Random};

/// Milliseconds UTC of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that may.
    fn now(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Randomness of aws-lc's generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Going on without randomness would hand out guessable tokens.
            std::process::abort();
        }
    }
}

/// The real clock and randomness.
#[must_use]
pub fn system() -> Ambient {
    Ambient { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}
