//! Resource indicators (RFC 8707): for whom an access token is meant.
//!
//! Every client may have tokens for this provider's own API, which the issuer names. For others
//! it may where the operator has registered them in its `resources`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::client::Client;
use crate::parameters::Parameters;
use crate::{ErrorCode, ProtocolError, details};

/// Resources of one request (attacks row 42).
const MOST: usize = 8;

/// What a request wants beside a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Resources for which tokens are wanted; none: our own (RFC 8707 §2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// What is asked for in particular (RFC 9396 §2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<Value>,
}

impl Targets {
    /// Reads them of any request that a person decides about (RFC 8707 §2, RFC 9396 §3).
    ///
    /// # Errors
    /// `invalid_target` or `invalid_authorization_details`.
    pub fn read(
        client: &Client,
        parameters: &Parameters,
        issuer: &str,
    ) -> Result<Self, ProtocolError> {
        let sent = parameters.get("authorization_details");
        let authorization_details = details::read(client, sent, issuer)?;
        Ok(Self { resources: read(client, parameters, issuer)?, authorization_details })
    }
}

fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidTarget, description)
}

/// Whether a resource is this provider's own API. RFC 3986 §6.2.3: an empty path and `/` are the
/// same, and libraries write either.
#[must_use]
pub fn ours(resource: &str, issuer: &str) -> bool {
    resource == issuer || resource.strip_suffix('/') == Some(issuer)
}

/// Whether a resource can be named: an absolute URI without a fragment (RFC 8707 §2).
#[must_use]
pub fn nameable(resource: &str) -> bool {
    resource.len() <= 512
        && !resource.contains('#')
        && resource.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(resource).is_ok()
}

/// Resources of a request, each once; none: the default, our own.
///
/// # Errors
/// `invalid_target` for one that is malformed, or for which this client gets no tokens.
pub fn read(
    client: &Client,
    parameters: &Parameters,
    issuer: &str,
) -> Result<Vec<String>, ProtocolError> {
    let mut resources: Vec<String> = Vec::new();
    // RFC 8693 §2.1: an exchange may name them as audiences, too; here both are the same names.
    let exchange = parameters.get("grant_type") == Some(crate::exchange::GRANT);
    for sent in parameters.resources().chain(parameters.audiences().filter(|_| exchange)) {
        if !nameable(sent) {
            return Err(refuse("The resource is no absolute URI without a fragment."));
        }
        let named = if ours(sent, issuer) { issuer } else { sent };
        // RFC 8707 §2: compared exactly, like every address here (attacks rows 4, 39).
        if named != issuer && !client.resources.iter().any(|known| known == named) {
            return Err(refuse("The resource is unknown or not one of this client's."));
        }
        if !resources.iter().any(|known| known == named) {
            resources.push(named.to_owned());
        }
    }
    if resources.len() > MOST {
        return Err(refuse("The resources are too many."));
    }
    Ok(resources)
}

/// The audience of a token that is made of `resources` (RFC 9068 §3): our own API where none is
/// named.
#[must_use]
pub fn audience<'a>(resources: &'a [String], issuer: &'a str) -> Vec<&'a str> {
    if resources.is_empty() {
        return vec![issuer];
    }
    resources.iter().map(String::as_str).collect()
}

/// What is left of `granted` when a token request asks for `asked` (RFC 8707 §2.2).
///
/// # Errors
/// `invalid_target` for a resource that was not granted.
pub fn narrow(
    granted: &[String],
    asked: Vec<String>,
    issuer: &str,
) -> Result<Vec<String>, ProtocolError> {
    let whole = audience(granted, issuer);
    if asked.iter().all(|one| whole.contains(&one.as_str())) {
        return Ok(asked);
    }
    Err(refuse("The resource is not one that was granted."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example";

    fn asked(query: &str) -> Result<Vec<String>, ProtocolError> {
        let registration = json!({"redirect_uris": ["https://a.example/cb"],
            "resources": ["https://api.example/v1", "urn:example:store"]});
        let client = Client::from_json(registration).unwrap();
        read(&client, &Parameters::parse(query.as_bytes()).unwrap(), ISSUER)
    }

    #[test]
    fn rfc_8707_2_resources_are_absolute_known_and_compared_exactly() {
        assert!(asked("").unwrap().is_empty());
        let both = "resource=https://api.example/v1&resource=https://id.example/";
        assert_eq!(asked(both).unwrap(), ["https://api.example/v1", ISSUER]);
        assert_eq!(
            asked("resource=urn:example:store&resource=urn:example:store").unwrap().len(),
            1
        );
        for wrong in [
            "https://api.example/v1/",
            "https://api.example/v1%23x",
            "https://api.example/v1?x",
            "https://API.example/v1",
            "https://api.example",
            "https://api.example/v1/../v2",
            "https://id.example.evil",
            "https://id.example/oauth2",
            "https://id.example//",
            "api.example",
            "/v1",
            "x",
        ] {
            let error = asked(&format!("resource={wrong}")).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidTarget, "{wrong}");
        }
    }

    #[test]
    fn rfc_8707_2_2_a_token_request_narrows_and_never_widens() {
        let granted = vec!["https://api.example/v1".to_owned(), ISSUER.to_owned()];
        let one = vec![ISSUER.to_owned()];
        assert_eq!(narrow(&granted, one.clone(), ISSUER).unwrap(), one);
        assert_eq!(narrow(&[], one.clone(), ISSUER).unwrap(), one);
        assert!(narrow(&[], granted.clone(), ISSUER).is_err());
        assert!(narrow(&granted[..1], one, ISSUER).is_err());
        assert_eq!(audience(&[], ISSUER), [ISSUER]);
    }

    proptest! {
        #[test]
        fn outside_text_never_panics_and_only_known_resources_pass(text in "[^\u{0}\u{fffd}]*") {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("resource", &text).finish();
            if let Ok(resources) = asked(&query) {
                for resource in resources {
                    prop_assert!(["https://api.example/v1", "urn:example:store", ISSUER]
                        .contains(&resource.as_str()));
                }
            }
        }
    }
}
