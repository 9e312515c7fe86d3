//! The languages of the hall's pages and the sentences in them.
//!
//! Sentences live in `locales/*.ftl`; a test finds keys that are missing or unused. Texts of items
//! come from the catalogue and the plugins, in both languages, as maps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::cookies;

/// The cookie in which a chosen language is remembered; both halves read it.
pub const COOKIE: &str = "tongban_lang";

/// A language that every page exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// Simplified Chinese, the default.
    #[default]
    ZhCn,
    /// English.
    En,
}

/// All languages, the default first.
pub const ALL: [Lang; 2] = [Lang::ZhCn, Lang::En];

impl Lang {
    /// BCP 47 tag, as in `lang=` and in the catalogue's maps.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// Its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ZhCn => "中文",
            Self::En => "English",
        }
    }

    /// The language that a tag such as `zh`, `zh-Hans-CN` or `en-GB` means.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::ZhCn),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The language of a request: the remembered choice, else the browser's best.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        cookies::get(headers, COOKIE).and_then(Self::parse).unwrap_or_else(|| {
            headers
                .get(ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok())
                .and_then(negotiate)
                .unwrap_or_default()
        })
    }

    /// A sentence. A missing key shows itself; a test keeps that from happening.
    #[must_use]
    pub fn t(self, key: &str) -> String {
        self.format(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// A sentence, or none if there is no such key.
    #[must_use]
    pub fn find(self, key: &str) -> Option<String> {
        self.format(key, None)
    }

    /// A sentence with one value in it.
    #[must_use]
    pub fn with<'a>(self, key: &str, name: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        let mut args = FluentArgs::new();
        args.set(name, value);
        self.format(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    fn format(self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = match self {
            Self::ZhCn => &*ZH_CN,
            Self::En => &*EN,
        };
        let pattern = bundle.get_message(key)?.value()?;
        let mut faults = Vec::new();
        Some(bundle.format_pattern(pattern, args, &mut faults).into_owned())
    }

    /// The text in this language, else in the default one, else any.
    #[must_use]
    pub fn pick(self, texts: &BTreeMap<String, String>) -> Cow<'_, str> {
        let found = texts
            .get(self.tag())
            .or_else(|| texts.get(Self::default().tag()))
            .or_else(|| texts.values().next());
        found.map_or(Cow::Borrowed(""), |text| Cow::Borrowed(text.as_str()))
    }
}

/// The first language of `Accept-Language` by weight that we have (RFC 9110 §12.5.4).
fn negotiate(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    // A header with thousands of ranges is an attack, not a wish.
    for range in header.split(',').take(20) {
        let (tag, weight) = match range.split_once(";q=") {
            Some((tag, weight)) => (tag, weight.trim().parse().unwrap_or(0.0)),
            None => (range, 1.0),
        };
        let Some(lang) = Lang::parse(tag) else { continue };
        if weight > best.map_or(0.0, |(known, _)| known) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

static ZH_CN: LazyLock<FluentBundle<FluentResource>> =
    LazyLock::new(|| bundle("zh-CN", include_str!("../locales/zh-CN.ftl")));
static EN: LazyLock<FluentBundle<FluentResource>> =
    LazyLock::new(|| bundle("en", include_str!("../locales/en.ftl")));

fn bundle(tag: &str, text: &str) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(tag.parse().into_iter().collect());
    // Isolation marks would break programs that read the page.
    bundle.set_use_isolating(false);
    // The file is part of the program: a test refuses one that does not parse.
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(partial, _)| partial);
    let _ = bundle.add_resource(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, accept.parse().unwrap());
        headers
    }

    #[test]
    fn the_browser_is_asked_by_weight_and_the_cookie_wins() {
        assert_eq!(Lang::of(&HeaderMap::new()), Lang::ZhCn);
        assert_eq!(Lang::of(&headers("en-GB,en;q=0.9")), Lang::En);
        assert_eq!(Lang::of(&headers("fr, en;q=0.3, zh-TW;q=0.8")), Lang::ZhCn);
        assert_eq!(Lang::of(&headers("fr;q=x,;q=")), Lang::ZhCn);
        let mut chosen = headers("zh-CN");
        chosen.insert("cookie", "a=b; tongban_lang=en".parse().unwrap());
        assert_eq!(Lang::of(&chosen), Lang::En);
    }

    #[test]
    fn both_files_parse_without_fault() {
        for text in [include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl")] {
            assert!(FluentResource::try_new(text.to_owned()).is_ok());
        }
    }
}
