//! Redirect URIs: strict at registration, compared as strings ever after.

use url::Url;

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not an absolute URI.
    #[error("a redirect URI is not an absolute URI")]
    NotAbsolute,
    /// RFC 6749 §3.1.2: no fragment.
    #[error("a redirect URI has a fragment")]
    Fragment,
    /// `http` outside this machine, or a scheme that runs code.
    #[error("a redirect URI must use https, http on localhost, or a private-use scheme with a dot")]
    Scheme,
    /// User information, a wildcard, or dots that climb.
    #[error("a redirect URI has user information, a wildcard or path dots")]
    Misleading,
}

/// Checks a URI for registration (RFC 6749 §3.1.2, RFC 8252 §7.1, RFC 9700 §2.1).
///
/// # Errors
/// The first [`Fault`].
pub fn registrable(text: &str) -> Result<(), Fault> {
    let url = Url::parse(text).map_err(|_| Fault::NotAbsolute)?;
    if text.contains('#') {
        return Err(Fault::Fragment);
    }
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        // RFC 8252 §7.1: a private-use scheme is a reversed domain name.
        scheme if scheme.contains('.') => {}
        _ => return Err(Fault::Scheme),
    }
    let tail = text.split_once("://").map_or("", |(_, tail)| tail);
    let authority = tail.split(['/', '?']).next().unwrap_or_default();
    let climbs = tail.split(['/', '?']).any(|part| matches!(part, ".." | "." | "..;" | ".;"));
    let odd = text.contains(['*', '\\']) || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
    if authority.contains('@') || climbs || odd {
        return Err(Fault::Misleading);
    }
    Ok(())
}

/// Exact string comparison, nothing else (RFC 9700 §2.1; attacks row 4).
#[must_use]
pub fn matches(registered: &[String], sent: &str) -> bool {
    registered.iter().any(|known| known == sent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attack_04_redirect_uri_is_compared_exactly() {
        let registered = vec!["https://partner.example/cb".to_owned()];
        assert!(matches(&registered, "https://partner.example/cb"));
        for sent in [
            "https://partner.example/cb/",
            "https://partner.example/cb?x=1",
            "https://partner.example/cb#x",
            "https://partner.example/CB",
            "https://PARTNER.example/cb",
            "https://partner.example:443/cb",
            "https://partner.example/cb/..;/evil",
            "https://partner.example.evil/cb",
            "https://partner.example@evil/cb",
            "https://partner.example/c",
            "http://localhost/cb",
            "",
        ] {
            assert!(!matches(&registered, sent), "{sent}");
        }
    }

    #[test]
    fn attack_04_redirect_uri_that_misleads_cannot_be_registered() {
        for (text, fault) in [
            ("/cb", Fault::NotAbsolute),
            ("https://a.example/cb#", Fault::Fragment),
            ("http://a.example/cb", Fault::Scheme),
            ("javascript:alert(1)", Fault::Scheme),
            ("https://u@a.example/cb", Fault::Misleading),
            ("https://a.example/*", Fault::Misleading),
            ("https://a.example/x/../cb", Fault::Misleading),
        ] {
            assert_eq!(registrable(text), Err(fault), "{text}");
        }
        assert_eq!(registrable("https://a.example/cb?x=1"), Ok(()));
        assert_eq!(registrable("http://localhost:9/cb"), Ok(()));
        assert_eq!(registrable("cn.gov.fj.app:/cb"), Ok(()));
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String) {
            let _ = registrable(&text);
        }
    }
}
