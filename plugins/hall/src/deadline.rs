//! The limits of one case: begun at acceptance, stopped and resumed with a reason, extended once,
//! and the signals that supervision hears (domain.md §5 and §6).

use serde::{Deserialize, Serialize};

use crate::clock::{self, Calendar, DayKind, Limit, Signal};

/// Within this time an application is accepted or everything that lacks is named (许可法 art. 32).
const ACCEPTANCE: Limit = Limit { days: 5, kind: DayKind::Working };
/// A yellow signal that is not cured within this time turns red (domain.md §6).
const CURE: Limit = Limit { days: 2, kind: DayKind::Working };

/// Time that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Milliseconds UTC.
    pub from: i64,
    /// None while it lasts.
    pub to: Option<i64>,
    /// Told to the applicant.
    pub reason: String,
}

/// The clock of one case. The limits are those in force when it was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Submitted, milliseconds UTC.
    pub opened: i64,
    /// Accepted: the clock's start.
    pub accepted: Option<i64>,
    /// Promised limit.
    pub promised: Option<Limit>,
    /// Statutory limit.
    pub statutory: Option<Limit>,
    /// In order; only the last may be open.
    pub pauses: Vec<Pause>,
    /// Further days of the statutory limit, granted once with reasons (许可法 art. 42).
    pub extended: u16,
    /// Decided or ended: the clock's end.
    pub closed: Option<i64>,
}

/// A step of the clock that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// It does not run.
    #[error("the clock does not run")]
    NotRunning,
    /// It does not stand still.
    #[error("the clock is not suspended")]
    NotSuspended,
    /// It was extended before.
    #[error("the limit was extended before")]
    Extended,
}

impl Deadline {
    /// The clock of a submission.
    #[must_use]
    pub fn open(at: i64) -> Self {
        Self { opened: at, ..Self::default() }
    }

    /// Begins to run; a second acceptance changes nothing.
    pub fn accept(&mut self, at: i64, promised: Limit, statutory: Limit) {
        if self.accepted.is_none() {
            self.accepted = Some(at);
            self.promised = Some(promised);
            self.statutory = Some(statutory);
        }
    }

    /// Why it stands still, if it does.
    #[must_use]
    pub fn suspended(&self) -> Option<&str> {
        self.pauses.last().filter(|last| last.to.is_none()).map(|last| last.reason.as_str())
    }

    fn runs(&self) -> bool {
        self.accepted.is_some() && self.closed.is_none() && self.suspended().is_none()
    }

    /// Stops.
    ///
    /// # Errors
    /// [`DeadlineError::NotRunning`].
    pub fn suspend(&mut self, at: i64, reason: &str) -> Result<(), DeadlineError> {
        if !self.runs() {
            return Err(DeadlineError::NotRunning);
        }
        self.pauses.push(Pause { from: at, to: None, reason: reason.to_owned() });
        Ok(())
    }

    /// Goes on.
    ///
    /// # Errors
    /// [`DeadlineError::NotSuspended`].
    pub fn resume(&mut self, at: i64) -> Result<(), DeadlineError> {
        match self.pauses.last_mut() {
            Some(last) if last.to.is_none() => {
                last.to = Some(at.max(last.from));
                Ok(())
            }
            _ => Err(DeadlineError::NotSuspended),
        }
    }

    /// Adds days to the statutory limit, once.
    ///
    /// # Errors
    /// [`DeadlineError`].
    pub fn extend(&mut self, days: u16) -> Result<(), DeadlineError> {
        if self.accepted.is_none() || self.closed.is_some() {
            return Err(DeadlineError::NotRunning);
        }
        if self.extended > 0 {
            return Err(DeadlineError::Extended);
        }
        self.extended = days;
        Ok(())
    }

    /// Ends; the first end counts.
    pub fn close(&mut self, at: i64) {
        let _ = self.resume(at);
        self.closed.get_or_insert(at);
    }

    fn ends(&self, calendar: &Calendar, limit: Option<Limit>, more: u16) -> Option<i64> {
        let limit = limit.map(|limit| Limit { days: limit.days + more, ..limit })?;
        let accepted = self.accepted?;
        let pauses: Vec<(i64, i64)> =
            self.pauses.iter().filter_map(|pause| Some((pause.from, pause.to?))).collect();
        Some(calendar.due_without(accepted, limit, &pauses))
    }

    /// End of the promised limit; none before acceptance and while the clock stands still. An
    /// extension does not move what was promised.
    #[must_use]
    pub fn promised_end(&self, calendar: &Calendar) -> Option<i64> {
        let standing = self.suspended().is_some();
        if standing { None } else { self.ends(calendar, self.promised, 0) }
    }

    /// End of the statutory limit; likewise.
    #[must_use]
    pub fn statutory_end(&self, calendar: &Calendar) -> Option<i64> {
        let standing = self.suspended().is_some();
        if standing { None } else { self.ends(calendar, self.statutory, self.extended) }
    }

    /// When each signal begins, the loudest last; those that cannot come are left out.
    fn thresholds(&self, calendar: &Calendar) -> Vec<(i64, Signal)> {
        if self.closed.is_some() || self.suspended().is_some() {
            return Vec::new();
        }
        let Some(accepted) = self.accepted else {
            return vec![(calendar.due(self.opened, ACCEPTANCE) + 1, Signal::Yellow)];
        };
        let mut found = Vec::with_capacity(4);
        if let Some(promised) = self.promised_end(calendar) {
            let four_fifths = accepted + (promised - accepted) / 10 * 8;
            let short = self.promised.is_some_and(|limit| limit.days <= 2);
            let last = clock::begin(calendar.working_day_before(clock::day(promised)));
            // "One working day left" would be true of a short limit from its first moment.
            let blue = if short { four_fifths } else { four_fifths.min(last) };
            found.push((blue, Signal::Blue));
            found.push((promised + 1, Signal::Yellow));
            found.push((calendar.due(promised, CURE) + 1, Signal::Red));
        }
        if let Some(statutory) = self.statutory_end(calendar) {
            found.push((statutory + 1, Signal::Red));
        }
        found
    }

    /// The signal at `now`, if any.
    #[must_use]
    pub fn signal(&self, calendar: &Calendar, now: i64) -> Option<Signal> {
        let begun = self.thresholds(calendar).into_iter().filter(|(at, _)| *at <= now);
        begun.map(|(_, signal)| signal).max()
    }

    /// When a louder signal than that of `now` begins.
    #[must_use]
    pub fn next_change(&self, calendar: &Calendar, now: i64) -> Option<i64> {
        let here = self.signal(calendar, now);
        let louder = |(at, signal): &(i64, Signal)| *at > now && Some(*signal) > here;
        self.thresholds(calendar).into_iter().filter(louder).map(|(at, _)| at).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    const DAY: i64 = 86_400_000;
    const WORKING: DayKind = DayKind::Working;

    fn calendar() -> Calendar {
        Calendar::parse(include_str!("../catalogue/calendar.toml")).unwrap()
    }

    fn at(text: time::OffsetDateTime) -> i64 {
        text.unix_timestamp() * 1000
    }

    fn accepted(begin: i64) -> Deadline {
        let mut deadline = Deadline::open(begin);
        let limit = |days, kind| Limit { days, kind };
        deadline.accept(begin, limit(7, WORKING), limit(15, DayKind::Calendar));
        deadline
    }

    #[test]
    fn signals_grow_louder_and_a_pause_moves_them() {
        let calendar = calendar();
        let begin = at(datetime!(2026-11-02 09:00 +8));
        let mut deadline = accepted(begin);
        let promised = deadline.promised_end(&calendar).unwrap();
        assert_eq!(clock::day(promised), date!(2026 - 11 - 11));
        assert_eq!(clock::day(deadline.statutory_end(&calendar).unwrap()), date!(2026 - 11 - 17));
        assert_eq!(deadline.signal(&calendar, begin), None);
        let blue = at(datetime!(2026-11-10 09:00 +8));
        assert_eq!(deadline.signal(&calendar, blue), Some(Signal::Blue));
        assert_eq!(deadline.signal(&calendar, promised + 1), Some(Signal::Yellow));
        let uncured = at(datetime!(2026-11-14 00:00 +8));
        assert_eq!(deadline.signal(&calendar, uncured), Some(Signal::Red));
        deadline.suspend(begin + DAY, "鉴定").unwrap();
        assert_eq!(deadline.promised_end(&calendar), None);
        assert_eq!(deadline.signal(&calendar, promised + 1), None);
        deadline.resume(begin + 4 * DAY).unwrap();
        let later = deadline.promised_end(&calendar).unwrap();
        assert_eq!(clock::day(later), date!(2026 - 11 - 16));
        deadline.extend(10).unwrap();
        assert_eq!(deadline.extend(10), Err(DeadlineError::Extended));
        deadline.close(begin + 5 * DAY);
        assert_eq!(deadline.signal(&calendar, promised + 90 * DAY), None);
    }

    #[test]
    fn an_application_that_nobody_accepts_turns_yellow_after_five_working_days() {
        let calendar = calendar();
        let deadline = Deadline::open(at(datetime!(2026-11-02 09:00 +8)));
        let due = at(datetime!(2026-11-10 00:00 +8));
        assert_eq!(deadline.signal(&calendar, due - 1), None);
        assert_eq!(deadline.signal(&calendar, due), Some(Signal::Yellow));
        assert_eq!(deadline.next_change(&calendar, due - 1), Some(due));
    }

    proptest! {
        #[test]
        fn the_next_change_is_the_first_instant_of_another_signal(
            start in 1_767_196_800_000_i64..1_796_000_000_000, pause in 0_i64..20, after in 0_i64..9,
            look in 0_i64..40,
        ) {
            let calendar = calendar();
            let mut deadline = accepted(start);
            deadline.suspend(start + after * DAY, "r").unwrap();
            deadline.resume(start + (after + pause) * DAY).unwrap();
            prop_assert!(deadline.promised_end(&calendar) >= accepted(start).promised_end(&calendar));
            let now = start + look * DAY;
            if let Some(next) = deadline.next_change(&calendar, now) {
                prop_assert!(next > now);
                prop_assert_eq!(
                    deadline.signal(&calendar, next - 1),
                    deadline.signal(&calendar, now)
                );
                prop_assert!(deadline.signal(&calendar, next) > deadline.signal(&calendar, now));
            }
        }

        #[test]
        fn whatever_is_done_in_whatever_order_the_clock_stays_a_clock(steps: Vec<(u8, u16)>) {
            let calendar = calendar();
            let mut deadline = accepted(1_790_000_000_000);
            let mut now = 1_790_000_000_000;
            for (step, hours) in steps.into_iter().take(40) {
                now += i64::from(hours % 200) * 3_600_000;
                let _ = match step % 4 {
                    0 => deadline.suspend(now, "r"),
                    1 => deadline.resume(now),
                    2 => deadline.extend(10),
                    _ => Ok(()),
                };
                let open = deadline.pauses.iter().filter(|pause| pause.to.is_none()).count();
                prop_assert!(open <= 1);
                prop_assert!(deadline.pauses.iter().all(|p| p.to.is_none_or(|to| to >= p.from)));
                let _ = deadline.next_change(&calendar, now);
            }
        }
    }
}
