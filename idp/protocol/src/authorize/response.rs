//! What comes back, and how it travels: `response_type` and `response_mode`.

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::parameters::Parameters;
use crate::{ErrorCode, ProtocolError};

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMode {
    /// Where it stands.
    pub carrier: Carrier,
    /// As one signed JWT (JARM §2.3).
    #[serde(default)]
    pub jwt: bool,
}

impl ResponseMode {
    /// In the query, in the plain.
    pub const QUERY: Self = Self { carrier: Carrier::Query, jwt: false };
    /// A form that posts itself, in the plain.
    pub const FORM_POST: Self = Self { carrier: Carrier::FormPost, jwt: false };

    /// The registered values and what they mean; none: the response type's own place.
    const NAMES: [(&'static str, Option<Carrier>, bool); 7] = [
        ("query", Some(Carrier::Query), false),
        ("fragment", Some(Carrier::Fragment), false),
        ("form_post", Some(Carrier::FormPost), false),
        ("query.jwt", Some(Carrier::Query), true),
        ("fragment.jwt", Some(Carrier::Fragment), true),
        ("form_post.jwt", Some(Carrier::FormPost), true),
        ("jwt", None, true),
    ];

    /// All of them, for the metadata.
    #[must_use]
    pub fn names() -> [&'static str; 7] {
        Self::NAMES.map(|(name, ..)| name)
    }

    /// Where an error is told before the request is known to be right: where the client would look
    /// for the answer that it asked for (OAuth 2.0 Multiple Response Types §2.1).
    #[must_use]
    pub fn guessed(parameters: &Parameters) -> Self {
        Self::read(parameters).unwrap_or_else(|_| Self::of(asked(parameters)))
    }

    fn of(kind: ResponseType) -> Self {
        let carrier = if kind.front() { Carrier::Fragment } else { Carrier::Query };
        Self { carrier, jwt: false }
    }

    /// Reads the mode of a request.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn read(parameters: &Parameters) -> Result<Self, ProtocolError> {
        let kind = asked(parameters);
        let own = Self::of(kind);
        let Some(named) = parameters.get("response_mode") else { return Ok(own) };
        let known = Self::NAMES.iter().find(|(name, ..)| *name == named);
        let wrong = ProtocolError::invalid_request("The response_mode is not supported.");
        let (_, carrier, jwt) = known.ok_or(wrong)?;
        let carrier = carrier.unwrap_or(own.carrier);
        // OAuth 2.0 Multiple Response Types §5, JARM §2.3.1: tokens never stand in a query, where
        // servers and histories keep them; an encrypted answer is no exception of ours.
        if carrier == Carrier::Query && kind.front() {
            let text = "The response_mode query cannot carry tokens.";
            return Err(ProtocolError::invalid_request(text));
        }
        Ok(Self { carrier, jwt: *jwt })
    }
}

/// Where the parameters of an answer stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// In the query.
    Query,
    /// In the fragment (OAuth 2.0 Multiple Response Types §2.1).
    Fragment,
    /// In a form that posts itself (OAuth 2.0 Form Post Response Mode §2).
    FormPost,
}

/// `response_type`: a set (OAuth 2.0 Multiple Response Types §3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseType {
    /// A code.
    pub code: bool,
    /// An ID token from the front.
    pub id_token: bool,
    /// An access token from the front.
    pub token: bool,
}

impl ResponseType {
    /// A code and nothing else.
    pub const CODE: Self = Self { code: true, id_token: false, token: false };

    /// Names of those that the operator's switch brings (`token` alone is nothing that OpenID
    /// Connect knows).
    pub const FRONT: [&'static str; 5] =
        ["id_token", "id_token token", "code id_token", "code token", "code id_token token"];

    /// Reads a value; the order of its words does not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut kind = Self::default();
        for word in text.split(' ') {
            let flag = match word {
                "code" => &mut kind.code,
                "id_token" => &mut kind.id_token,
                "token" => &mut kind.token,
                _ => return None,
            };
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        (kind.code || kind.id_token).then_some(kind)
    }

    /// Whether a token comes from the front.
    #[must_use]
    pub fn front(self) -> bool {
        self.id_token || self.token
    }
}

/// What the request seems to ask for; not checked.
fn asked(parameters: &Parameters) -> ResponseType {
    let text = parameters.get("response_type").unwrap_or_default();
    let has = |word: &str| text.split(' ').any(|known| known == word);
    ResponseType { code: has("code"), id_token: has("id_token"), token: has("token") }
}

/// The response type of a request, if this deployment offers it and the client has registered it.
///
/// # Errors
/// `invalid_request`, `unsupported_response_type` or `unauthorized_client`.
pub(super) fn kind(
    client: &Client,
    parameters: &Parameters,
    front: bool,
) -> Result<ResponseType, ProtocolError> {
    // RFC 6749 §3.1.1: required.
    let text = parameters.required("response_type", "The response_type is missing.")?;
    let unsupported = || {
        let text = "The response_type is not supported.";
        ProtocolError::new(ErrorCode::UnsupportedResponseType, text)
    };
    let kind = ResponseType::parse(text).ok_or_else(unsupported)?;
    if kind.front() && !front {
        return Err(unsupported());
    }
    // RFC 6749 §4.1.2.1: the client may not use this method.
    let registered = client
        .response_types
        .iter()
        .filter_map(|known| ResponseType::parse(known))
        .collect::<Vec<_>>();
    let grant = if kind.code { "authorization_code" } else { "implicit" };
    let allowed = registered.contains(&kind) && client.may(grant);
    // FAPI 2.0 §5.3.2.2, item 1: nothing but codes.
    if !allowed || kind.front() && client.rules().code_only {
        let text = "The client may not use this response_type.";
        return Err(ProtocolError::unauthorized_client(text));
    }
    // OpenID Connect Core §3.2.2.1, §3.3.2.11: an ID token that comes from the front is tied to the
    // browser by its nonce.
    if kind.id_token && parameters.get("nonce").is_none() {
        return Err(ProtocolError::invalid_request("The nonce is missing."));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mode(query: &str) -> Result<ResponseMode, ProtocolError> {
        ResponseMode::read(&Parameters::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn multiple_response_types_5_tokens_never_stand_in_a_query() {
        for kind in ResponseType::FRONT {
            let kind = kind.replace(' ', "+");
            assert_eq!(mode(&format!("response_type={kind}")).unwrap().carrier, Carrier::Fragment);
            for refused in ["query", "query.jwt"] {
                let query = format!("response_type={kind}&response_mode={refused}");
                assert!(mode(&query).is_err(), "{query}");
            }
            let jwt = mode(&format!("response_type={kind}&response_mode=jwt")).unwrap();
            assert_eq!((jwt.carrier, jwt.jwt), (Carrier::Fragment, true));
        }
        assert_eq!(mode("response_type=code").unwrap(), ResponseMode::QUERY);
        assert!(mode("response_type=code&response_mode=web_message").is_err());
    }

    #[test]
    fn multiple_response_types_3_the_order_of_words_does_not_matter() {
        let both = ResponseType::parse("code id_token token").unwrap();
        assert_eq!(ResponseType::parse("token id_token code"), Some(both));
        for wrong in ["", "token", "code code", "code  id_token", "none", "code x"] {
            assert_eq!(ResponseType::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String) {
            if let Some(kind) = ResponseType::parse(&text) {
                prop_assert!(kind.code || kind.id_token);
            }
        }
    }
}
