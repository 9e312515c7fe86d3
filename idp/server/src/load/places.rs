//! Addresses of a provider as its metadata names them.

use serde_json::Value;
use url::Url;

use super::process::loopback;
use super::scenario::told;

/// Where a provider answers.
#[derive(Debug, Clone)]
pub struct Places {
    /// The metadata document itself.
    pub discovery: Url,
    /// `authorization_endpoint`.
    pub authorization: Url,
    /// `token_endpoint`.
    pub token: Url,
    /// `userinfo_endpoint`.
    pub userinfo: Url,
    /// `introspection_endpoint`, if it has one.
    pub introspection: Option<Url>,
    /// `pushed_authorization_request_endpoint`, if it has one.
    pub pushed: Option<Url>,
    /// The token endpoint for clients that show a certificate (RFC 8705 §5).
    pub token_with_certificate: Url,
}

/// An address, if it is this machine's own: a load run goes nowhere else.
pub(super) fn here(address: Url) -> Result<Url, String> {
    if address.host_str().is_some_and(loopback) {
        return Ok(address);
    }
    Err(format!("{} is not on this machine: a load run goes nowhere else", address.path()))
}

fn address(document: &Value, name: &str) -> Result<Option<Url>, String> {
    let Some(text) = document[name].as_str() else { return Ok(None) };
    here(Url::parse(text).map_err(told)?).map(Some)
}

impl Places {
    /// Asks a provider for its metadata (OpenID Connect Discovery 1.0 §4).
    ///
    /// # Errors
    /// A sentence: no document, an address missing or not on this machine.
    pub async fn of(http: &reqwest::Client, issuer: &str) -> Result<Self, String> {
        let text = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = here(Url::parse(&text).map_err(told)?)?;
        let answer = http.get(discovery.clone()).send().await.map_err(told)?;
        let document = answer.json().await.map_err(told)?;
        Self::named(discovery, &document)
    }

    fn named(discovery: Url, document: &Value) -> Result<Self, String> {
        let needed = |name: &str| {
            address(document, name)?.ok_or_else(|| format!("the metadata names no {name}"))
        };
        let token = needed("token_endpoint")?;
        let alias = address(&document["mtls_endpoint_aliases"], "token_endpoint")?;
        Ok(Self {
            discovery,
            authorization: needed("authorization_endpoint")?,
            userinfo: needed("userinfo_endpoint")?,
            introspection: address(document, "introspection_endpoint")?,
            pushed: address(document, "pushed_authorization_request_endpoint")?,
            token_with_certificate: alias.unwrap_or_else(|| token.clone()),
            token,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(document: Value) -> Result<Places, String> {
        Places::named(Url::parse("http://127.0.0.1:1/d").unwrap(), &document)
    }

    #[test]
    fn addresses_are_the_documents_own_and_none_is_elsewhere() {
        let mut document = json!({"authorization_endpoint": "http://127.0.0.1:1/a",
            "token_endpoint": "http://localhost:1/t", "userinfo_endpoint": "http://[::1]:1/u"});
        let places = named(document.clone()).unwrap();
        assert_eq!(places.token_with_certificate, places.token);
        assert!(places.introspection.is_none() && places.pushed.is_none());
        document["mtls_endpoint_aliases"] = json!({"token_endpoint": "https://127.0.0.1:2/t"});
        let alias = named(document.clone()).unwrap().token_with_certificate;
        assert_eq!(alias.port(), Some(2));
        document["introspection_endpoint"] = json!("http://example.org/i");
        assert!(named(document.clone()).unwrap_err().contains("/i is not on this machine"));
        document["token_endpoint"] = json!(null);
        assert!(named(document).unwrap_err().contains("token_endpoint"));
    }
}
