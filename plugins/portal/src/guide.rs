//! The published elements of an item (contract.md, Published elements), in order and in words.

use plugins_hall::catalogue::{Item, Texts};
use plugins_hall::clock::{DayKind, Limit};
use serde_json::{Value, json};

use crate::frame::Frame;
use crate::lang::{self, Lang};
use crate::shown;

/// One published element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Name of the contract.
    pub name: &'static str,
    /// Heading.
    pub label: String,
    /// Content, a line each.
    pub lines: Vec<String>,
}

/// The contract's names in order.
pub const NAMES: [&str; 14] = [
    "code",
    "category",
    "department",
    "legal-basis",
    "conditions",
    "materials",
    "flow",
    "statutory-limit",
    "promised-limit",
    "fee",
    "level",
    "delivery",
    "trips",
    "stars",
];

fn all(lang: Lang, texts: &[Texts]) -> Vec<String> {
    texts.iter().map(|text| lang.pick(text).into_owned()).collect()
}

fn limit(lang: Lang, limit: Limit) -> String {
    let kind = match limit.kind {
        DayKind::Working => "limit-working",
        DayKind::Calendar => "limit-calendar",
    };
    lang.with(kind, "n", i64::from(limit.days))
}

fn materials(lang: Lang, item: &Item) -> Vec<String> {
    if item.materials.is_empty() {
        return vec![lang.t("materials-none")];
    }
    let one = |material: &plugins_hall::catalogue::Material| {
        format!("{} — {}", lang.pick(&material.label), lang.pick(&material.hint))
    };
    item.materials.iter().map(one).collect()
}

/// Fees of the day with the date from which each applies and its basis.
fn fees(lang: Lang, item: &Item, now: i64) -> Vec<String> {
    let fees = item.fees_at(now);
    if fees.is_empty() {
        return vec![lang.t("fee-none")];
    }
    let one = |fee: &&plugins_hall::catalogue::Fee| {
        let since = lang.with("fee-since", "day", fee.from.clone());
        let (label, basis) = (lang.pick(&fee.label), lang.pick(&fee.basis));
        let amount = shown::money(fee.minor, lang);
        match lang {
            Lang::ZhCn => format!("{label}：{amount}（{since}，{basis}）"),
            Lang::En => format!("{label}: {amount} ({since}; {basis})"),
        }
    };
    fees.iter().map(one).collect()
}

/// All elements of an item on a day.
#[must_use]
pub fn elements(lang: Lang, item: &Item, now: i64) -> Vec<Element> {
    let lines = |name: &str| match name {
        "code" => vec![item.code.clone()],
        "category" => vec![lang.pick(&item.category).into_owned()],
        "department" => vec![lang.pick(&item.department).into_owned()],
        "legal-basis" => all(lang, &item.legal_basis),
        "conditions" => all(lang, &item.conditions),
        "materials" => materials(lang, item),
        "flow" => all(lang, &item.flow),
        "statutory-limit" => vec![limit(lang, item.statutory)],
        "promised-limit" => vec![limit(lang, item.promised)],
        "fee" => fees(lang, item, now),
        "level" => vec![lang.t(&format!("level-{}", item.level.min(5)))],
        "delivery" => vec![lang.pick(&item.delivery).into_owned()],
        "trips" => vec![lang.t(if item.trips == 0 { "trips-0" } else { "trips-1" })],
        _ => vec!["★".repeat(usize::from(item.stars.min(5)))],
    };
    NAMES
        .into_iter()
        .map(|name| Element { name, label: lang.t(&format!("element-{name}")), lines: lines(name) })
        .collect()
}

/// The fee's lines alone.
#[must_use]
pub fn fee(frame: &Frame, item: &Item, now: i64) -> Vec<String> {
    fees(frame.lang, item, now)
}

/// An item as public JSON: every element in every language, fees as numbers.
#[must_use]
pub fn json(item: &Item, now: i64, available: bool) -> Value {
    let mut published = serde_json::Map::new();
    for name in NAMES {
        let texts: serde_json::Map<String, Value> = lang::ALL
            .into_iter()
            .filter_map(|lang| {
                let element = elements(lang, item, now).into_iter().find(|e| e.name == name)?;
                Some((lang.tag().to_owned(), json!(element.lines)))
            })
            .collect();
        published.insert(name.to_owned(), Value::Object(texts));
    }
    let fees: Vec<Value> = item
        .fees_at(now)
        .into_iter()
        .map(|fee| {
            json!({
                "id": fee.id, "minor": fee.minor, "currency": "CNY", "from": fee.from,
                "label": fee.label, "basis": fee.basis,
            })
        })
        .collect();
    json!({
        "code": item.code,
        "title": item.title,
        "summary": item.summary,
        "department": item.department,
        "category": item.category,
        "level": item.level,
        "stars": item.stars,
        "trips": item.trips,
        "promised_limit": item.promised,
        "statutory_limit": item.statutory,
        "fees": fees,
        "materials": item.materials,
        "available": available,
        "elements": published,
        "guide": format!("/items/{}", item.code),
    })
}

#[cfg(test)]
mod tests {
    use plugins_hall::catalogue::Catalogue;

    use super::*;

    #[test]
    fn every_item_publishes_every_element_in_every_language() {
        let catalogue = Catalogue::embedded().unwrap();
        for item in catalogue.items() {
            for lang in lang::ALL {
                for element in elements(lang, item, 1_790_000_000_000) {
                    assert!(!element.lines.is_empty(), "{} {}", item.code, element.name);
                    assert!(element.lines.iter().all(|line| !line.is_empty()), "{element:?}");
                    assert_ne!(element.label, format!("element-{}", element.name));
                }
            }
        }
    }

    #[test]
    fn the_fee_is_shown_with_its_date() {
        let catalogue = Catalogue::embedded().unwrap();
        let item = catalogue.find("exit-entry.passport-renewal").unwrap();
        let lines = fees(Lang::En, item, 1_790_000_000_000);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("120.00") && lines[0].contains("2019-07-01"), "{lines:?}");
    }
}
