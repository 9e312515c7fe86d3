//! Redirect URIs: strict at registration, compared as strings ever after.

use url::{Host, Url};

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
    /// A browser would write the address differently than it was registered.
    #[error("a redirect URI is not in the form in which a browser writes it")]
    NotPlain,
    /// A query that already names a parameter of our answer.
    #[error("a redirect URI has a query parameter that belongs to the answer")]
    Reserved,
    /// More than 2048 bytes.
    #[error("a redirect URI is longer than 2048 bytes")]
    TooLong,
}

/// Parameters of an answer (RFC 6749 §4.1.2, RFC 9207 §2, OpenID Connect Core §3.2.2.5). A client
/// reads the first or the last of two; which one is a guess that an attacker makes too.
const ANSWERED: &[&str] = &[
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "response",
    "id_token",
    "access_token",
    "session_state",
];

/// Bytes of a URI that browsers and proxies carry without cutting it.
const LONGEST: usize = 2048;

/// Checks a URI for registration (RFC 6749 §3.1.2, RFC 8252 §7.1, RFC 9700 §2.1).
///
/// # Errors
/// The first [`Fault`].
pub fn registrable(text: &str) -> Result<(), Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooLong);
    }
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
    // What a browser rewrites (case of the host, default port, `%2e%2e`, `https:/a`, IDN letters,
    // 0x7f.1) would lead elsewhere than the exact comparison reads (attacks row 4).
    let plain = url.as_str();
    if plain != text && plain.strip_suffix('/') != Some(text) {
        return Err(Fault::NotPlain);
    }
    if url.query_pairs().any(|(name, _)| ANSWERED.contains(&name.as_ref())) {
        return Err(Fault::Reserved);
    }
    Ok(())
}

/// Exact string comparison, nothing else (RFC 9700 §2.1; attacks row 4).
#[must_use]
pub fn matches(registered: &[String], sent: &str) -> bool {
    registered.iter().any(|known| known == sent)
}

/// Whether what is sent there stays on the person's own device, where any program may listen
/// (RFC 8252 §8.3, RFC 6761 §6.3).
#[must_use]
pub fn is_local(uri: &str) -> bool {
    match Url::parse(uri).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.is_loopback() || mapped.is_unspecified(),
            None => address.is_loopback() || address.is_unspecified(),
        },
        None => false,
    }
}

/// Whether any program on the person's device may receive what is sent there by claiming the
/// address' scheme (RFC 8252 §8.4).
#[must_use]
pub fn is_private_use(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| !matches!(uri.scheme(), "https" | "http"))
}

/// Adds parameters to a registered address and leaves what it has (RFC 6749 §3.1.2).
#[must_use]
pub fn with_query(uri: &str, fields: &[(String, String)]) -> String {
    let mut text = uri.to_owned();
    text.push(if uri.contains('?') { '&' } else { '?' });
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    text.push_str(&query);
    text
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
            ("https://a.example/x/..;/cb", Fault::Misleading),
            ("https://a.example/x/%2E%2e/cb", Fault::NotPlain),
            ("https:/u@a.example/cb", Fault::NotPlain),
            ("https:///a.example/cb", Fault::NotPlain),
            ("https:a.example/cb", Fault::NotPlain),
            ("https://A.example/cb", Fault::NotPlain),
            ("https://a.example:443/cb", Fault::NotPlain),
            ("http://0x7f.1/cb", Fault::NotPlain),
            ("https://\u{430}.example/cb", Fault::NotPlain),
            ("https://a.example\t/cb", Fault::Misleading),
            ("http://localhost.evil.example/cb", Fault::Scheme),
            ("http://localhost@evil.example/cb", Fault::Scheme),
            ("data:text/html,x", Fault::Scheme),
            ("https://a.example/cb?state=x", Fault::Reserved),
            ("https://a.example/cb?x=1&c%6Fde=x", Fault::Reserved),
        ] {
            assert_eq!(registrable(text), Err(fault), "{text}");
        }
        assert_eq!(registrable("https://a.example/cb?x=1"), Ok(()));
        assert_eq!(registrable("https://a.example/cb?dummy1=lorem&dummy2=ipsum"), Ok(()));
        assert_eq!(registrable("https://a.example"), Ok(()));
        assert_eq!(registrable("https://a.example:8443/test/a/x/callback"), Ok(()));
        assert_eq!(registrable("http://localhost:9/cb"), Ok(()));
        assert_eq!(registrable("cn.gov.fj.app:/cb"), Ok(()));
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String) {
            let _ = registrable(&text);
        }

        /// Whatever may be registered is read by a browser as the host that we read.
        #[test]
        fn attack_04_redirect_uri_printed_parses_back(
            host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}",
            tail in "[a-zA-Z0-9/@:;.%?&=_~-]{0,40}",
        ) {
            let text = format!("https://{host}{tail}");
            if registrable(&text).is_ok() {
                let url = Url::parse(&text).unwrap();
                prop_assert_eq!(url.username(), "");
                let origin = format!("https://{}", url.host_str().unwrap());
                prop_assert!(text.starts_with(&origin));
                prop_assert_eq!(url.as_str().trim_end_matches('/'), text.trim_end_matches('/'));
            }
        }

        /// One character more, less or other is another address.
        #[test]
        fn attack_04_redirect_uri_has_no_neighbours(at in 0_usize..26, other in any::<char>()) {
            let registered = ["https://partner.example/cb".to_owned()];
            let mut longer: Vec<char> = registered[0].chars().collect();
            longer.insert(at, other);
            prop_assert!(!matches(&registered, &longer.iter().collect::<String>()));
            let mut changed: Vec<char> = registered[0].chars().collect();
            if changed[at] != other {
                changed[at] = other;
                prop_assert!(!matches(&registered, &changed.iter().collect::<String>()));
            }
        }
    }

    #[test]
    fn rfc_8252_8_3_what_stays_on_the_device_is_known() {
        for local in [
            "http://localhost:8081/cb",
            "https://localhost./cb",
            "https://app.localhost/cb",
            "http://127.0.0.1/cb",
            "https://127.9.9.9/cb",
            "http://[::1]:1/cb",
            "https://[::ffff:127.0.0.1]/cb",
            "https://0.0.0.0/cb",
            "https://[::]/cb",
        ] {
            assert!(is_local(local), "{local}");
        }
        for far in [
            "https://app.example/cb",
            "https://localhost.example/cb",
            "https://notlocalhost/cb",
            "https://192.0.2.1/cb",
            "https://[2001:db8::1]/cb",
            "cn.example.app:/localhost",
            "localhost",
        ] {
            assert!(!is_local(far), "{far}");
        }
    }
}
