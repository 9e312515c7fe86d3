//! Building the schema of a form: JSON Schema 2020-12 with texts for people.

use serde_json::{Map, Value, json};

/// A form under construction.
#[derive(Debug, Default)]
pub struct Form {
    properties: Map<String, Value>,
    required: Vec<Value>,
    groups: Vec<Value>,
}

/// Texts in both languages.
#[must_use]
pub fn texts(zh: &str, en: &str) -> Value {
    json!({ "zh-CN": zh, "en": en })
}

impl Form {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A group of questions.
    #[must_use]
    pub fn group(mut self, id: &str, zh: &str, en: &str) -> Self {
        self.groups.push(json!({ "id": id, "label": texts(zh, en) }));
        self
    }

    /// A verified fact, shown and not asked; left out if the person has none.
    #[must_use]
    pub fn fact(mut self, name: &str, prefill: &Value, zh: &str, en: &str) -> Self {
        if let Some(value) = prefill.get(name).and_then(Value::as_str) {
            let field = json!({
                "type": "string", "readOnly": true, "default": value, "x-label": texts(zh, en),
            });
            self.properties.insert(name.to_owned(), field);
        }
        self
    }

    /// A question: `schema` says what fits, `examples` included.
    #[must_use]
    pub fn ask(mut self, group: &str, name: &str, label: Value, mut schema: Value) -> Self {
        if let Some(map) = schema.as_object_mut() {
            map.insert("x-label".to_owned(), label);
            map.insert("x-group".to_owned(), json!(group));
        }
        self.properties.insert(name.to_owned(), schema);
        self.required.push(json!(name));
        self
    }

    /// A question that may stay open.
    #[must_use]
    pub fn may(mut self, group: &str, name: &str, label: Value, schema: Value) -> Self {
        self = self.ask(group, name, label, schema);
        self.required.pop();
        self
    }

    /// A picture to upload.
    #[must_use]
    pub fn picture(mut self, name: &str, label: Value, hint: Value) -> Self {
        let all = self
            .properties
            .entry("materials")
            .or_insert_with(|| json!({ "type": "object", "required": [], "properties": {} }));
        if let Some(required) = all.get_mut("required").and_then(Value::as_array_mut) {
            required.push(json!(name));
        }
        if let Some(properties) = all.get_mut("properties").and_then(Value::as_object_mut) {
            let field = json!({
                "x-label": label, "x-hint": hint, "x-types": ["image/jpeg", "image/png"],
                "x-max-bytes": 2_097_152,
            });
            properties.insert(name.to_owned(), field);
        }
        self
    }

    /// The schema.
    #[must_use]
    pub fn build(self) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": self.required,
            "x-groups": self.groups,
            "properties": self.properties,
        })
    }
}
