//! The envelope of counterparts that speak JSON over HTTP: both sides prove that they know the
//! secret, over everything that matters, and for a short time only.
//!
//! Request: `X-Timestamp` (milliseconds UTC) and `X-Signature`, hex of HMAC-SHA-256 over
//! `METHOD LF target LF timestamp LF body`. Answer: `X-Signature` over the request's signature,
//! LF, and the body, so that an answer fits one question only.

use aws_lc_rs::hmac;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// How far the two clocks may be apart, milliseconds.
const SKEW: i64 = 300_000;

/// A secret that a simulator shares with the product.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// The signature of a request that was checked.
pub struct Checked(String);

impl Secret {
    /// From its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    /// The signature of a request that a simulator sends by itself.
    #[must_use]
    pub fn sign(&self, method: &str, target: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = format!("{method}\n{target}\n{timestamp}\n").into_bytes();
        signed.extend_from_slice(body);
        hex::encode(hmac::sign(&self.0, &signed))
    }

    /// Checks a request; `target` is its path with its query.
    ///
    /// # Errors
    /// The answer that refuses it.
    pub fn check(
        &self,
        method: &str,
        target: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: i64,
    ) -> Result<Checked, Box<Response>> {
        let refused = |why: &str| {
            let body = json!({ "error": "signature", "reason": why });
            Box::new((StatusCode::UNAUTHORIZED, axum::Json(body)).into_response())
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let timestamp = text("x-timestamp").unwrap_or_default();
        let at: i64 = timestamp.parse().map_err(|_| refused("no time"))?;
        if now.abs_diff(at) > SKEW.unsigned_abs() {
            return Err(refused("the time is too far from ours"));
        }
        let signature = text("x-signature").unwrap_or_default();
        let mut signed = format!("{method}\n{target}\n{timestamp}\n").into_bytes();
        signed.extend_from_slice(body);
        let tag = hex::decode(signature).map_err(|_| refused("no signature"))?;
        hmac::verify(&self.0, &signed, &tag).map_err(|_| refused("the signature does not fit"))?;
        Ok(Checked(signature.to_owned()))
    }

    /// An answer to a request that was checked.
    #[must_use]
    pub fn answer(&self, to: &Checked, status: StatusCode, body: &Value) -> Response {
        let body = body.to_string();
        let tag = hmac::sign(&self.0, format!("{}\n{body}", to.0).as_bytes());
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            ("x-signature", hex::encode(tag)),
        ];
        (status, headers, body).into_response()
    }
}
