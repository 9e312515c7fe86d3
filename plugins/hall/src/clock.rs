//! The clock of a case: working days by a dated calendar, limits, suspensions, signals.
//!
//! The clock is the host's: a plugin cannot hide an overrun. All instants are milliseconds UTC;
//! days are days of China (UTC+8, no summer time since 1992).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, UtcOffset, Weekday};

use crate::port::WorkingDays;

const DAY: i64 = 86_400_000;

/// How the days of a limit are counted; every limit carries its own kind (domain.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DayKind {
    /// Working days (许可法 art. 82).
    Working,
    /// Calendar days.
    Calendar,
}

/// A limit of so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Number of days.
    pub days: u16,
    /// How they are counted.
    pub kind: DayKind,
}

/// The dated calendar of days off and make-up working days.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    off: BTreeSet<Date>,
    work: BTreeSet<Date>,
    years: BTreeSet<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: Vec<Year>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Year {
    year: i32,
    off: Vec<String>,
    work: Vec<String>,
}

fn china() -> UtcOffset {
    UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)
}

/// The day in China on which an instant falls.
#[must_use]
pub fn day(at: i64) -> Date {
    let nanos = i128::from(at) * 1_000_000;
    let instant =
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.to_offset(china()).date()
}

/// The last millisecond of a day in China.
#[must_use]
pub fn end(day: Date) -> i64 {
    begin(day) + DAY - 1
}

/// The first millisecond of a day in China.
#[must_use]
pub fn begin(day: Date) -> i64 {
    day.midnight().assume_offset(china()).unix_timestamp() * 1000
}

impl Calendar {
    /// Reads a calendar.
    ///
    /// # Errors
    /// A sentence about the first fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|cause| cause.to_string())?;
        let mut calendar = Self::default();
        let format = time::macros::format_description!("[year]-[month]-[day]");
        for year in file.year {
            calendar.years.insert(year.year);
            for (days, set) in [(&year.off, &mut calendar.off), (&year.work, &mut calendar.work)] {
                for text in days {
                    let day = Date::parse(text, format)
                        .map_err(|cause| format!("{text} is no date: {cause}"))?;
                    set.insert(day);
                }
            }
        }
        Ok(calendar)
    }

    /// Whether offices work on a day.
    #[must_use]
    pub fn works(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        self.work.contains(&day) || !(weekend || self.off.contains(&day))
    }

    /// Whether the notice of this year is known.
    #[must_use]
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// When a limit that began at `from` ends: the last millisecond of its last day. The day of
    /// the beginning does not count; an end on a day off moves to the next working day
    /// (民法典 arts. 201 and 203).
    #[must_use]
    pub fn due(&self, from: i64, limit: Limit) -> i64 {
        self.due_without(from, limit, &[])
    }

    /// The same where some time does not count: a day is left out if the clock stood still on it,
    /// the day on which it stopped excepted, as the day of a beginning does not count either
    /// (许可法 art. 45).
    #[must_use]
    pub fn due_without(&self, from: i64, limit: Limit, pauses: &[(i64, i64)]) -> i64 {
        let still: Vec<(Date, Date)> = pauses.iter().map(|(a, b)| (day(*a), day(*b))).collect();
        let mut day = day(from);
        let mut left = limit.days;
        while left > 0 {
            let Some(next) = day.next_day() else { break };
            day = next;
            let counts = limit.kind == DayKind::Calendar || self.works(day);
            let paused = still.iter().any(|(from, to)| *from < day && day <= *to);
            left -= u16::from(counts && !paused);
        }
        // 民法典 art. 203: an end on a day off moves.
        while !self.works(day) {
            let Some(next) = day.next_day() else { break };
            day = next;
        }
        end(day)
    }

    /// The last working day before a day.
    #[must_use]
    pub fn working_day_before(&self, mut day: Date) -> Date {
        while let Some(earlier) = day.previous_day() {
            day = earlier;
            if self.works(day) {
                break;
            }
        }
        day
    }

    /// Working days between two instants: how many of them end after `from` and by `to`.
    #[must_use]
    pub fn working_days_until(&self, from: i64, to: i64) -> i64 {
        let (mut at, last) = (day(from), day(to));
        let mut count = 0;
        // A limit is never longer than some years; the bound keeps a wrong date from looping.
        for _ in 0..2_000 {
            if at >= last {
                break;
            }
            let Some(next) = at.next_day() else { break };
            at = next;
            count += i64::from(self.works(at));
        }
        count
    }
}

impl WorkingDays for Calendar {
    fn add_working_days(&self, at: i64, days: i32) -> i64 {
        let (start, mut to) = (day(at), day(at));
        let mut left = days.unsigned_abs().min(2_000);
        while left > 0 {
            let next = if days > 0 { to.next_day() } else { to.previous_day() };
            let Some(next) = next else { break };
            to = next;
            left -= u32::from(self.works(to));
        }
        at + (to - start).whole_days() * DAY
    }
}

/// How loud supervision is about a case (domain.md §6; thresholds are ours, configurable later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// One working day left, or four fifths of the promised time used.
    Blue,
    /// The promised limit has passed.
    Yellow,
    /// The statutory limit has passed.
    Red,
}

impl Signal {
    /// `blue`, `yellow`, `red`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// The signal of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Blue, Self::Yellow, Self::Red].into_iter().find(|signal| signal.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn calendar() -> Calendar {
        Calendar::parse(include_str!("../catalogue/calendar.toml")).unwrap()
    }

    fn at(text: OffsetDateTime) -> i64 {
        text.unix_timestamp() * 1000
    }

    #[test]
    fn the_spring_festival_is_no_working_time_and_its_make_up_days_are() {
        let calendar = calendar();
        // Friday 2026-02-13: the 14th (Saturday) works, 15th to 23rd are off, 24th works.
        let from = at(datetime!(2026-02-13 10:00 +8));
        let one = calendar.due(from, Limit { days: 1, kind: DayKind::Working });
        assert_eq!(day(one), time::macros::date!(2026 - 02 - 14));
        let two = calendar.due(from, Limit { days: 2, kind: DayKind::Working });
        assert_eq!(day(two), time::macros::date!(2026 - 02 - 24));
        assert_eq!(calendar.add_working_days(from, 2), at(datetime!(2026-02-24 10:00 +8)));
        assert_eq!(calendar.add_working_days(two, -2), two - 11 * DAY);
    }

    #[test]
    fn a_calendar_limit_that_ends_on_a_day_off_moves_to_the_next_working_day() {
        let calendar = calendar();
        let from = at(datetime!(2026-09-16 23:30 +8));
        // Fifteen days later is 1 October, the first of seven days off.
        let due = calendar.due(from, Limit { days: 15, kind: DayKind::Calendar });
        assert_eq!(day(due), time::macros::date!(2026 - 10 - 08));
    }

    #[test]
    fn the_day_is_the_day_in_china() {
        assert_eq!(day(at(datetime!(2026-11-23 17:00 UTC))), time::macros::date!(2026 - 11 - 24));
    }

    proptest! {
        #[test]
        fn a_limit_ends_later_when_it_is_longer_and_on_a_working_day(
            start in 1_735_689_600_000_i64..1_798_000_000_000, days in 1_u16..60,
        ) {
            let calendar = calendar();
            for kind in [DayKind::Working, DayKind::Calendar] {
                let due = calendar.due(start, Limit { days, kind });
                prop_assert!(calendar.works(day(due)));
                prop_assert!(due > start);
                let later = calendar.due(start, Limit { days: days + 1, kind });
                prop_assert!(later >= due);
            }
        }
    }
}
