//! What a browser shows.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use scraper::{ElementRef, Html, Selector};
use url::Url;

/// An answer that has been read.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it is.
    pub url: Url,
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub text: String,
}

/// One element of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its text, spaces joined.
    pub text: String,
}

impl Element {
    /// An attribute, empty if it has none of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

pub(crate) fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|_| panic!("{css} is no selector"))
}

pub(crate) fn words(element: ElementRef<'_>) -> String {
    element.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

impl Page {
    pub(crate) fn html(&self) -> Html {
        Html::parse_document(&self.text)
    }

    /// All elements of a selector.
    #[must_use]
    pub fn all(&self, css: &str) -> Vec<Element> {
        let element = |found: ElementRef<'_>| Element {
            attributes: found
                .value()
                .attrs()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            text: words(found),
        };
        self.html().select(&selector(css)).map(element).collect()
    }

    /// The texts of all elements of a selector, with the spaces and line ends that they have.
    #[must_use]
    pub fn texts(&self, css: &str) -> Vec<String> {
        self.html().select(&selector(css)).map(|found| found.text().collect()).collect()
    }

    /// Whether an element is there.
    #[must_use]
    pub fn has(&self, css: &str) -> bool {
        !self.all(css).is_empty()
    }

    /// The first element of a selector.
    ///
    /// # Panics
    /// If there is none, with what the page says instead.
    #[must_use]
    #[track_caller]
    pub fn one(&self, css: &str) -> Element {
        self.all(css).into_iter().next().unwrap_or_else(|| panic!("no {css} at {}", self.told()))
    }

    /// What the page says in its main part, or its whole text.
    #[must_use]
    pub fn words(&self) -> String {
        let html = self.html();
        let main = html.select(&selector("main")).next();
        main.map_or_else(|| words(html.root_element()), words)
    }

    /// Address, status and words, for the message of a failure.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{} ({}): {}", self.url, self.status, self.words())
    }

    /// The sentence of a fault, if the page tells one.
    #[must_use]
    pub fn alert(&self) -> Option<String> {
        self.all("[role=alert]").into_iter().next().map(|element| element.text)
    }

    /// A parameter of the address.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// A header as text, empty if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fails unless the page is a good one.
    ///
    /// # Panics
    /// For another status, with what the page says.
    #[track_caller]
    pub fn fine(&self) -> &Self {
        assert!((200..300).contains(&self.status), "{}", self.told());
        self
    }
}
