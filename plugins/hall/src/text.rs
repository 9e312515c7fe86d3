//! One sentence in every language of the hall.

use std::collections::BTreeMap;

/// `zh-CN` and `en` to the sentence.
pub type Text = BTreeMap<String, String>;

/// A sentence in both languages.
#[must_use]
pub fn text(zh: impl Into<String>, en: impl Into<String>) -> Text {
    BTreeMap::from([("zh-CN".to_owned(), zh.into()), ("en".to_owned(), en.into())])
}

/// The sentence in `lang`, else in Chinese, else nothing.
#[must_use]
pub fn pick<'t>(text: &'t Text, lang: &str) -> &'t str {
    text.get(lang).or_else(|| text.get("zh-CN")).map_or("", String::as_str)
}
