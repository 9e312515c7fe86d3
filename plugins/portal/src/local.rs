//! Paths inside this site, as far as a request may choose where it goes next.

/// `path` if it can only mean a page of this site, else none (attacks row 18: open redirect).
///
/// A browser reads `//host`, `/\host` and a tab or line break inside as the way to another site, so
/// none of them passes; nor does anything that is not printable ASCII.
#[must_use]
pub fn path(path: &str) -> Option<&str> {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let local = path.starts_with('/') && !path.starts_with("//");
    // Going back to a sign-in page would sign in for ever.
    let loops = path.starts_with("/hall/");
    (plain && local && !loops && path.len() <= 512).then_some(path)
}

/// Escapes a value for a query (RFC 3986 §2.1).
#[must_use]
pub fn query(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_18_next_leads_to_pages_of_this_site_only() {
        for good in ["/", "/cases/AB12", "/items/x.y/apply?draft=1&lang=en"] {
            assert_eq!(path(good), Some(good));
        }
        let bad = [
            "",
            "cases",
            "//evil.example",
            "/\\evil.example",
            "\\/evil",
            "https://evil.example",
            "/\t/evil.example",
            "/\n/evil",
            "/a b",
            "javascript:alert(1)",
            "/hall/signin",
            "/%0a\u{2028}",
            "@evil.example",
        ];
        for wrong in bad {
            assert_eq!(path(wrong), None, "{wrong:?}");
        }
        assert_eq!(path(&format!("/{}", "a".repeat(600))), None);
    }
}
