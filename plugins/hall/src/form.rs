//! Forms as data: what was entered, checked against the schema that the plugin gave, with a
//! sentence for each fault in each language.
//!
//! The schema is JSON Schema 2020-12 in the part that a form needs: `properties` (nested objects
//! are dotted paths), `required`, `enum`, `format: date`, lengths, `pattern`, bounds. Beside it stand
//! `x-label`, `x-hint`, `x-options`, `x-group` for people. `readOnly` fields hold verified facts and
//! are never taken from what was sent.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::call::Problem;

/// One field of a form, flattened.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<'s> {
    /// Dotted path, the name of the input.
    pub path: String,
    /// The field's part of the schema.
    pub schema: &'s Value,
    /// Whether it must be filled.
    pub required: bool,
}

impl Field<'_> {
    /// Whether it is a verified fact, shown and not asked.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.schema.get("readOnly").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The values that may be chosen, if the field is a choice.
    #[must_use]
    pub fn choices(&self) -> Option<Vec<&str>> {
        let values = self.schema.get("enum")?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.schema.get(key).and_then(Value::as_f64)
    }

    fn kind(&self) -> &str {
        self.schema.get("type").and_then(Value::as_str).unwrap_or("string")
    }
}

/// The fields of a schema in order, without materials.
#[must_use]
pub fn fields(schema: &Value) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    collect(schema, "", &mut found, 0);
    found
}

fn collect<'s>(schema: &'s Value, prefix: &str, found: &mut Vec<Field<'s>>, depth: u8) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    // A plugin's schema is not trusted to be shallow.
    if depth > 4 {
        return;
    }
    let required = schema.get("required").and_then(Value::as_array);
    let must =
        |name: &str| required.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(name)));
    for (name, inner) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if path == "materials" {
            continue;
        }
        if inner.get("type").and_then(Value::as_str) == Some("object") {
            collect(inner, &path, found, depth + 1);
        } else {
            found.push(Field { path, schema: inner, required: must(name) });
        }
    }
}

/// Puts what was sent into the shape of the schema: known fields only, locked ones from the schema's
/// prefill, texts trimmed, numbers and truth values read.
#[must_use]
pub fn gather(schema: &Value, sent: &BTreeMap<String, String>) -> Value {
    let mut data = json!({});
    for field in fields(schema) {
        let value = if field.locked() {
            field.schema.get("default").cloned()
        } else {
            sent.get(&field.path).and_then(|text| read(&field, text.trim()))
        };
        if let Some(value) = value {
            put(&mut data, &field.path, value);
        }
    }
    data
}

fn read(field: &Field<'_>, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(match field.kind() {
        "integer" => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        "boolean" => json!(matches!(text, "true" | "on" | "yes")),
        _ => json!(text.replace("\r\n", "\n")),
    })
}

/// Sets the value at a dotted path.
pub fn put(data: &mut Value, path: &str, value: Value) {
    let mut here = data;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Some(map) = here.as_object_mut() else { return };
        if parts.peek().is_none() {
            map.insert(part.to_owned(), value);
            return;
        }
        here = map.entry(part).or_insert_with(|| json!({}));
    }
}

/// The value at a dotted path.
#[must_use]
pub fn get<'d>(data: &'d Value, path: &str) -> Option<&'d Value> {
    path.split('.').try_fold(data, |here, part| here.get(part))
}

/// A value as the text of an input.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// All faults of the data, in the order of the fields. The plugin checks the rest.
#[must_use]
pub fn check(schema: &Value, data: &Value) -> Vec<Problem> {
    fields(schema).iter().filter_map(|field| fault(field, get(data, &field.path))).collect()
}

fn fault(field: &Field<'_>, value: Option<&Value>) -> Option<Problem> {
    let Some(value) = value else {
        let asked = field.required && !field.locked();
        return asked.then(|| problem(field, "required", "请填写此项。", "Please fill this in."));
    };
    if field.locked() {
        return None;
    }
    if let Some(choices) = field.choices() {
        let known = value.as_str().is_some_and(|value| choices.contains(&value));
        return (!known)
            .then(|| problem(field, "choice", "请从选项中选择。", "Please choose one of these."));
    }
    match field.kind() {
        "integer" => integer(field, value),
        "boolean" => None,
        _ => string(field, value.as_str().unwrap_or_default()),
    }
}

fn integer(field: &Field<'_>, value: &Value) -> Option<Problem> {
    let Some(number) = value.as_i64() else {
        return Some(problem(field, "number", "请填写整数。", "Please enter a whole number."));
    };
    #[allow(clippy::cast_precision_loss)] // Bounds of forms are small.
    let number = number as f64;
    let (low, high) = (field.number("minimum"), field.number("maximum"));
    let outside = low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high);
    outside.then(|| problem(field, "range", "数值超出范围。", "This number is out of range."))
}

fn string(field: &Field<'_>, text: &str) -> Option<Problem> {
    let length = text.chars().count();
    // A field without a stated bound is still bounded (attacks row 42).
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Lengths are small.
    let bound = |key: &str, otherwise: usize| field.number(key).map_or(otherwise, |n| n as usize);
    let most = bound("maxLength", 2_000);
    if length > most {
        let chinese = format!("最多 {most} 个字，现在有 {length} 个。");
        let english = format!("At most {most} characters; there are {length}.");
        return Some(problem(field, "too-long", &chinese, &english));
    }
    let least = bound("minLength", 0);
    if length < least {
        let chinese = format!("至少 {least} 个字。");
        let english = format!("At least {least} characters.");
        return Some(problem(field, "too-short", &chinese, &english));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Some(problem(
            field,
            "control",
            "含有不能使用的字符。",
            "A character is not allowed.",
        ));
    }
    let is_date = field.schema.get("format").and_then(Value::as_str) == Some("date");
    let format = time::macros::format_description!("[year]-[month]-[day]");
    if is_date && time::Date::parse(text, format).is_err() {
        let (chinese, english) =
            ("请按 2026-01-31 的样子填写日期。", "Please enter a date such as 2026-01-31.");
        return Some(problem(field, "date", chinese, english));
    }
    pattern(field, text)
}

/// Largest compiled pattern, bytes: a pattern comes from a plugin.
const PATTERN: usize = 64 * 1024;

/// A pattern runs in linear time and bounded memory, whatever a plugin writes and a citizen types
/// (attacks row 42). One that is none fits nothing.
fn pattern(field: &Field<'_>, text: &str) -> Option<Problem> {
    let pattern = field.schema.get("pattern")?.as_str().unwrap_or_default();
    let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN).build();
    let fits = built.is_ok_and(|pattern| pattern.is_match(text));
    (!fits).then(|| {
        problem(
            field,
            "pattern",
            "格式不对，请按提示填写。",
            "The form is not right; see the hint.",
        )
    })
}

fn problem(field: &Field<'_>, code: &str, chinese: &str, english: &str) -> Problem {
    Problem {
        code: format!("form.{code}"),
        field: Some(field.path.clone()),
        detail: BTreeMap::from([
            ("zh-CN".to_owned(), chinese.to_owned()),
            ("en".to_owned(), english.to_owned()),
        ]),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["reason", "count"],
            "properties": {
                "applicant": { "type": "object", "required": ["name"], "properties": {
                    "name": { "type": "string", "readOnly": true, "default": "林晓" } } },
                "reason": { "type": "string", "enum": ["expiring", "full"] },
                "count": { "type": "integer", "minimum": 1, "maximum": 2 },
                "old": { "type": "string", "pattern": "^E[0-9]{8}$" },
                "from": { "type": "string", "format": "date" },
                "note": { "type": "string", "maxLength": 5 },
                "agree": { "type": "boolean" },
                "materials": { "type": "object", "properties": { "photo": {} } },
            }
        })
    }

    fn sent(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_locked_field_is_never_taken_from_what_was_sent() {
        let pairs = [("applicant.name", "王五"), ("reason", "full"), ("evil", "x"), ("count", "2")];
        let data = gather(&schema(), &sent(&pairs));
        let expected = json!({"applicant": {"name": "林晓"}, "reason": "full", "count": 2});
        assert_eq!(data, expected);
        assert_eq!(check(&schema(), &data), vec![]);
    }

    #[test]
    fn each_fault_has_its_field_and_both_languages() {
        let pairs = [
            ("reason", "lost"),
            ("count", "3"),
            ("old", "123"),
            ("from", "2026-02-30"),
            ("note", "一二三四五六"),
        ];
        let faults = check(&schema(), &gather(&schema(), &sent(&pairs)));
        let found: Vec<_> =
            faults.iter().map(|p| (p.field.as_deref().unwrap(), p.code.as_str())).collect();
        let expected = [
            ("reason", "form.choice"),
            ("count", "form.range"),
            ("old", "form.pattern"),
            ("from", "form.date"),
            ("note", "form.too-long"),
        ];
        assert_eq!(found, expected);
        assert!(
            faults.iter().all(|p| p.detail.contains_key("zh-CN") && p.detail.contains_key("en"))
        );
        let missing = check(&schema(), &json!({}));
        assert_eq!(missing.len(), 2);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_gathered_and_checked_without_panic(
            pairs in proptest::collection::btree_map("[a-z.]{0,12}", any::<String>(), 0..8),
        ) {
            let data = gather(&schema(), &pairs);
            let _ = check(&schema(), &data);
            prop_assert!(data.get("materials").is_none());
        }
    }
}
