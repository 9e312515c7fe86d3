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
        // `parse` alone would take a sign.
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<i64>().ok() } else { None }
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let valid = (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
    valid.then(|| number(year, month, day))
}

/// Days of a month.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day in China on which an instant falls.
pub(crate) fn of(at: u64) -> i64 {
    i64::try_from(at / 1000).unwrap_or(0).saturating_add(8 * 3600).div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike as _, NaiveDate};
    use proptest::prelude::*;

    use super::*;

    fn known(year: i32, month: u32, day: u32) -> Option<i64> {
        NaiveDate::from_ymd_opt(year, month, day)
            .map(|date| i64::from(date.num_days_from_ce()) - 719_163)
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in ["2026-02-29", "2026-02-31", "1900-02-29", "2026-04-31", "2026-01-00"] {
            assert_eq!(parse(text), None, "{text}");
        }
        for text in ["+026-01-01", "2026-+1-01", "-001-01-01", "2026-1-1", "2026-01-01T", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("2024-02-29"), known(2024, 2, 29));
    }

    proptest! {
        #[test]
        fn every_date_is_what_the_library_says(year in 0..=9999_i32, month in 0..=13_u32, day in 0..=32_u32) {
            prop_assert_eq!(parse(&format!("{year:04}-{month:02}-{day:02}")), known(year, month, day));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }
    }

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
