//! What every page has around its content: language, navigation, style sheet.

use std::fmt::Write as _;

use super::assets;
use super::text::Lang;

/// The surroundings of a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// Language of the page.
    pub(crate) lang: Lang,
    /// Path of the page, for the language links and the navigation.
    pub(crate) here: String,
    /// The parts of the query that a language link keeps.
    pub(crate) kept: Vec<(&'static str, String)>,
    /// Whether somebody is signed in.
    pub(crate) signed_in: bool,
}

/// A link to the same page in a language.
#[derive(Debug)]
pub(crate) struct LanguageLink {
    pub(crate) href: String,
    pub(crate) tag: &'static str,
    pub(crate) name: &'static str,
    pub(crate) current: bool,
}

impl Shell {
    /// The surroundings of a page that stands for itself.
    pub(crate) fn bare(lang: Lang) -> Self {
        Self { lang, here: "/".to_owned(), kept: Vec::new(), signed_in: false }
    }

    pub(crate) fn t(&self, key: &str) -> String {
        self.lang.t(key)
    }

    pub(crate) fn signed_in(&self) -> bool {
        self.signed_in
    }

    pub(crate) fn stylesheet(&self) -> String {
        assets::stylesheet_address()
    }

    pub(crate) fn mark(&self) -> String {
        assets::mark_address()
    }

    pub(crate) fn languages(&self) -> Vec<LanguageLink> {
        Lang::ALL
            .into_iter()
            .map(|lang| LanguageLink {
                href: self.link(lang),
                tag: lang.tag(),
                name: lang.own_name(),
                current: lang == self.lang,
            })
            .collect()
    }

    fn link(&self, lang: Lang) -> String {
        let mut href = format!("{}?lang={}", self.here, lang.tag());
        for (name, value) in &self.kept {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            let _ = write!(href, "&{name}={value}");
        }
        href
    }
}
