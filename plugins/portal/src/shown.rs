//! How instants, amounts and sizes are shown to people and to programs.

use time::{OffsetDateTime, UtcOffset};

use crate::lang::Lang;

/// An instant as `datetime=` and as text, in the time of China.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instant {
    /// RFC 3339 with offset.
    pub iso: String,
    /// `2026-11-23 17:20`.
    pub text: String,
    /// `2026-11-23`.
    pub day: String,
}

/// Milliseconds UTC as shown.
#[must_use]
pub fn instant(at: i64) -> Instant {
    let offset = UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC);
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset);
    let day = format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day());
    let clock = format!("{:02}:{:02}", time.hour(), time.minute());
    Instant {
        iso: format!("{day}T{clock}:{:02}.{:03}+08:00", time.second(), time.millisecond()),
        text: format!("{day} {clock}"),
        day,
    }
}

/// Minor units as shown: `120.00 元`, `CNY 120.00`.
#[must_use]
pub fn money(minor: i64, lang: Lang) -> String {
    let amount = format!("{}.{:02}", minor / 100, minor % 100);
    match lang {
        Lang::ZhCn => format!("{amount} 元"),
        Lang::En => format!("CNY {amount}"),
    }
}

/// A case's number in groups that can be read out.
#[must_use]
pub fn number(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    chars.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// How long ago, or how long until, in whole units of the larger kind.
#[must_use]
pub fn distance(now: i64, at: i64, lang: Lang) -> String {
    let (past, minutes) = (at <= now, (at - now).abs() / 60_000);
    let (amount, unit) = match minutes {
        0..=59 => (minutes, "minutes"),
        60..=2_879 => (minutes / 60, "hours"),
        _ => (minutes / 1_440, "days"),
    };
    lang.with(&format!("{}-{unit}", if past { "ago" } else { "in" }), "n", amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_the_time_of_china_and_programs_an_offset() {
        let shown = instant(1_763_884_800_123);
        assert_eq!(shown.iso, "2025-11-23T16:00:00.123+08:00");
        assert_eq!(shown.text, "2025-11-23 16:00");
        assert_eq!(money(12_005, Lang::ZhCn), "120.05 元");
        assert_eq!(number("ABCD1234EFGH"), "ABCD 1234 EFGH");
    }

    #[test]
    fn distances_are_in_the_largest_whole_unit() {
        let hour = 3_600_000;
        assert_eq!(distance(0, 3 * hour, Lang::En), "in 3 h");
        assert_eq!(distance(50 * hour, 0, Lang::En), "2 d ago");
    }
}
