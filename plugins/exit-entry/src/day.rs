//! Days, without a clock: from the event's instant and from `YYYY-MM-DD`.

/// Days since 1970-01-01 of a day in the Gregorian calendar (the usual shift of the year to March).
fn number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day of a text, as days since 1970-01-01; none if it is no date.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let mut next = |length: usize| {
        let part = parts.next()?;
        if part.len() == length { part.parse::<i64>().ok() } else { None }
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| number(year, month, day))
}

/// The day in China on which an instant falls.
pub(crate) fn of(at: u64) -> i64 {
    i64::try_from(at / 1000).unwrap_or(0).saturating_add(8 * 3600).div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("2000-03-01"), Some(11_017));
        assert_eq!(parse("2026-13-01"), None);
        assert_eq!(parse("26-1-1"), None);
        assert_eq!(of(0), 0);
        assert_eq!(of(57_600_000), 1);
    }
}
