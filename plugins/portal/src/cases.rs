//! My cases: the list, one case with its timeline, and what its applicant may do.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawForm, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use plugins_engine::view::{CaseView, TimelineRow};

use crate::fault::Fault;
use crate::frame::{self, Frame};
use crate::labels::{self, Due, Line};
use crate::progress::{self, Progress};
use crate::session::Visitor;
use crate::shown::{self, Instant};
use crate::{State, posted, signin};

/// How long after coming back from the bank the page looks again by itself, milliseconds.
const WATCHED: i64 = 90_000;

/// One line of the timeline.
#[derive(Debug)]
pub struct Row {
    /// Kind of the contract.
    pub kind: String,
    /// What it is called.
    pub label: String,
    /// When.
    pub at: Instant,
    /// Who did it.
    pub actor: String,
    /// Reasons, places, faults.
    pub sentences: Vec<String>,
    /// Whether it went wrong.
    pub wrong: bool,
}

/// A fee that waits, with the signed fields that the browser carries to the bank.
#[derive(Debug)]
struct Pay {
    amount: String,
    basis: String,
    started: bool,
    fields: Vec<(String, String)>,
}

/// A file that was handed in.
#[derive(Debug)]
pub struct File {
    /// Id for fetching it.
    pub id: String,
    /// As its owner called it.
    pub name: String,
    /// Size, KB.
    pub kilobytes: i64,
}

#[derive(Template)]
#[template(path = "cases.html")]
struct Cases<'a> {
    shell: &'a Frame,
    cases: Vec<Line>,
}

#[derive(Template)]
#[template(path = "case.html")]
struct Case<'a> {
    shell: &'a Frame,
    line: Line,
    progress: Progress,
    dues: Vec<Due>,
    suspended: Option<String>,
    rows: Vec<Row>,
    pay: Option<Pay>,
    corrections: Vec<String>,
    can_correct: bool,
    can_withdraw: bool,
    refund_follows: bool,
    can_rate: bool,
    rating: Option<String>,
    parcel: Option<String>,
    documents: Vec<(String, Instant)>,
    files: Vec<File>,
}

/// The citizen who is signed in, else the redirect to sign in and come back.
///
/// # Errors
/// 403 for a member of staff, who has no cases here.
pub(crate) fn applicant(frame: &Frame) -> Result<Result<&Visitor, Response>, Fault> {
    match &frame.visitor {
        None => {
            let to = signin::address(&frame.here, 0);
            Ok(Err(Redirect::to(&to).into_response()))
        }
        Some(visitor) if visitor.staff.is_some() => {
            Err(Fault::new(StatusCode::FORBIDDEN, "not-citizen"))
        }
        Some(visitor) => Ok(Ok(visitor)),
    }
}

/// Who sent a form: a citizen; a stranger is told that the session ended.
pub(crate) fn sender(frame: &Frame) -> Result<&Visitor, Fault> {
    match &frame.visitor {
        None => Err(Fault::new(StatusCode::UNAUTHORIZED, "signed-out")),
        Some(visitor) if visitor.staff.is_some() => {
            Err(Fault::new(StatusCode::FORBIDDEN, "not-citizen"))
        }
        Some(visitor) => Ok(visitor),
    }
}

/// `GET /cases`.
///
/// # Errors
/// A [`Fault`] if the database fails.
pub async fn list(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
) -> Result<Response, Fault> {
    let visitor = match applicant(&frame)? {
        Ok(visitor) => visitor,
        Err(signin) => return Ok(signin),
    };
    let now = state.ambient.now();
    let cases = state.engine.cases(&visitor.subject).await?;
    let cases = cases.iter().map(|case| labels::line(&frame, case, now)).collect();
    frame.page(StatusCode::OK, &Cases { shell: &frame, cases })
}

/// `GET /cases/{number}`.
///
/// # Errors
/// 404 for a case that is not there or not hers.
pub async fn show(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let visitor = match applicant(&frame)? {
        Ok(visitor) => visitor,
        Err(signin) => return Ok(signin),
    };
    let case = state.engine.case(&visitor.subject, &number).await?;
    let mut response = frame.page(StatusCode::OK, &page(&frame, &case, state.ambient.now()))?;
    if case.payment.is_some() {
        // Only here may a form lead to the bank, and only while a fee is due.
        let policy = frame::policy(&state, &[&state.settings.gateway_origin]);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let paid = case.payment.as_ref().is_some_and(|payment| payment.started);
    if paid && state.ambient.now() - case.line.changed_at < WATCHED {
        // The bank's word is under way: she need not reload by hand. Not for ever, though.
        response.headers_mut().insert(header::REFRESH, http::HeaderValue::from_static("5"));
    }
    Ok(response)
}

fn page<'a>(frame: &'a Frame, case: &CaseView, now: i64) -> Case<'a> {
    let can = |action: &str| case.actions.iter().any(|known| known == action);
    let pay = case.payment.as_ref().filter(|_| can("pay")).map(|payment| Pay {
        amount: shown::money(payment.minor, frame.lang),
        basis: payment.basis.clone(),
        started: payment.started,
        fields: payment.fields.clone(),
    });
    let mut rows: Vec<Row> = case.timeline.iter().map(|row| timeline(frame, row)).collect();
    // The newest first: that is what one comes to look for.
    rows.reverse();
    Case {
        shell: frame,
        line: labels::line(frame, &case.line, now),
        progress: progress::of(frame, &case.line, &case.timeline),
        dues: labels::dues(frame, case, now),
        suspended: case.due.suspended.clone(),
        rows,
        pay,
        corrections: sentences(frame, &case.corrections),
        can_correct: can("correct"),
        can_withdraw: can("withdraw"),
        refund_follows: matches!(case.line.state.as_str(), "paid" | "review" | "special_procedure"),
        can_rate: can("rate"),
        rating: case.rating.map(|stars| frame.t(&format!("rating-{}", stars.clamp(1, 5)))),
        parcel: case.parcel.clone(),
        documents: case
            .documents
            .iter()
            .map(|document| (document.number.clone(), shown::instant(document.at)))
            .collect(),
        files: files(case),
    }
}

/// The files of a case.
pub(crate) fn files(case: &CaseView) -> Vec<File> {
    let file = |one: &plugins_engine::view::MaterialView| File {
        id: one.id.clone(),
        name: one.file_name.clone(),
        kilobytes: (one.size + 1023) / 1024,
    };
    case.materials.iter().map(file).collect()
}

pub(crate) fn sentences(frame: &Frame, problems: &[plugins_hall::call::Problem]) -> Vec<String> {
    problems.iter().map(|problem| frame.lang.pick(&problem.detail).into_owned()).collect()
}

/// A row of the timeline as shown.
pub(crate) fn timeline(frame: &Frame, row: &TimelineRow) -> Row {
    let wrong = ["payment.failed", "decision.refused", "case.rejected", "express.problem"];
    let actor = frame.lang.find(&format!("actor-{}", row.actor)).unwrap_or_default();
    Row {
        label: labels::event(frame, &row.kind),
        at: shown::instant(row.at),
        actor,
        sentences: row.text.iter().map(|text| frame.lang.pick(text).into_owned()).collect(),
        wrong: wrong.contains(&row.kind.as_str()) || row.kind == "signal.red",
        kind: row.kind.clone(),
    }
}

fn back(number: &str) -> Response {
    Redirect::to(&format!("/cases/{}", crate::local::query(number))).into_response()
}

/// `POST /cases/{number}/withdraw`.
///
/// # Errors
/// 409 after the decision.
pub async fn withdraw(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let visitor = sender(&frame)?;
    state.engine.withdraw(&visitor.subject, &number).await?;
    Ok(back(&number))
}

/// `POST /cases/{number}/rate`: five levels, once.
///
/// # Errors
/// 422 for a rating that is none, 409 for a second one.
pub async fn rate(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
    RawForm(body): RawForm,
) -> Result<Response, Fault> {
    let visitor = sender(&frame)?;
    let refused = || Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "rating");
    let (mut stars, mut comment) = (0_u8, String::new());
    for (name, value) in posted::fields(&body)? {
        match name.as_str() {
            "rating" => stars = value.parse().map_err(|_| refused())?,
            "comment" => comment = value.trim().chars().take(1_000).collect(),
            _ => {}
        }
    }
    if !(1..=5).contains(&stars) {
        return Err(refused());
    }
    let comment = Some(comment).filter(|comment| !comment.is_empty());
    state.engine.rate(&visitor.subject, &number, stars, comment).await?;
    Ok(back(&number))
}

/// `GET /cases/{number}/materials/{id}`: a file that she handed in.
///
/// # Errors
/// 404 for a file that is not hers.
pub async fn material(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path((_number, id)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let visitor = match applicant(&frame)? {
        Ok(visitor) => visitor,
        Err(signin) => return Ok(signin),
    };
    let (kind, bytes) = state.engine.material(&visitor.subject, &id).await?;
    Ok(served(&kind, bytes))
}

/// A material as an answer: its type was found by decoding and is believed, nothing else is run.
pub(crate) fn served(kind: &str, bytes: Vec<u8>) -> Response {
    let kind = match kind {
        "image/jpeg" | "image/png" | "application/pdf" => kind,
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, "inline"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ];
    (headers, bytes).into_response()
}
