//! Quarantine: a version that fails most of its calls rests for a while, and its cases wait. One
//! citizen whose input trips a fault must not stop a department, so a share of many calls decides,
//! never a single one.

use std::time::Duration;

use tokio::time::Instant;

/// Calls that are looked at.
const WINDOW: u32 = 20;
/// Failures among them that send the version to rest.
const MOST: u32 = 10;
/// First rest; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// Longest rest.
const LONGEST: Duration = Duration::from_secs(60);

/// The breaker of one version of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// The last calls, newest in the lowest bit; 1 is a failure.
    last: u32,
    /// How many of them there are.
    seen: u32,
    /// Until when it rests.
    rests: Option<Instant>,
    /// How often in a row it was sent to rest.
    times: u32,
}

impl Breaker {
    /// Whether a call may run now. After the rest one call tries; the others wait for its end.
    pub(crate) fn lets(&mut self, now: Instant) -> bool {
        match self.rests {
            Some(until) if now < until => false,
            Some(_) => {
                self.rests = Some(now + self.rest());
                true
            }
            None => true,
        }
    }

    /// Whether it rests now.
    pub(crate) fn resting(&self, now: Instant) -> bool {
        self.rests.is_some_and(|until| now < until)
    }

    fn rest(&self) -> Duration {
        FIRST.saturating_mul(1 << self.times.min(6)).min(LONGEST)
    }

    /// Notes how a call ended; true if this sends the version to rest.
    pub(crate) fn ended(&mut self, failed: bool, now: Instant) -> bool {
        if self.rests.is_some() {
            if failed {
                self.times = self.times.saturating_add(1);
                self.rests = Some(now + self.rest());
            } else {
                *self = Self::default();
            }
            return false;
        }
        self.last = (self.last << 1 | u32::from(failed)) & ((1 << WINDOW) - 1);
        self.seen = (self.seen + 1).min(WINDOW);
        let trips = self.seen == WINDOW && self.last.count_ones() >= MOST;
        if trips {
            self.rests = Some(now + self.rest());
        }
        trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_failure_is_nothing_most_of_twenty_rest_and_one_good_call_ends_the_rest() {
        let mut breaker = Breaker::default();
        let begun = Instant::now();
        for n in 0..19 {
            assert!(breaker.lets(begun));
            assert!(!breaker.ended(n % 2 == 0, begun));
        }
        assert!(breaker.ended(true, begun));
        assert!(breaker.resting(begun) && !breaker.lets(begun));
        let later = begun + FIRST;
        assert!(breaker.lets(later), "one may try");
        assert!(!breaker.lets(later), "the others wait");
        breaker.ended(true, later);
        assert!(!breaker.lets(later + FIRST), "the second rest is longer");
        assert!(breaker.lets(later + FIRST * 2));
        breaker.ended(false, later + FIRST * 2);
        assert!(breaker.lets(later + FIRST * 2));
        assert!(!breaker.resting(later + FIRST * 2));
    }
}
