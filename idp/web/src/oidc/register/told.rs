//! Answers about registrations (RFC 7591 §3.2, RFC 7592 §3).

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idp_domain::ambient::Token;
use idp_protocol::client::registration::{self, Refusal};
use idp_protocol::client::{AuthMethod, Client};
use idp_store::StoreError;
use serde_json::{Value, json};

use super::MANAGEMENT;
use crate::State;
use crate::oidc::reply::Failure;

/// A registration that stands.
pub(super) struct Made {
    pub(super) client: Client,
    /// Made now; what was made before is not known any more.
    pub(super) secret: Option<String>,
    pub(super) management: Token,
    /// Milliseconds UTC.
    pub(super) issued_at: i64,
}

/// Whether a client authenticates with a secret.
pub(super) fn wants_secret(client: &Client) -> bool {
    matches!(
        client.token_endpoint_auth_method,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
    )
}

impl Made {
    /// A new one; with a secret if it uses one and `fresh`.
    pub(super) fn new(state: &State, client: Client, fresh: bool) -> Self {
        let secret = (fresh && wants_secret(&client)).then(|| state.ambient.secret());
        let management = state.ambient.token(MANAGEMENT);
        Self { client, secret, management, issued_at: state.now() }
    }

    /// RFC 7591 §3.2.1, RFC 7592 §3.
    pub(super) fn response(&self, state: &State, status: StatusCode) -> Response {
        let mut value = registration::shown(&self.client);
        let id = &self.client.client_id;
        let at = format!("{}/oauth2/register/{id}", state.settings.issuer);
        if let Value::Object(members) = &mut value {
            let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
            add("client_id_issued_at", json!(self.issued_at / 1000));
            add("registration_client_uri", json!(at));
            add("registration_access_token", json!(self.management.text()));
            if let Some(secret) = &self.secret {
                add("client_secret", json!(secret));
                // 0: it does not expire.
                add("client_secret_expires_at", json!(0));
            }
        }
        let mut response = (status, Json(value)).into_response();
        response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Why nothing was written.
pub(super) enum Refused {
    /// No token, or not the right one (RFC 6750 §3, RFC 7592 §2).
    Token,
    /// What was sent cannot be registered.
    Registration(Refusal),
    /// Everything else.
    Failure(Failure),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Registration(refusal)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<StoreError> for Refused {
    fn from(cause: StoreError) -> Self {
        Self::Failure(cause.into())
    }
}

impl Refused {
    /// What a person is told.
    pub(super) fn sentence(self) -> String {
        match self {
            Self::Failure(failure) => failure.told().1.description.to_string(),
            Self::Token => "The access token is missing.".to_owned(),
            Self::Registration(refusal) => refusal.description,
        }
    }

    pub(super) fn response(self, headers: &HeaderMap) -> Response {
        let (status, code, description) = match self {
            Self::Failure(failure) => return failure.body(headers),
            Self::Token => {
                let text = "The access token is missing, used up, expired or another client's.";
                (StatusCode::UNAUTHORIZED, "invalid_token", text.to_owned())
            }
            Self::Registration(refusal) => {
                (StatusCode::BAD_REQUEST, refusal.code.as_str(), refusal.description)
            }
        };
        let body = json!({"error": code, "error_description": description});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"tongban\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
