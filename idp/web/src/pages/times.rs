//! Times as people and programs read them. People here live at UTC+8.

use time::macros::{format_description, offset};
use time::{OffsetDateTime, UtcOffset};

const CHINA: UtcOffset = offset!(+8);

fn moment(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Day and minute in China.
pub(crate) fn local(ms: i64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]");
    moment(ms).to_offset(CHINA).format(&form).unwrap_or_default()
}

/// Day and second in China.
pub(crate) fn second(ms: i64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment(ms).to_offset(CHINA).format(&form).unwrap_or_default()
}

/// Day in China.
pub(crate) fn day(ms: i64) -> String {
    let form = format_description!("[year]-[month]-[day]");
    moment(ms).to_offset(CHINA).format(&form).unwrap_or_default()
}

/// RFC 3339, for `datetime` attributes and exports.
pub(crate) fn iso(ms: i64) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    moment(ms).format(&form).unwrap_or_default()
}
