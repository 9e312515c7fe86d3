//! The two languages of the pages, and their sentences (Fluent, `idp/web/locales`).

use std::collections::HashMap;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::cookie;

/// The cookie that keeps a language chosen on a page.
pub(crate) const LANGUAGE_COOKIE: &str = "tongban_lang";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Simplified Chinese, the default.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Lang {
    /// Both, in the order of the page.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// BCP 47 tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// Its own name.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "中文",
            Self::English => "English",
        }
    }

    /// The language that serves a tag, if one does.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::Chinese)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else {
            None
        }
    }

    /// What was chosen on a page: a `lang=` in the query, then the choice kept in the cookie. It
    /// goes before every wish, or a link to the other language would do nothing.
    pub(crate) fn kept(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        query
            .and_then(Self::chosen)
            .or_else(|| cookie::get(headers, LANGUAGE_COOKIE).and_then(Self::from_tag))
    }

    /// The first of the tags that a page exists in (OpenID Connect Core §3.1.2.1, `ui_locales`).
    pub(crate) fn wished(tags: &str) -> Option<Self> {
        tags.split(' ').find_map(Self::from_tag)
    }

    /// The language of a page for which nobody is known to have wished one: the choice, then
    /// `Accept-Language` (RFC 9110 §12.5.4), then Chinese.
    #[must_use]
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        Self::kept(headers, query).unwrap_or_else(|| Self::read_by(headers))
    }

    /// By `Accept-Language` (RFC 9110 §12.5.4), or Chinese.
    pub(crate) fn read_by(headers: &HeaderMap) -> Self {
        Self::accepted(headers).unwrap_or_default()
    }

    /// The language that a query's `lang=` chooses.
    pub(crate) fn chosen(query: &str) -> Option<Self> {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "lang").and_then(|(_, tag)| Self::from_tag(&tag))
    }

    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        let mut best: Option<(f32, Self)> = None;
        for part in header.split(',').take(16) {
            let mut pieces = part.split(';');
            let Some(lang) = Self::from_tag(pieces.next().unwrap_or_default().trim()) else {
                continue;
            };
            let weight = pieces
                // RFC 9110 §12.4.2, and RFC 5234 §2.3: `Q` is the same letter.
                .find_map(|piece| {
                    piece.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse::<f32>().ok()
                })
                .unwrap_or(1.0);
            // Of equals the first stands: that is the reader's order.
            if weight > 0.0 && best.is_none_or(|(other, _)| weight > other) {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }

    /// The sentence of a key.
    #[must_use]
    pub fn t(self, key: &str) -> String {
        self.with(key, &[])
    }

    /// The sentence of a key, with its placeables filled.
    #[must_use]
    pub fn with(self, key: &str, args: &[(&str, &str)]) -> String {
        let Some(bundle) = BUNDLES.get(&self) else { return key.to_owned() };
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            // A test finds missing keys; should one slip through, its name still tells something.
            tracing::warn!(key, "a sentence is missing");
            return key.to_owned();
        };
        let mut fluent = FluentArgs::new();
        for (name, value) in args {
            fluent.set(*name, *value);
        }
        bundle.format_pattern(pattern, Some(&fluent), &mut Vec::new()).into_owned()
    }
}

static BUNDLES: LazyLock<HashMap<Lang, FluentBundle<FluentResource>>> =
    LazyLock::new(|| Lang::ALL.into_iter().map(|lang| (lang, bundle(lang))).collect());

/// The text of a language's file.
pub(crate) const fn source(lang: Lang) -> &'static str {
    match lang {
        Lang::Chinese => include_str!("../../locales/zh-CN.ftl"),
        Lang::English => include_str!("../../locales/en.ftl"),
    }
}

fn bundle(lang: Lang) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![lang.tag().parse().unwrap_or_default()]);
    // The marks that isolate directions would stand in texts that people copy.
    bundle.set_use_isolating(false);
    // A faulty line leaves the others; the locale test names it.
    let resource = match FluentResource::try_new(source(lang).to_owned()) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str, cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, accept.parse().unwrap());
        headers.insert(http::header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn the_order_of_choices_is_kept() {
        let of = |accept, cookie, query| Lang::of(&headers(accept, cookie), query);
        assert_eq!(of("en", "tongban_lang=en", Some("lang=zh-CN")), Lang::Chinese);
        assert_eq!(of("zh", "tongban_lang=en", None), Lang::English);
        assert_eq!(of("fr, zh;q=0.5, en;q=0.8", "", None), Lang::English);
        assert_eq!(of("zh-CN,zh;q=0.9,en;q=0.8", "", None), Lang::Chinese);
        assert_eq!(of("de", "", Some("lang=xx")), Lang::Chinese);
        assert_eq!(of("en;q=0", "", None), Lang::Chinese);
        assert_eq!(of("en;Q=0, zh;q=0.1", "", None), Lang::Chinese);
        assert_eq!(Lang::wished("fr en-GB zh"), Some(Lang::English));
        assert_eq!(Lang::wished("fr"), None);
    }
}
