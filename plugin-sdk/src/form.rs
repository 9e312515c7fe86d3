//! Building the schema of a form: JSON Schema 2020-12 with texts for people.

use serde_json::{Map, Value, json};

use crate::Problem;

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
            if !group.is_empty() {
                map.insert("x-group".to_owned(), json!(group));
            }
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

/// The schema of one question.
pub type Schema = Map<String, Value>;

/// A type that can stand in a form.
pub trait Asked: Sized {
    /// Whether it may stay unanswered.
    const OPEN: bool = false;
    /// What fits.
    fn schema() -> Schema;
    /// The answer; none if it does not fit.
    fn read(answer: Option<&Value>) -> Option<Self>;
}

fn of_type(name: &str) -> Schema {
    Map::from_iter([("type".to_owned(), json!(name))])
}

impl Asked for String {
    fn schema() -> Schema {
        let mut schema = of_type("string");
        schema.insert("maxLength".to_owned(), json!(200));
        schema
    }
    fn read(answer: Option<&Value>) -> Option<Self> {
        Some(answer.and_then(Value::as_str).unwrap_or_default().trim().to_owned())
    }
}

impl Asked for i64 {
    fn schema() -> Schema {
        of_type("integer")
    }
    fn read(answer: Option<&Value>) -> Option<Self> {
        answer.and_then(Value::as_i64)
    }
}

impl Asked for bool {
    // A box that is not ticked is not sent at all.
    const OPEN: bool = true;
    fn schema() -> Schema {
        let mut schema = of_type("boolean");
        schema.insert("examples".to_owned(), json!([true]));
        schema
    }
    fn read(answer: Option<&Value>) -> Option<Self> {
        Some(answer.and_then(Value::as_bool).unwrap_or(false))
    }
}

impl<T: Asked> Asked for Option<T> {
    const OPEN: bool = true;
    fn schema() -> Schema {
        T::schema()
    }
    fn read(answer: Option<&Value>) -> Option<Self> {
        match answer {
            None | Some(Value::Null) => Some(None),
            Some(_) => T::read(answer).map(Some),
        }
    }
}

/// The schema of a choice: value and words of each answer.
#[must_use]
pub fn choices(options: &[(&str, &str, &str)]) -> Schema {
    let mut schema = of_type("string");
    let values: Vec<&str> = options.iter().map(|(value, ..)| *value).collect();
    schema.insert("examples".to_owned(), json!(values.get(..1).unwrap_or_default()));
    schema.insert("enum".to_owned(), json!(values));
    let words = options.iter().map(|(value, zh, en)| ((*value).to_owned(), texts(zh, en)));
    schema.insert("x-options".to_owned(), Value::Object(words.collect()));
    schema
}

/// `min` and `max` mean length for texts and value for numbers.
pub fn bound(schema: &mut Schema, word: &str, limit: i64) {
    let number = schema.get("type").and_then(Value::as_str) == Some("integer");
    let key = match (word, number) {
        ("min", true) => "minimum",
        ("min", false) => "minLength",
        (_, true) => "maximum",
        (_, false) => "maxLength",
    };
    schema.insert(key.to_owned(), json!(limit));
}

/// Adds a question of a type.
#[must_use]
pub fn asked<T: Asked>(form: Form, group: &str, name: &str, label: Value, schema: Schema) -> Form {
    let schema = Value::Object(schema);
    if T::OPEN {
        form.may(group, name, label, schema)
    } else {
        form.ask(group, name, label, schema)
    }
}

/// The answer to a question.
///
/// # Errors
/// A problem of the field, where the answer does not fit: the form is older than the plugin.
pub fn answer<T: Asked>(data: &Value, name: &str) -> Result<T, Problem> {
    T::read(data.get(name)).ok_or_else(|| {
        let (zh, en) = ("请重新填写此项。", "Please answer this again.");
        crate::problem(&format!("{name}.unreadable"), Some(name), zh, en)
    })
}
