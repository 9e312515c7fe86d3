//! `GET /api/cases`: a partner's view of the citizen's cases, as the citizen consented (scope
//! `cases`): where they stand, not what was written in them.

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use plugins_engine::view::{CaseLine, CaseView};
use plugins_hall::port::{BearerError, PortError};
use serde_json::{Value, json};

use crate::State;
use crate::fault::Fault;

/// RFC 6750 §3: the scheme, and why the token was refused.
fn refused(error: Option<BearerError>) -> Response {
    let (status, code) = match error {
        None => (StatusCode::UNAUTHORIZED, None),
        Some(BearerError::Invalid) => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        Some(BearerError::InsufficientScope) => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
    };
    let challenge = match code {
        // RFC 6750 §3.1: a call without a token is told the scheme and no error.
        None => "Bearer realm=\"tongban\", scope=\"cases\"".to_owned(),
        Some(code) => format!("Bearer realm=\"tongban\", scope=\"cases\", error=\"{code}\""),
    };
    let body = json!({ "error": code.unwrap_or("invalid_request") });
    let mut response = (status, Json(body)).into_response();
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// RFC 6750 §2.1: the token stands in the header; RFC 9110 §11.1: the scheme's name in any case.
fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn subject(state: &State, headers: &HeaderMap) -> Result<Result<String, Response>, Fault> {
    let Some(token) = token(headers) else { return Ok(Err(refused(None))) };
    let asked = state.bearers.cases(token).await;
    let busy = |cause: PortError| {
        Fault::caused(StatusCode::SERVICE_UNAVAILABLE, "busy", format!("{cause}: {}", cause.cause))
    };
    let answer = asked.map_err(busy)?;
    Ok(answer.map_err(|error| refused(Some(error))))
}

fn line(case: &CaseLine) -> Value {
    json!({
        "number": case.number, "item": case.item, "title": case.title, "state": case.state,
        "status": case.public_status, "opened_at": case.opened_at,
        "changed_at": case.changed_at, "promised_due": case.promised_due,
    })
}

fn whole(case: &CaseView) -> Value {
    let mut shown = line(&case.line);
    if let Some(members) = shown.as_object_mut() {
        members.insert("statutory_due".to_owned(), json!(case.due.statutory));
        members.insert("suspended".to_owned(), json!(case.due.suspended.is_some()));
        // Kinds and times only: reasons and places are between the citizen and the office.
        let rows = case.timeline.iter().map(|row| json!({ "event": row.kind, "at": row.at }));
        members.insert("timeline".to_owned(), rows.collect());
    }
    shown
}

/// `GET /api/cases`.
///
/// # Errors
/// 401 and 403 as RFC 6750 has them.
pub async fn list(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Fault> {
    let subject = match subject(&state, &headers).await? {
        Ok(subject) => subject,
        Err(refused) => return Ok(refused),
    };
    let cases = state.engine.cases(&subject).await?;
    let cases: Vec<Value> = cases.iter().map(line).collect();
    Ok(Json(json!({ "cases": cases })).into_response())
}

/// `GET /api/cases/{number}`.
///
/// # Errors
/// As [`list`]; 404 for a case that is another's.
pub async fn one(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let subject = match subject(&state, &headers).await? {
        Ok(subject) => subject,
        Err(refused) => return Ok(refused),
    };
    let case = state.engine.case(&subject, &number).await?;
    Ok(Json(whole(&case)).into_response())
}
