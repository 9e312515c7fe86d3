//! Answers of the machine endpoints. A protocol error is its code; what the server met is for the
//! log, once, here.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idp_protocol::client::registration::Refusal;
use idp_protocol::jose::JoseError;
use idp_protocol::{ErrorCode, ProtocolError};
use idp_store::StoreError;
use serde_json::json;

use crate::pages;
use crate::{State, cookie};

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client did something that its specification has a code for.
    Protocol(ProtocolError),
    /// The same with a status of HTTP's own.
    Status(StatusCode, ProtocolError),
    /// What a client says about itself cannot be used; sentences, nothing that it sent.
    Metadata(Refusal),
    /// Too many requests; milliseconds until the next is taken.
    Limited {
        /// Milliseconds.
        wait: i64,
    },
    /// The server could not.
    Server(String),
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<StoreError> for Failure {
    fn from(cause: StoreError) -> Self {
        Self::Server(cause.to_string())
    }
}

impl From<JoseError> for Failure {
    fn from(cause: JoseError) -> Self {
        Self::Server(cause.to_string())
    }
}

impl Failure {
    /// Status and error; a failure of ours is written to the log.
    pub(crate) fn told(self) -> (StatusCode, ProtocolError) {
        match self {
            Self::Protocol(error) => {
                let status = StatusCode::from_u16(error.code.status());
                (status.unwrap_or(StatusCode::BAD_REQUEST), error)
            }
            Self::Status(status, error) => (status, error),
            Self::Metadata(refusal) => {
                let text = "What the client says about itself cannot be used.";
                (StatusCode::BAD_REQUEST, ProtocolError::new(refusal.code, text))
            }
            Self::Limited { .. } => {
                let text = "Too many requests come from this network; try again in a minute.";
                let error = ProtocolError::new(ErrorCode::TemporarilyUnavailable, text);
                (StatusCode::TOO_MANY_REQUESTS, error)
            }
            Self::Server(cause) => {
                tracing::error!(cause, "a request could not be served");
                let text = "The server could not serve the request.";
                let error = ProtocolError::new(ErrorCode::ServerError, text);
                (StatusCode::INTERNAL_SERVER_ERROR, error)
            }
        }
    }

    /// A page for a person.
    pub(crate) fn page(self, state: &State, headers: &HeaderMap) -> Response {
        let (after, faults) = (self.after(), self.faults());
        let (status, error) = self.told();
        let (code, text) = (error.code.as_str(), faults.as_deref().unwrap_or(error.description));
        let mut response = pages::protocol_error(state, headers, status, code, text);
        response.extensions_mut().insert(error);
        if let Some(after) = after {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }

    /// What is wrong, where a fixed sentence would not say it.
    fn faults(&self) -> Option<String> {
        let Self::Metadata(refusal) = self else { return None };
        Some(refusal.description.clone())
    }

    /// RFC 9110 §10.2.3, whole seconds.
    fn after(&self) -> Option<HeaderValue> {
        let Self::Limited { wait } = self else { return None };
        Some(HeaderValue::from((wait.max(&0) + 999) / 1000))
    }

    /// A body for a program (RFC 6749 §5.2); a client that used the `Authorization` header is told
    /// its scheme.
    pub(crate) fn body(self, headers: &HeaderMap) -> Response {
        let basic = cookie::header(headers, header::AUTHORIZATION).is_some();
        let (after, faults) = (self.after(), self.faults());
        let (status, error) = self.told();
        let text = faults.as_deref().unwrap_or(error.description);
        let body = json!({"error": error.code.as_str(), "error_description": text});
        let mut response = (status, Json(body)).into_response();
        if error.code == ErrorCode::InvalidClient && basic {
            let scheme = HeaderValue::from_static("Basic realm=\"tongban\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(after) = after {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}
