//! A plugin's form as the page shows it: groups of fields with values, hints and faults.
//!
//! The plugin gives data (JSON schema), never HTML; every text from it is escaped by the template.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lang::Lang;

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Dotted path: the name of the input.
    pub path: String,
    /// What is asked.
    pub label: String,
    /// How to answer.
    pub hint: Option<String>,
    /// `text`, `date`, `tel`, `number`, `area`, `choice`, `check`.
    pub kind: &'static str,
    /// What stands in it.
    pub value: String,
    /// For choices: value, text, chosen.
    pub options: Vec<(String, String, bool)>,
    /// Whether it must be answered.
    pub required: bool,
    /// A verified fact: shown, not asked.
    pub locked: bool,
    /// Longest answer, characters.
    pub longest: u64,
    /// The sentence about its fault.
    pub error: Option<String>,
}

impl Field {
    /// Ids of the sentences that describe the field, for `aria-describedby`.
    #[must_use]
    pub fn described(&self) -> String {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("e-{}", self.path));
        }
        if self.hint.is_some() {
            ids.push(format!("h-{}", self.path));
        }
        ids.join(" ")
    }
}

/// Questions that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are about.
    pub label: String,
    /// The questions.
    pub fields: Vec<Field>,
}

/// A material to upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Name of the input: `materials.NAME`.
    pub path: String,
    /// What it is.
    pub label: String,
    /// How it must be.
    pub hint: Option<String>,
    /// For `accept=`.
    pub accept: String,
    /// Whether it must be there.
    pub required: bool,
    /// Name of the file that is here already.
    pub kept: Option<String>,
    /// The sentence about its fault.
    pub error: Option<String>,
}

impl Upload {
    /// As [`Field::described`].
    #[must_use]
    pub fn described(&self) -> String {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("e-{}", self.path));
        }
        if self.hint.is_some() {
            ids.push(format!("h-{}", self.path));
        }
        ids.join(" ")
    }
}

/// The whole form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Form {
    /// Verified facts.
    pub verified: Vec<Field>,
    /// What is asked.
    pub groups: Vec<Group>,
    /// What is uploaded.
    pub uploads: Vec<Upload>,
    /// Faults that belong to no field.
    pub loose: Vec<String>,
}

/// A fault with the input that it is about: for the summary on top of a refused form.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Name of the input.
    pub path: String,
    /// Its label.
    pub label: String,
    /// The sentence.
    pub sentence: String,
}

impl Form {
    /// All faults in the order of the page.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let fields = self.groups.iter().flat_map(|group| &group.fields).chain(&self.verified);
        let fields = fields.map(|field| (&field.path, &field.label, &field.error));
        let uploads = self.uploads.iter().map(|one| (&one.path, &one.label, &one.error));
        fields
            .chain(uploads)
            .filter_map(|(path, label, error)| {
                let sentence = error.clone()?;
                Some(Fault { path: path.clone(), label: label.clone(), sentence })
            })
            .collect()
    }
}

/// What fills a form beside its schema.
#[derive(Debug, Clone, Default)]
pub struct Filling {
    /// Typed or drafted values by path; they win over the schema's prefill.
    pub values: BTreeMap<String, String>,
    /// Files that are here already: material's name → file's name.
    pub kept: BTreeMap<String, String>,
    /// Sentences by path; the empty path for those that belong to no field.
    pub errors: BTreeMap<String, Vec<String>>,
}

fn texts(value: Option<&Value>, lang: Lang) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => {
            let text = map.get(lang.tag()).or_else(|| map.get("zh-CN"))?;
            text.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

fn label(schema: &Value, otherwise: &str, lang: Lang) -> String {
    texts(schema.get("x-label"), lang)
        .or_else(|| texts(schema.get("title"), lang))
        .unwrap_or_else(|| otherwise.to_owned())
}

fn hint(schema: &Value, lang: Lang) -> Option<String> {
    texts(schema.get("x-hint"), lang).or_else(|| texts(schema.get("description"), lang))
}

fn lists(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(name)))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Builds the form of a schema.
#[must_use]
pub fn build(schema: &Value, filling: &Filling, lang: Lang) -> Form {
    let mut form =
        Form { loose: filling.errors.get("").cloned().unwrap_or_default(), ..Form::default() };
    let mut flat = Vec::new();
    flatten(schema, "", "", 0, &mut flat);
    for (path, group, inner, required) in flat {
        let field = field(&path, inner, required, filling, lang);
        if field.locked {
            form.verified.push(field);
            continue;
        }
        let name = group_label(schema, &group, lang);
        match form.groups.iter_mut().find(|known| known.label == name) {
            Some(known) => known.fields.push(field),
            None => form.groups.push(Group { label: name, fields: vec![field] }),
        }
    }
    form.uploads = uploads(schema, filling, lang);
    let known: Vec<String> = form.faults().into_iter().map(|fault| fault.path).collect();
    // A fault about a field that the page does not show must still be read.
    for (path, sentences) in &filling.errors {
        if !path.is_empty() && !known.contains(path) {
            form.loose.extend(sentences.iter().cloned());
        }
    }
    form
}

fn flatten<'s>(
    schema: &'s Value,
    prefix: &str,
    group: &str,
    depth: u8,
    flat: &mut Vec<(String, String, &'s Value, bool)>,
) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    // A plugin's schema is not trusted to be shallow.
    if depth > 4 {
        return;
    }
    for (name, inner) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if path == "materials" {
            continue;
        }
        let own = inner.get("x-group").and_then(Value::as_str);
        if inner.get("type").and_then(Value::as_str) == Some("object") {
            flatten(inner, &path, own.unwrap_or(&path), depth + 1, flat);
        } else {
            let group = own.unwrap_or(group).to_owned();
            flat.push((path, group, inner, lists(schema, name)));
        }
    }
}

fn group_label(schema: &Value, id: &str, lang: Lang) -> String {
    let groups = schema.get("x-groups").and_then(Value::as_array);
    let named = groups.and_then(|groups| {
        groups.iter().find(|group| group.get("id").and_then(Value::as_str) == Some(id))
    });
    let object = id.split('.').try_fold(schema, |here, part| here.get("properties")?.get(part));
    named
        .and_then(|group| texts(group.get("label"), lang))
        .or_else(|| object.and_then(|inner| texts(inner.get("x-label"), lang)))
        .unwrap_or_else(|| lang.t("form-questions"))
}

/// A verified fact as people read it.
#[must_use]
pub(crate) fn fact(name: &str, value: &str, lang: Lang) -> String {
    match (name, value) {
        ("sex", "M") => lang.t("fact-male"),
        ("sex", "F") => lang.t("fact-female"),
        _ => value.to_owned(),
    }
}

fn field(path: &str, schema: &Value, required: bool, filling: &Filling, lang: Lang) -> Field {
    let locked = schema.get("readOnly").and_then(Value::as_bool).unwrap_or(false);
    let typed = filling.values.get(path).filter(|_| !locked).cloned();
    let value = typed.unwrap_or_else(|| schema.get("default").map(text).unwrap_or_default());
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let longest = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(2_000);
    let kind = match schema.get("type").and_then(Value::as_str) {
        _ if schema.get("enum").is_some() => "choice",
        Some("boolean") => "check",
        Some("integer") => "number",
        _ if format == "date" => "date",
        _ if format == "phone" => "tel",
        _ if longest > 200 && schema.get("maxLength").is_some() => "area",
        _ => "text",
    };
    let choices = schema.get("enum").and_then(Value::as_array);
    let option = |choice: &str| {
        let shown = schema.get("x-options").and_then(|all| texts(all.get(choice), lang));
        (choice.to_owned(), shown.unwrap_or_else(|| choice.to_owned()), choice == value)
    };
    let options: Vec<_> = choices
        .map(|list| list.iter().filter_map(Value::as_str).map(option).collect())
        .unwrap_or_default();
    let chosen = options.iter().find(|(_, _, chosen)| *chosen).map(|(_, text, _)| text.clone());
    Field {
        path: path.to_owned(),
        label: label(schema, path, lang),
        hint: hint(schema, lang),
        // A locked choice is a text that one reads.
        kind: if locked { "text" } else { kind },
        value: match chosen {
            Some(chosen) if locked => chosen,
            _ if locked => fact(path, &value, lang),
            _ => value,
        },
        options: if locked { Vec::new() } else { options },
        required,
        locked,
        longest,
        error: filling.errors.get(path).map(|sentences| sentences.join(" ")),
    }
}

fn uploads(schema: &Value, filling: &Filling, lang: Lang) -> Vec<Upload> {
    let Some(part) = schema.get("properties").and_then(|all| all.get("materials")) else {
        return Vec::new();
    };
    let Some(properties) = part.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let upload = |(name, inner): (&String, &Value)| {
        let path = format!("materials.{name}");
        let types = inner.get("x-types").and_then(Value::as_array);
        let types = types.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        Upload {
            label: label(inner, name, lang),
            hint: hint(inner, lang),
            accept: types.unwrap_or_else(|| vec!["image/jpeg", "image/png"]).join(","),
            required: lists(part, name),
            kept: filling.kept.get(name).cloned(),
            error: filling.errors.get(&path).map(|sentences| sentences.join(" ")),
            path,
        }
    };
    properties.iter().map(upload).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object", "required": ["reason"],
            "x-groups": [{"id": "why", "label": {"zh-CN": "换发原因", "en": "Why"}}],
            "properties": {
                "name": {"type": "string", "readOnly": true, "default": "林晓", "x-label": {"zh-CN": "姓名", "en": "Name"}},
                "reason": {"type": "string", "enum": ["full", "old"], "x-group": "why",
                    "x-options": {"full": {"zh-CN": "签证页用完", "en": "Full"}}},
                "delivery": {"type": "object", "x-label": {"zh-CN": "送达", "en": "Delivery"},
                    "required": ["address"], "properties": {
                        "address": {"type": "string", "maxLength": 300},
                        "express": {"type": "boolean"}}},
                "materials": {"type": "object", "required": ["photo"], "properties": {
                    "photo": {"x-label": {"zh-CN": "照片", "en": "Photo"}}}},
            }
        })
    }

    #[test]
    fn verified_facts_stand_apart_and_typing_never_replaces_them() {
        let filling = Filling {
            values: BTreeMap::from([
                ("name".to_owned(), "<b>x".to_owned()),
                ("reason".to_owned(), "old".to_owned()),
            ]),
            ..Filling::default()
        };
        let form = build(&schema(), &filling, Lang::En);
        assert_eq!(form.verified.len(), 1);
        assert_eq!(form.verified[0].value, "林晓");
        let labels: Vec<_> = form.groups.iter().map(|group| group.label.as_str()).collect();
        assert_eq!(labels, ["Why", "Delivery"]);
        let options = &form.groups[0].fields[0].options;
        assert_eq!(options[0], ("full".to_owned(), "Full".to_owned(), false));
        assert!(options[1].2);
        assert_eq!(form.groups[1].fields[0].kind, "area");
    }

    #[test]
    fn every_fault_is_shown_even_one_about_a_field_that_is_not() {
        let error = |text: &str| vec![text.to_owned()];
        let filling = Filling {
            errors: BTreeMap::from([
                ("reason".to_owned(), error("一")),
                ("materials.photo".to_owned(), error("二")),
                ("nowhere".to_owned(), error("三")),
                (String::new(), error("四")),
            ]),
            ..Filling::default()
        };
        let form = build(&schema(), &filling, Lang::ZhCn);
        assert_eq!(form.faults().len(), 2);
        assert_eq!(form.loose, ["四", "三"]);
        assert_eq!(form.groups[0].fields[0].described(), "e-reason");
        assert!(form.uploads[0].required);
    }
}
