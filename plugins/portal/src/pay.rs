//! Paying: the browser carries a signed order to the bank; what the bank says comes back by other
//! ways and is believed only after a query.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawForm, RawQuery, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use plugins_engine::EngineError;

use crate::fault::Fault;
use crate::frame::Frame;
use crate::{State, cases, local, posted};

/// `POST /cases/{number}/pay`: makes `payment.started` durable, then sends the browser on with the
/// very form that it posted.
///
/// # Errors
/// 404 for a case that is not hers.
pub async fn start(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
    RawForm(body): RawForm,
) -> Result<Response, Fault> {
    let visitor = cases::sender(&frame)?;
    let back = Redirect::to(&format!("/cases/{}", local::query(&number)));
    let payment = match state.engine.start_payment(&visitor.subject, &number).await {
        Ok(payment) => payment,
        // Paid already, in another tab or a moment ago: the case page says so.
        Err(EngineError::Conflict) => return Ok(back.into_response()),
        Err(cause) => return Err(cause.into()),
    };
    let mut sent = posted::fields(&body)?;
    let mut signed = payment.fields;
    sent.sort();
    signed.sort();
    // An old page would carry an old order to the bank; the new page carries the new one.
    if sent != signed {
        return Ok(back.into_response());
    }
    // 307, against the rule of attacks row 36, and on purpose: the browser must post again what it
    // just posted, without script. The rule's reason is credentials in the repeated body; this one
    // holds an order that the bank must see, signed, and nothing of the session.
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let gateway = HeaderValue::try_from(payment.gateway_url)
        .map_err(|cause| Fault::caused(StatusCode::INTERNAL_SERVER_ERROR, "internal", cause))?;
    response.headers_mut().insert(header::LOCATION, gateway);
    Ok(response)
}

/// `GET` and `POST /payment/return`: the payer comes back from the bank. Nothing is learnt from it:
/// whether it was paid, the case page knows from the bank itself.
pub async fn come_back(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let case = url::form_urlencoded::parse(query.as_bytes())
        .take(50)
        .find_map(|(name, value)| (name == "case").then(|| local::query(&value)));
    let to = case.filter(|case| case.len() <= 40).map(|case| format!("/cases/{case}"));
    Redirect::to(to.as_deref().unwrap_or("/cases")).into_response()
}

/// `POST /payment/notice/unionpay`: the bank's signed word. 200 means "received and kept"
/// (domain.md §10), never "believed".
///
/// # Errors
/// 400 for a notice that the bank did not sign.
pub async fn unionpay(
    Shared(state): Shared<State>,
    RawForm(body): RawForm,
) -> Result<Response, Fault> {
    state.engine.payment_notice(&posted::fields(&body)?).await?;
    Ok((StatusCode::OK, "ok").into_response())
}

/// `POST /express/notice`: the carrier's signed push.
///
/// # Errors
/// 400 for a push that the carrier did not sign.
pub async fn express(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Result<Response, Fault> {
    let headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    state.engine.express_notice(&headers, &body).await?;
    Ok((StatusCode::OK, "ok").into_response())
}
