//! A line that says how far a long command is: rate and time left, on a terminal only.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line is drawn at most.
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 24;

/// How far a command is.
pub(super) struct Progress {
    total: u64,
    begun: Instant,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Nothing done yet of `total`.
    pub(super) fn new(total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { total, begun: Instant::now(), drawn: None, terminal }
    }

    /// `done` of the total are done.
    pub(super) fn at(&mut self, done: u64) {
        let now = Instant::now();
        let soon = self.drawn.is_some_and(|drawn| now.duration_since(drawn) < EVERY);
        if !self.terminal || soon {
            return;
        }
        self.drawn = Some(now);
        write(&line(done, self.total, self.begun.elapsed()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            write("");
        }
    }
}

/// Draws over the line that stands there. A terminal that has gone is no failure.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[2K{text}");
    let _ = stderr.flush();
}

fn line(done: u64, total: u64, elapsed: Duration) -> String {
    let filled = (done.min(total) * WIDTH).checked_div(total).unwrap_or(WIDTH);
    let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' }).collect();
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let rate = done.saturating_mul(1000).checked_div(milliseconds).unwrap_or(0);
    let left = match total.saturating_sub(done).checked_div(rate) {
        Some(seconds) if seconds >= 120 => format!("{} min left", seconds.div_ceil(60)),
        Some(seconds) => format!("{seconds} s left"),
        None => "…".to_owned(),
    };
    format!("{bar} {done} / {total} · {rate}/s · {left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_and_time_left() {
        let second = Duration::from_secs(1);
        assert_eq!(line(0, 10, Duration::ZERO), format!("{} 0 / 10 · 0/s · …", "░".repeat(24)));
        let half = format!("{}{}", "█".repeat(12), "░".repeat(12));
        assert_eq!(line(50, 100, second), format!("{half} 50 / 100 · 50/s · 1 s left"));
        assert!(line(1, 1000, second).ends_with("1/s · 17 min left"));
        assert!(line(0, 0, second).contains("0 / 0"));
    }
}
