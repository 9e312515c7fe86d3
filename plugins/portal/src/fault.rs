//! What goes wrong on a request: a status and a sentence for the person, a cause for the log.
//!
//! A handler returns a [`Fault`]; the frame's layer renders it as a page in the request's language
//! (or as JSON below `/api/`) and writes the private cause to the log once.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use idp_store::StoreError;
use plugins_engine::EngineError;
use plugins_hall::text::Text;

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct Fault {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code; the sentence is the locale key `fault-CODE`.
    pub code: &'static str,
    /// For the log only.
    pub cause: Option<String>,
    /// The sentence of whoever refused, in each language, where it says more than the code.
    pub detail: Option<Text>,
}

impl Fault {
    /// A fault without a private cause: the person did something that cannot be done.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, cause: None, detail: None }
    }

    /// A fault of ours, with its cause.
    #[must_use]
    pub fn caused(status: StatusCode, code: &'static str, cause: impl ToString) -> Self {
        Self { status, code, cause: Some(cause.to_string()), detail: None }
    }

    /// There is nothing here, or nothing for this person: the two look the same, so that numbers
    /// of cases cannot be tried out.
    #[must_use]
    pub fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "missing")
    }

    /// What was sent is not what the page's form sends.
    #[must_use]
    pub fn garbled() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "garbled")
    }

    /// The code for a status that the router itself answered.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => "missing",
            StatusCode::METHOD_NOT_ALLOWED => "method",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            status if status.is_client_error() => "garbled",
            _ => "internal",
        };
        Self::new(status, code)
    }
}

impl From<StoreError> for Fault {
    fn from(cause: StoreError) -> Self {
        Self::caused(StatusCode::SERVICE_UNAVAILABLE, "busy", cause)
    }
}

impl From<EngineError> for Fault {
    fn from(cause: EngineError) -> Self {
        match cause {
            EngineError::NotFound => Self::missing(),
            EngineError::Level(_) => Self::new(StatusCode::FORBIDDEN, "level"),
            EngineError::Conflict => Self::new(StatusCode::CONFLICT, "conflict"),
            EngineError::Refused(problem) => Self {
                detail: Some(problem.detail),
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused")
            },
            EngineError::Forged(why) => Self::caused(StatusCode::BAD_REQUEST, "forged", why),
            EngineError::Unavailable(why) => {
                Self::caused(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
            }
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
