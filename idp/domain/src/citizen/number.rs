//! 公民身份号码, GB 11643-1999: 6 region + 8 birth date + 3 sequence + 1 check (domain.md §1).

use super::region::{self, Region};
use std::fmt;
use time::{Date, Month};

/// Weights of the first 17 digits, GB 11643-1999 (ISO 7064 MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check character by remainder modulo 11.
const CHECKS: &[u8; 11] = b"10X98765432";
/// Nobody alive or on record was born earlier; the standard's own example is of 1880.
const FIRST_YEAR: i32 = 1800;
/// Unassigned region code of synthetic people: no generated number can belong to a citizen.
pub const SYNTHETIC_REGION: &str = "359901";

/// Why a text is no resident number. Each fault has its own sentence on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NumberFault {
    /// Nothing was given.
    #[error("no number was given\nhint: give the 18 characters on the identity card")]
    Empty,
    /// Not 18 characters.
    #[error("the number does not have 18 characters\nhint: compare it with the identity card")]
    Length,
    /// The 15-digit form of GB 11643-1989, which only serves to look somebody up.
    #[error(
        "this is a number of the old 15-digit form\nhint: give the 18 characters of a current card"
    )]
    OldForm,
    /// Something other than digits, or an X that is not at the end.
    #[error("the number has a character that cannot be there\nhint: 17 digits, then a digit or X")]
    Characters,
    /// Digits 7 to 14 are no day of the calendar.
    #[error("digits 7 to 14 are no date\nhint: they are the birth date, year month day")]
    Date,
    /// The birth date lies ahead.
    #[error("the birth date in the number is in the future\nhint: check digits 7 to 14")]
    FutureDate,
    /// The last character does not follow from the others.
    #[error("the last character does not fit the others\nhint: one of the digits is mistyped")]
    Checksum,
    /// The first two digits are no province's, now or before.
    #[error("the first two digits are no province's\nhint: compare them with the identity card")]
    Region,
    /// A synthetic number where none is allowed.
    #[error("this is a number of a demonstration\nhint: use a real number, or run the demo")]
    Synthetic,
}

/// Kind of document the number's first digits tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// 居民身份证.
    ResidentId,
    /// 港澳台居民居住证: address code 810000, 820000 or 830000.
    HongKongMacaoTaiwanResidence,
    /// 外国人永久居留身份证, 2023 form: first digit 9.
    ForeignerPermanentResidence,
}

impl DocumentKind {
    /// The name used in the database and in claims.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ResidentId => "resident_id",
            Self::HongKongMacaoTaiwanResidence => "hmt_residence",
            Self::ForeignerPermanentResidence => "foreigner_residence",
        }
    }
}

/// Legal sex as the sequence digit tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sex {
    /// Odd sequence.
    Male,
    /// Even sequence.
    Female,
}

impl Sex {
    /// The OpenID Connect claim's value (Core §5.1).
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A number that has passed every check of GB 11643; `X` is upper case.
///
/// `Debug` shows the masked form: a number never reaches a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResidentNumber(String);

impl ResidentNumber {
    /// Reads a number as a person types it: full-width digits, spaces and a small x are
    /// forgiven. `today` is the date in China; `synthetic` allows region [`SYNTHETIC_REGION`].
    ///
    /// An unknown county is no fault (withdrawn codes stay valid): see [`Self::region`].
    pub fn parse(text: &str, today: Date, synthetic: bool) -> Result<Self, NumberFault> {
        let text = clean(text);
        let count = text.chars().count();
        if count == 0 {
            return Err(NumberFault::Empty);
        }
        if count == 15 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberFault::OldForm);
        }
        if count != 18 {
            return Err(NumberFault::Length);
        }
        let bytes = text.as_bytes();
        let (Some(body), Some(last)) = (bytes.get(..17), bytes.get(17)) else {
            return Err(NumberFault::Characters);
        };
        // Eighteen characters of more than one byte each are no digits either.
        if bytes.len() != 18
            || !body.iter().all(u8::is_ascii_digit)
            || !(last.is_ascii_digit() || *last == b'X')
        {
            return Err(NumberFault::Characters);
        }
        let born = date_of(text.get(6..14).unwrap_or_default()).ok_or(NumberFault::Date)?;
        if born > today {
            return Err(NumberFault::FutureDate);
        }
        if check_character(body) != Some(*last) {
            return Err(NumberFault::Checksum);
        }
        if text.starts_with(SYNTHETIC_REGION) && !synthetic {
            return Err(NumberFault::Synthetic);
        }
        // Provinces have never lost their digits, counties do: a county that our table lacks is for
        // the register to judge. A foreigner's card begins with 9 and names no province.
        if !text.starts_with('9') && region::province(&text).is_none() {
            return Err(NumberFault::Region);
        }
        Ok(Self(text))
    }

    /// The 18-character form of a number of 15 digits (GB 11643-1989), to look somebody up by;
    /// cards of that form are long out of use, so it registers nobody.
    pub fn from_old_form(text: &str, today: Date, synthetic: bool) -> Result<Self, NumberFault> {
        let text = clean(text);
        if text.len() != 15 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberFault::Length);
        }
        // All numbers of that form were given to people born in the twentieth century.
        let (region, rest) = text.split_at(6);
        let mut body = format!("{region}19{rest}");
        let check = check_character(body.as_bytes()).ok_or(NumberFault::Characters)?;
        body.push(char::from(check));
        Self::parse(&body, today, synthetic)
    }

    /// The 18 characters. Never for a URL, a log or a `sub`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first six digits: region of first registration.
    pub fn region_code(&self) -> &str {
        self.0.get(..6).unwrap_or_default()
    }

    /// What the region table says of the code; unknown is a warning, not a refusal.
    pub fn region(&self) -> Region {
        region::look_up(self.region_code())
    }

    /// Birth date.
    pub fn born(&self) -> Date {
        date_of(self.0.get(6..14).unwrap_or_default()).unwrap_or(Date::MIN)
    }

    /// Sex by the sequence: odd is male.
    pub fn sex(&self) -> Sex {
        match self.0.as_bytes().get(16).map(|digit| digit % 2) {
            Some(1) => Sex::Male,
            _ => Sex::Female,
        }
    }

    /// Kind of document, by the first digits.
    pub fn kind(&self) -> DocumentKind {
        match self.region_code() {
            "810000" | "820000" | "830000" => DocumentKind::HongKongMacaoTaiwanResidence,
            code if code.starts_with('9') => DocumentKind::ForeignerPermanentResidence,
            _ => DocumentKind::ResidentId,
        }
    }

    /// For showing: see [`masked`].
    pub fn masked(&self) -> String {
        masked(&self.0)
    }

    /// Full years of age on `day`. Who was born on a leap day is older from 1 March.
    pub fn age_on(&self, day: Date) -> i32 {
        let born = self.born();
        let had_birthday =
            (u8::from(day.month()), day.day()) >= (u8::from(born.month()), born.day());
        day.year() - born.year() - i32::from(!had_birthday)
    }
}

impl fmt::Debug for ResidentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResidentNumber({})", self.masked())
    }
}

/// A number for showing: birth digits hidden (国办函〔2016〕108号 asks it of account names), and most
/// of the rest too, since region, birth and check digit are guessable (attacks.md row 30).
pub fn masked(number: &str) -> String {
    let head = number.get(..3).unwrap_or_default();
    let tail = number.get(16..).unwrap_or_default();
    format!("{head}*************{tail}")
}

/// The check character of 17 digits, GB 11643-1999; `None` if they are not 17 digits.
pub fn check_character(body: &[u8]) -> Option<u8> {
    if body.len() != 17 || !body.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: u32 =
        body.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECKS.get(usize::try_from(sum % 11).ok()?).copied()
}

/// A synthetic number for demonstrations and tests: region 359901, the birth date, and a
/// sequence of 0 to 999 (odd = male).
pub fn synthetic(born: Date, sequence: u16) -> Option<ResidentNumber> {
    if sequence > 999 {
        return None;
    }
    let (year, month, day) = (born.year(), u8::from(born.month()), born.day());
    let mut text = format!("{SYNTHETIC_REGION}{year:04}{month:02}{day:02}{sequence:03}");
    text.push(char::from(check_character(text.as_bytes())?));
    Some(ResidentNumber(text))
}

/// The day in China (UTC+8, no summer time) at a moment in milliseconds UTC.
pub fn day_in_china(ms: i64) -> Date {
    const EIGHT_HOURS: i64 = 8 * 3600;
    time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000) + EIGHT_HOURS)
        .map_or(Date::MIN, time::OffsetDateTime::date)
}

/// What people type: spaces and hyphens between groups, full-width digits from a Chinese input
/// method, a small x.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{200b}' | '\u{feff}'))
        .map(|c| match c {
            '０'..='９' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
            'x' | 'ｘ' | 'Ｘ' | '×' => 'X',
            other => other,
        })
        .collect()
}

fn date_of(digits: &str) -> Option<Date> {
    let year: i32 = digits.get(..4)?.parse().ok()?;
    let month: u8 = digits.get(4..6)?.parse().ok()?;
    let day: u8 = digits.get(6..8)?.parse().ok()?;
    if year < FIRST_YEAR {
        return None;
    }
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
