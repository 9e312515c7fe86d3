//! The layer of the routes that programs call: a fault is a small JSON object with a code.

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::json;

use crate::fault::Fault;
use crate::lang::Lang;
use crate::{frame, posted};

/// Renders faults as JSON and logs their causes.
pub async fn layer(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let lang = Lang::of(request.headers());
    let mut response = match posted::can_be(request.uri()) {
        true => next.run(request).await,
        false => Fault::missing().into_response(),
    };
    let status = response.status();
    let fault = response.extensions_mut().remove::<Fault>();
    let fault = match fault {
        Some(fault) => fault,
        // RFC 6750 §3: a refused token is told by the challenge, which stands already.
        None if response.headers().contains_key(header::WWW_AUTHENTICATE) => {
            return secured(response);
        }
        None if status.is_client_error() || status.is_server_error() => Fault::of_status(status),
        None => return secured(response),
    };
    frame::log(&path, &fault);
    let sentence = lang.t(&format!("fault-{}", fault.code));
    let body = json!({ "error": fault.code, "error_description": sentence });
    let mut rendered = (fault.status, Json(body)).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow.clone());
    }
    secured(rendered)
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
