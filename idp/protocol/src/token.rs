//! Requests of the machine endpoints: who is the client, and what does it want.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::assertion;
use crate::client::AuthMethod;
use crate::exchange::Exchange;
use crate::parameters::Parameters;
use crate::scope::Scope;
use crate::{ErrorCode, ProtocolError};

/// How a client presented itself; nothing is checked yet.
#[derive(Clone, PartialEq, Eq)]
pub enum Presented {
    /// HTTP Basic or body: id and secret.
    Secret {
        /// Which of the two.
        method: AuthMethod,
        /// The id.
        client_id: String,
        /// The secret.
        secret: String,
    },
    /// `private_key_jwt`.
    Assertion {
        /// The id that the assertion claims.
        client_id: String,
        /// The assertion.
        assertion: String,
    },
    /// Only a name: a public client.
    Name {
        /// The id.
        client_id: String,
    },
}

/// Without the secret, which no log may hold.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self {
            Self::Secret { .. } => "Secret",
            Self::Assertion { .. } => "Assertion",
            Self::Name { .. } => "Name",
        };
        f.debug_struct(method).field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

impl Presented {
    /// The id, not believed.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match self {
            Self::Secret { client_id, .. }
            | Self::Assertion { client_id, .. }
            | Self::Name { client_id } => client_id,
        }
    }

    /// Reads the `Authorization` header and the body.
    ///
    /// # Errors
    /// `invalid_request` for more than one method (RFC 6749 §2.3), `invalid_client` for none or a
    /// malformed one.
    pub fn read(authorization: Option<&str>, body: &Parameters) -> Result<Self, ProtocolError> {
        let basic = authorization.filter(|value| {
            value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "))
        });
        let secret = body.get("client_secret");
        let asserted = body.get("client_assertion");
        // RFC 6749 §2.3: not more than one method in a request.
        let methods = [basic.is_some(), secret.is_some(), asserted.is_some()];
        if methods.iter().filter(|used| **used).count() > 1 {
            return Err(ProtocolError::invalid_request("More than one client authentication."));
        }
        let presented = if let Some(header) = basic {
            from_basic(header)?
        } else if let Some(text) = asserted {
            from_assertion(text, body)?
        } else {
            let missing = ProtocolError::invalid_client("The client did not authenticate.");
            let client_id = body.get("client_id").ok_or(missing)?.to_owned();
            match secret {
                Some(secret) => Self::Secret {
                    method: AuthMethod::ClientSecretPost,
                    client_id,
                    secret: secret.to_owned(),
                },
                None => Self::Name { client_id },
            }
        };
        // A client_id beside the credentials must be the same (RFC 7521 §4.2).
        if body.get("client_id").is_some_and(|named| named != presented.client_id()) {
            return Err(ProtocolError::invalid_client("The client_id is another client's."));
        }
        Ok(presented)
    }
}

fn from_basic(header: &str) -> Result<Presented, ProtocolError> {
    let wrong = ProtocolError::invalid_client("The Basic credentials are malformed.");
    let encoded = header.get(6..).unwrap_or_default().trim();
    let bytes = STANDARD.decode(encoded).map_err(|_| wrong.clone())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong.clone())?;
    let (id, secret) = text.split_once(':').ok_or(wrong)?;
    // RFC 6749 §2.3.1: both are form-encoded before they are joined.
    let decode = |part: &str| {
        // An `&` that a client forgot to encode is a character of the secret, not its end.
        let line = format!("v={}", part.replace('&', "%26"));
        url::form_urlencoded::parse(line.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Ok(Presented::Secret {
        method: AuthMethod::ClientSecretBasic,
        client_id: decode(id),
        secret: decode(secret),
    })
}

fn from_assertion(text: &str, body: &Parameters) -> Result<Presented, ProtocolError> {
    // RFC 7521 §4.2: the type must be ours.
    if body.get("client_assertion_type") != Some(assertion::TYPE) {
        return Err(ProtocolError::invalid_client("The client_assertion_type is not supported."));
    }
    let client_id = assertion::unverified_client_id(text)
        .ok_or(ProtocolError::invalid_client("The assertion is malformed."))?;
    Ok(Presented::Assertion { client_id, assertion: text.to_owned() })
}

/// What is wanted of the token endpoint.
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    /// RFC 6749 §4.1.3.
    Code {
        /// The code.
        code: String,
        /// If the authorization request had one.
        redirect_uri: Option<String>,
        /// PKCE.
        code_verifier: Option<String>,
    },
    /// RFC 6749 §6.
    Refresh {
        /// The refresh token.
        refresh_token: String,
        /// At most what was granted.
        scope: Option<Scope>,
    },
    /// RFC 8628 §3.4.
    Device {
        /// The device code.
        device_code: String,
    },
    /// CIBA Core §10.1.
    Backchannel {
        /// What the client was given.
        auth_req_id: String,
    },
    /// RFC 8693 §2.1.
    Exchange(Exchange),
    /// RFC 7523 §2.1.
    Assertion {
        /// What the client signed.
        assertion: String,
        /// At most what the person allowed.
        scope: Option<Scope>,
    },
    /// RFC 6749 §4.4.2.
    ClientCredentials {
        /// At most what is registered.
        scope: Option<Scope>,
    },
}

/// Without the code or token, which no log may hold.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Grant {
    /// Reads a token request.
    ///
    /// # Errors
    /// `invalid_request`, `invalid_scope` or `unsupported_grant_type` (RFC 6749 §5.2).
    pub fn read(body: &Parameters) -> Result<Self, ProtocolError> {
        let scope = || body.get("scope").map(Scope::parse).transpose();
        match body.required("grant_type", "The grant_type is missing.")? {
            "authorization_code" => Ok(Self::Code {
                code: body.required("code", "The code is missing.")?.to_owned(),
                redirect_uri: body.get("redirect_uri").map(str::to_owned),
                code_verifier: body.get("code_verifier").map(str::to_owned),
            }),
            "refresh_token" => Ok(Self::Refresh {
                refresh_token: body
                    .required("refresh_token", "The refresh_token is missing.")?
                    .to_owned(),
                scope: scope()?,
            }),
            crate::device::GRANT => Ok(Self::Device {
                device_code: body
                    .required("device_code", "The device_code is missing.")?
                    .to_owned(),
            }),
            crate::ciba::GRANT => Ok(Self::Backchannel {
                auth_req_id: body
                    .required("auth_req_id", "The auth_req_id is missing.")?
                    .to_owned(),
            }),
            crate::exchange::GRANT => Exchange::read(body).map(Self::Exchange),
            assertion::GRANT => Ok(Self::Assertion {
                assertion: body.required("assertion", "The assertion is missing.")?.to_owned(),
                scope: scope()?,
            }),
            "client_credentials" => Ok(Self::ClientCredentials { scope: scope()? }),
            _ => Err(ProtocolError::new(
                ErrorCode::UnsupportedGrantType,
                "The grant_type is not supported.",
            )),
        }
    }

    /// The registered name (RFC 7591 §2).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Code { .. } => "authorization_code",
            Self::Refresh { .. } => "refresh_token",
            Self::Device { .. } => crate::device::GRANT,
            Self::Backchannel { .. } => crate::ciba::GRANT,
            Self::Exchange(_) => crate::exchange::GRANT,
            Self::Assertion { .. } => assertion::GRANT,
            Self::ClientCredentials { .. } => "client_credentials",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(text: &str) -> Parameters {
        Parameters::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn rfc_6749_2_3_1_basic_credentials_are_form_encoded() {
        let header = format!("Basic {}", STANDARD.encode("a%3Ab:c+d%25"));
        let presented = Presented::read(Some(&header), &body("")).unwrap();
        assert_eq!(
            presented,
            Presented::Secret {
                method: AuthMethod::ClientSecretBasic,
                client_id: "a:b".into(),
                secret: "c d%".into()
            }
        );
    }

    #[test]
    fn rfc_6749_2_3_two_methods_are_refused() {
        let header = format!("Basic {}", STANDARD.encode("a:b"));
        let error = Presented::read(Some(&header), &body("client_secret=x")).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        let error = Presented::read(Some(&header), &body("client_id=other")).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidClient);
        assert_eq!(Presented::read(None, &body("")).unwrap_err().code, ErrorCode::InvalidClient);
        assert!(Presented::read(Some("Basic !"), &body("")).is_err());
    }

    #[test]
    fn attack_43_secrets_are_not_printed() {
        let header = format!("Basic {}", STANDARD.encode("a:hush"));
        let presented = Presented::read(Some(&header), &body("")).unwrap();
        let grant = Grant::read(&body("grant_type=authorization_code&code=hush")).unwrap();
        assert_eq!(
            format!("{presented:?}{grant:?}"),
            r#"Secret { client_id: "a", .. }Grant { name: "authorization_code", .. }"#
        );
    }

    #[test]
    fn rfc_7521_4_2_an_assertion_names_its_type() {
        let assertion = "e30.eyJpc3MiOiJhIn0.AA";
        let text = format!("client_assertion={assertion}&client_assertion_type=");
        assert!(Presented::read(None, &body(&text)).is_err());
        assert!(Presented::read(None, &body(&format!("{text}x"))).is_err());
        let presented =
            Presented::read(None, &body(&format!("{text}{}", assertion::TYPE))).unwrap();
        assert_eq!(presented.client_id(), "a");
        let other = format!("{text}{}&client_id=b", assertion::TYPE);
        assert_eq!(
            Presented::read(None, &body(&other)).unwrap_err().code,
            ErrorCode::InvalidClient
        );
    }

    proptest! {
        #[test]
        fn basic_credentials_print_and_parse_back(id in "[^\u{0}]{1,20}", secret in "[^\u{0}]{1,20}") {
            let form = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let header = format!("bAsIc {}", STANDARD.encode(format!("{}:{}", form(&id), form(&secret))));
            let presented = Presented::read(Some(&header), &body("")).unwrap();
            let method = AuthMethod::ClientSecretBasic;
            prop_assert_eq!(presented, Presented::Secret { method, client_id: id, secret });
        }

        #[test]
        fn outside_text_never_panics(header: String, bytes: Vec<u8>, basic: Vec<u8>) {
            let encoded = format!("Basic {}", STANDARD.encode(&basic));
            if let Ok(body) = Parameters::parse(&bytes) {
                let _ = (Presented::read(Some(&header), &body), Grant::read(&body));
                let _ = Presented::read(Some(&encoded), &body);
            }
        }
    }

    #[test]
    fn rfc_6749_5_2_unknown_grants_have_their_code() {
        assert_eq!(Grant::read(&body("")).unwrap_err().code, ErrorCode::InvalidRequest);
        let unknown = Grant::read(&body("grant_type=password")).unwrap_err();
        assert_eq!(unknown.code, ErrorCode::UnsupportedGrantType);
    }
}
