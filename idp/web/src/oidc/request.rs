//! Reads the parameters of a request.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use idp_protocol::ProtocolError;
use idp_protocol::parameters::Parameters;

use super::reply::Failure;
use crate::cookie;

/// A body as axum's extractor gives it: bounded by the router.
pub(crate) type Body = Result<Bytes, axum::extract::rejection::BytesRejection>;

/// Parameters of a form body.
///
/// # Errors
/// 415 for another media type (RFC 6749 §3.2, Appendix B), 413 for too large a body, else
/// `invalid_request`.
pub(crate) fn form(headers: &HeaderMap, body: Body) -> Result<Parameters, Failure> {
    let kind = cookie::header(headers, header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = "The body must be application/x-www-form-urlencoded.";
        return Err(Failure::Status(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProtocolError::invalid_request(text),
        ));
    }
    let body = body.map_err(|cause| {
        let text = "The body is too large or broke off.";
        Failure::Status(cause.status(), ProtocolError::invalid_request(text))
    })?;
    Ok(Parameters::parse(&body)?)
}
