//! `GET /api/cases`: a partner's view of the citizen's cases, as the citizen consented (scope
//! `cases`, or authorization details that name some of them): where they stand, not what was written
//! in them.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use plugins_engine::EngineError;
use plugins_engine::view::{CaseLine, CaseView};
use plugins_hall::port::{BearerCall, BearerRefused, CasesOpened, PortError, Shown};
use serde_json::{Value, json};

use crate::State;
use crate::fault::Fault;

/// RFC 6750 §3.1: a call without a token is told the schemes and no error.
const SCHEMES: [&str; 2] = [
    "Bearer realm=\"tongban\", scope=\"cases\"",
    "DPoP realm=\"tongban\", scope=\"cases\", algs=\"ES256 PS256 EdDSA\"",
];

fn strange() -> Response {
    let body = Json(json!({ "error": "invalid_request" }));
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    for scheme in SCHEMES {
        response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    response
}

/// RFC 6750 §3.1, RFC 9449 §7.1: why the call was refused.
fn refused(refusal: &BearerRefused) -> Response {
    let status = match refusal.code {
        "insufficient_scope" => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut response = (status, Json(json!({ "error": refusal.code }))).into_response();
    for (name, value) in &refusal.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(*name, value);
        }
    }
    response
}

/// A call as it came; none without an access token.
pub struct Call(Option<BearerCall>);

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let authorization = parts.headers.get(header::AUTHORIZATION).map(text);
        // RFC 9110 §11.1: the scheme's name in any case.
        let scheme = |value: &String| {
            let name = value.split(' ').next().unwrap_or_default();
            name.eq_ignore_ascii_case("bearer") || name.eq_ignore_ascii_case("dpop")
        };
        Ok(Self(authorization.filter(scheme).map(|authorization| BearerCall {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            authorization,
            proofs: parts.headers.get_all("dpop").iter().map(text).collect(),
            certificate: parts.extensions.get::<Shown>().cloned(),
        })))
    }
}

type Opened = Result<Option<CasesOpened>, Response>;

async fn opened(state: &State, call: &Call) -> Result<Opened, Fault> {
    let Some(call) = &call.0 else { return Ok(Err(strange())) };
    let asked = state.bearers.cases(call).await;
    let busy = |cause: PortError| {
        Fault::caused(StatusCode::SERVICE_UNAVAILABLE, "busy", format!("{cause}: {}", cause.cause))
    };
    let answer = asked.map_err(busy)?;
    Ok(answer.map_err(|refusal| refused(&refusal)))
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
pub async fn list(Shared(state): Shared<State>, call: Call) -> Result<Response, Fault> {
    let opened = match opened(&state, &call).await? {
        Ok(opened) => opened,
        Err(refused) => return Ok(refused),
    };
    // A partner that acts for itself has nobody's cases.
    let Some(opened) = opened else { return Ok(Json(json!({ "cases": [] })).into_response()) };
    let cases = state.engine.cases(&opened.subject).await?;
    let open = cases.iter().filter(|case| opened.opens(&case.item, &case.number));
    let cases: Vec<Value> = open.map(line).collect();
    Ok(Json(json!({ "cases": cases })).into_response())
}

/// `GET /api/cases/{number}`.
///
/// # Errors
/// As [`list`]; 404 for a case that is another's or was not named.
pub async fn one(
    Shared(state): Shared<State>,
    call: Call,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let opened = match opened(&state, &call).await? {
        Ok(opened) => opened,
        Err(refused) => return Ok(refused),
    };
    let opened = opened.ok_or_else(Fault::missing)?;
    let case = state.engine.case(&opened.subject, &number).await?;
    // RFC 9396 §9: what was not allowed is, to the partner, not there.
    if !opened.opens(&case.line.item, &case.line.number) {
        return Err(EngineError::NotFound.into());
    }
    Ok(Json(whole(&case)).into_response())
}
