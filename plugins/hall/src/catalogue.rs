//! The dated catalogue of items: what is published, what it costs from which day, how long it may
//! take. A plugin names a fee or a limit, it never sets one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::call::Quote;
use crate::clock::{self, Calendar, Limit};

/// A text in each language, `zh-CN` and `en`.
pub type Texts = BTreeMap<String, String>;

/// A material that an applicant uploads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// Name, the last part of the input's name `materials.NAME`.
    pub name: String,
    /// Whether an application without it is refused.
    pub required: bool,
    /// `uploaded`, `shared` or `self-made` (domain.md §4).
    pub source: String,
    /// Media types that are taken.
    pub types: Vec<String>,
    /// Largest size, bytes.
    pub max_bytes: u64,
    /// Smallest width of a picture, pixels.
    #[serde(default)]
    pub min_width: u32,
    /// Smallest height of a picture, pixels.
    #[serde(default)]
    pub min_height: u32,
    /// What it is.
    pub label: Texts,
    /// How it must be.
    pub hint: Texts,
}

/// A fee with the days on which it applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Name that a plugin quotes.
    pub id: String,
    /// Minor units (fen).
    pub minor: i64,
    /// First day, `YYYY-MM-DD`.
    pub from: String,
    /// Last day, none while it applies.
    pub until: Option<String>,
    /// What it is for.
    pub label: Texts,
    /// Legal basis.
    pub basis: Texts,
}

/// An item (事项).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// `PLUGIN.NAME`.
    pub code: String,
    /// Plugin that decides about its cases.
    pub plugin: String,
    /// Letter of its machine.
    pub machine: String,
    /// Life event under which people look for it.
    pub theme: String,
    /// Proofing level that applying needs, 0–5.
    pub level: u8,
    /// Stars 1–5 (domain.md §4).
    pub stars: u8,
    /// Trips to an office, 0 or 1.
    pub trips: u8,
    /// Promised limit.
    pub promised: Limit,
    /// Statutory limit.
    pub statutory: Limit,
    /// Days by which the statutory limit may be extended once.
    #[serde(default = "ten")]
    pub extension: u16,
    /// `express`, `pickup`.
    pub delivery_kinds: Vec<String>,
    /// Name.
    pub title: Texts,
    /// One sentence.
    pub summary: Texts,
    /// Category (审批类别).
    pub category: Texts,
    /// Department (审批部门).
    pub department: Texts,
    /// Legal basis (设定依据), each line.
    pub legal_basis: Vec<Texts>,
    /// Conditions, each line.
    pub conditions: Vec<Texts>,
    /// Flow, each step.
    pub flow: Vec<Texts>,
    /// How the result is handed over.
    pub delivery: Texts,
    /// Materials.
    pub materials: Vec<Material>,
    /// Fees with their days.
    pub fees: Vec<Fee>,
}

/// 许可法 art. 42: ten days more, with reasons told.
fn ten() -> u16 {
    10
}

/// The catalogue. Cheap to share, read once at start.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    items: Vec<Item>,
    calendar: Calendar,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    item: Vec<Item>,
}

const FILES: &[(&str, &str)] = &[("exit-entry.toml", include_str!("../catalogue/exit-entry.toml"))];

fn date(text: &str) -> Result<Date, String> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).map_err(|cause| format!("{text} is no date: {cause}"))
}

impl Fee {
    fn applies(&self, day: Date) -> bool {
        let begun = date(&self.from).is_ok_and(|from| from <= day);
        let open = self.until.as_deref().is_none_or(|until| date(until).is_ok_and(|u| day <= u));
        begun && open
    }
}

impl Item {
    /// The fees of the day on which `at` falls (milliseconds UTC).
    #[must_use]
    pub fn fees_at(&self, at: i64) -> Vec<&Fee> {
        let day = clock::day(at);
        self.fees.iter().filter(|fee| fee.applies(day)).collect()
    }

    /// The same for a plugin: by id.
    #[must_use]
    pub fn quotes_at(&self, at: i64) -> BTreeMap<String, Quote> {
        let quote = |fee: &Fee| Quote {
            id: fee.id.clone(),
            minor: fee.minor,
            currency: "CNY".to_owned(),
            basis: fee.basis.get("zh-CN").cloned().unwrap_or_default(),
        };
        self.fees_at(at).into_iter().map(|fee| (fee.id.clone(), quote(fee))).collect()
    }

    fn check(&self) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{}: {what}", self.code));
        if crate::machine::Machine::find(&self.machine).is_none() {
            return fault("no such machine");
        }
        if !self.code.starts_with(&format!("{}.", self.plugin)) || self.level > 5 {
            return fault("its code does not begin with its plugin, or its level is above 5");
        }
        for fee in &self.fees {
            date(&fee.from)?;
            fee.until.as_deref().map_or(Ok(()), |until| date(until).map(|_| ()))?;
            if fee.minor <= 0 {
                return fault("a fee is not positive: leave it out");
            }
        }
        let lists = [&self.legal_basis, &self.conditions, &self.flow];
        let mut texts: Vec<&Texts> = lists.into_iter().flatten().collect();
        texts.extend([&self.title, &self.summary, &self.category, &self.department]);
        texts.push(&self.delivery);
        texts.extend(self.fees.iter().flat_map(|fee| [&fee.label, &fee.basis]));
        texts.extend(self.materials.iter().flat_map(|one| [&one.label, &one.hint]));
        let whole = |texts: &&Texts| ["zh-CN", "en"].iter().all(|lang| texts.contains_key(*lang));
        if texts.iter().all(whole) { Ok(()) } else { fault("a text lacks a language") }
    }
}

impl Catalogue {
    /// The catalogue that is part of the program.
    ///
    /// # Errors
    /// A sentence about the first fault; a test keeps it from happening in a release.
    pub fn embedded() -> Result<Self, String> {
        let mut catalogue = Self {
            items: Vec::new(),
            calendar: Calendar::parse(include_str!("../catalogue/calendar.toml"))?,
        };
        for (name, text) in FILES {
            catalogue.add(text).map_err(|cause| format!("{name}: {cause}"))?;
        }
        Ok(catalogue)
    }

    /// Adds a file of items.
    ///
    /// # Errors
    /// A sentence about the first fault.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|cause| cause.to_string())?;
        for item in file.item {
            item.check()?;
            if self.find(&item.code).is_some() {
                return Err(format!("{} stands twice", item.code));
            }
            self.items.push(item);
        }
        Ok(())
    }

    /// All items in their order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item of a code.
    #[must_use]
    pub fn find(&self, code: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.code == code)
    }

    /// Days off and working days.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    /// 2019-07-01 00:00 in China.
    const CHANGE: i64 = 1_561_910_400_000;

    #[test]
    fn the_embedded_catalogue_is_sound() {
        let catalogue = Catalogue::embedded().unwrap();
        assert_eq!(catalogue.items().len(), 2);
        assert!(catalogue.calendar().knows(2026));
    }

    #[test]
    fn a_fee_is_the_fee_of_its_day() {
        let catalogue = Catalogue::embedded().unwrap();
        let passport = catalogue.find("exit-entry.passport-renewal").unwrap();
        let fee = |at| passport.quotes_at(at).get("standard").map(|quote| quote.minor);
        assert_eq!(fee(CHANGE - 1), Some(16_000));
        assert_eq!(fee(CHANGE), Some(12_000));
        assert_eq!(fee(CHANGE - 3 * 365 * DAY), None);
        for at in [CHANGE - 1, CHANGE, CHANGE + 2_000 * DAY] {
            for item in catalogue.items() {
                let fees = item.fees_at(at);
                let ids: std::collections::BTreeSet<_> = fees.iter().map(|fee| &fee.id).collect();
                assert_eq!(ids.len(), fees.len(), "two fees of one name on one day");
            }
        }
    }

    #[test]
    fn a_faulty_file_is_refused_with_a_sentence() {
        let good = FILES[0].1;
        let mut catalogue = Catalogue::embedded().unwrap();
        assert!(catalogue.add(good).unwrap_err().contains("stands twice"));
        let wrong = [
            (r#"machine = "A""#, r#"machine = "Z""#),
            ("minor = 12000", "minor = 0"),
            (r#"from = "2019-07-01""#, r#"from = "2019-13-01""#),
            ("stars = 5", "stars = 5\nstar = 6"),
            (r#", en = "Ordinary passport" "#, ""),
        ];
        for (from, to) in wrong {
            let text = good.replace(from, to);
            assert_ne!(text, good, "{from}");
            assert!(Catalogue::default().add(&text).is_err(), "{to}");
        }
    }
}
