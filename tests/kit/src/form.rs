//! Forms as a browser fills and sends them.

use scraper::{ElementRef, Node};

use crate::Page;
use crate::page::selector;

/// A file that a person chose.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The input's name.
    pub name: String,
    /// The file's name.
    pub file: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A form as it stands on a page, with the values that its fields hold.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent.
    pub action: url::Url,
    /// `get` or `post`.
    pub method: String,
    /// As multipart.
    pub multipart: bool,
    /// Names and values in the order of the page.
    pub fields: Vec<(String, String)>,
    /// Files.
    pub uploads: Vec<Upload>,
    files: Vec<String>,
    locked: Vec<String>,
}

fn value_of(field: ElementRef<'_>) -> Option<String> {
    let element = field.value();
    match element.name() {
        "textarea" => Some(field.text().collect()),
        "select" => {
            let options: Vec<_> = field.select(&selector("option")).collect();
            let chosen = options.iter().find(|option| option.attr("selected").is_some());
            let chosen = chosen.or(options.first())?;
            let text = || chosen.text().collect::<String>().trim().to_owned();
            Some(chosen.attr("value").map_or_else(text, str::to_owned))
        }
        _ => match element.attr("type").unwrap_or("text") {
            "submit" | "button" | "image" | "reset" | "file" => None,
            "checkbox" | "radio" => {
                element.attr("checked").map(|_| element.attr("value").unwrap_or("on").to_owned())
            }
            _ => Some(element.attr("value").unwrap_or_default().to_owned()),
        },
    }
}

impl Form {
    /// The form of a button, with the button's own name and value in it.
    pub(crate) fn of(page: &Page, button: &str) -> Self {
        let html = page.html();
        let pressed = html
            .select(&selector(button))
            .next()
            .unwrap_or_else(|| panic!("no {button} at {}", page.told()));
        let form = pressed
            .ancestors()
            .find(|node| matches!(node.value(), Node::Element(element) if element.name() == "form"))
            .and_then(ElementRef::wrap)
            .unwrap_or_else(|| panic!("{button} stands in no form at {}", page.url));
        let method = form.attr("method").unwrap_or("get").to_lowercase();
        let action = pressed.attr("formaction").or(form.attr("action")).unwrap_or_default();
        let mut made = Self {
            action: page.url.join(action).expect("an action is an address"),
            method,
            multipart: form.attr("enctype") == Some("multipart/form-data"),
            fields: Vec::new(),
            uploads: Vec::new(),
            files: Vec::new(),
            locked: Vec::new(),
        };
        for field in form.select(&selector("input[name], select[name], textarea[name]")) {
            let name = field.attr("name").unwrap_or_default().to_owned();
            if field.attr("disabled").is_some() {
                continue;
            }
            if field.attr("readonly").is_some() {
                made.locked.push(name.clone());
            }
            if field.attr("type") == Some("file") {
                made.files.push(name.clone());
            }
            match value_of(field) {
                Some(value) => made.fields.push((name, value)),
                // An unchecked box is there to be set all the same.
                None if matches!(field.attr("type"), Some("checkbox" | "radio")) => {
                    made.files.push(name);
                }
                None => {}
            }
        }
        if let Some(name) = pressed.attr("name") {
            let value = pressed.attr("value").unwrap_or_default();
            made.fields.push((name.to_owned(), value.to_owned()));
        }
        made
    }

    /// Types into a field.
    ///
    /// # Panics
    /// If the form has no such field, or a person could not change it.
    #[track_caller]
    pub fn set(&mut self, name: &str, value: &str) {
        assert!(!self.locked.iter().any(|known| known == name), "{name} is locked");
        if let Some(field) = self.fields.iter_mut().find(|(known, _)| known == name) {
            field.1 = value.to_owned();
            return;
        }
        let names: Vec<_> = self.fields.iter().map(|(name, _)| name).collect();
        assert!(
            self.files.iter().any(|known| known == name),
            "no field {name} in the form of {}; it has {names:?}",
            self.action
        );
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// What a field holds.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
