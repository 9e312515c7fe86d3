//! CPU time of one call: what its thread really spent while the call was polled, so that waiting
//! and a busy machine cost a plugin nothing.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU that this thread has spent since it began.
fn thread() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The meter of one call.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Nanoseconds of polls that have ended.
    spent: AtomicU64,
    /// The thread's time when the running poll began.
    since: AtomicU64,
}

impl Meter {
    /// Nanoseconds spent, to be asked from within a poll.
    pub(crate) fn so_far(&self) -> u64 {
        let running = thread().saturating_sub(self.since.load(Ordering::Relaxed));
        self.spent.load(Ordering::Relaxed).saturating_add(running)
    }

    /// Microseconds spent, to be asked between polls.
    pub(crate) fn micros(&self) -> u64 {
        self.spent.load(Ordering::Relaxed) / 1_000
    }

    /// Runs a future and measures each of its polls. A poll stays on its thread.
    pub(crate) async fn measure<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|waker| {
            let begun = thread();
            self.since.store(begun, Ordering::Relaxed);
            let answer = work.as_mut().poll(waker);
            self.spent.fetch_add(thread().saturating_sub(begun), Ordering::Relaxed);
            answer
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn computing_counts_and_waiting_does_not() {
        let meter = Arc::new(Meter::default());
        meter.clone().measure(std::future::ready(())).await;
        let idle = meter.micros();
        assert!(idle < 5_000, "{idle}");
        let busy = async {
            let mut sum = 0_u64;
            while meter.so_far() < 20_000_000 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
            }
            sum
        };
        meter.clone().measure(busy).await;
        assert!(meter.micros() >= 20_000, "{}", meter.micros());
    }
}
