//! The officer's desk: what waits, most urgent first; one case with everything that a decision
//! needs; the decision.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, RawForm, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use plugins_engine::view::{CaseLine, CaseView, Decision, DeskFilter, Officer};
use serde::Deserialize;

use crate::cases::{self, File, Row};
use crate::fault::Fault;
use crate::frame::Frame;
use crate::labels::{self, Due, Line};
use crate::{State, apply, fields, items, local, posted, signin};

/// Query of the inbox.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// Only this state.
    pub state: Option<String>,
    /// Only this item.
    pub item: Option<String>,
    /// Only this signal.
    pub signal: Option<String>,
    /// Also what waits for nobody here.
    pub all: Option<String>,
}

/// A choice of a filter: value, text, chosen.
type Choice = (String, String, bool);

#[derive(Template)]
#[template(path = "desk.html")]
struct Inbox<'a> {
    shell: &'a Frame,
    cases: Vec<Line>,
    states: Vec<Choice>,
    items: Vec<Choice>,
    signals: Vec<Choice>,
    all: bool,
    counts: Vec<(&'static str, String, usize)>,
}

#[derive(Template)]
#[template(path = "desk_case.html")]
struct DeskCase<'a> {
    shell: &'a Frame,
    line: Line,
    seq: i64,
    dues: Vec<Due>,
    suspended: Option<String>,
    applicant: Vec<(String, String)>,
    answers: Vec<(String, String)>,
    files: Vec<File>,
    rows: Vec<Row>,
    decisions: Vec<(&'static str, &'static str)>,
    reasons: String,
    error: Option<String>,
}

/// The officer who is signed in, or where to sign in as one.
fn officer(frame: &Frame) -> Result<Result<Officer, Response>, Fault> {
    let staff = frame.visitor.as_ref().map(|visitor| visitor.staff.as_ref());
    match staff {
        Some(Some(staff)) => Ok(Ok(Officer {
            id: staff.id.clone(),
            name: staff.name.clone(),
            role: staff.role.clone(),
        })),
        // A citizen stays one: signing in as staff means signing out first.
        Some(None) => Err(Fault::new(StatusCode::FORBIDDEN, "not-staff")),
        None => {
            let to = signin::address(&frame.here, 0);
            Ok(Err(Redirect::to(&to).into_response()))
        }
    }
}

/// How urgent a case is: signal first, then the promised end, then age.
fn urgency(case: &CaseLine) -> (u8, i64, i64) {
    let signal = match case.signal.as_deref() {
        Some("red") => 0,
        Some("yellow") => 1,
        Some("blue") => 2,
        _ => 3,
    };
    (signal, case.promised_due.unwrap_or(i64::MAX), case.opened_at)
}

fn some(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && text.len() < 80).cloned()
}

/// `GET /desk`.
///
/// # Errors
/// 403 for a citizen.
pub async fn inbox(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    let officer = match officer(&frame)? {
        Ok(officer) => officer,
        Err(signin) => return Ok(signin),
    };
    let filter = DeskFilter {
        state: some(wanted.state.as_ref()),
        item: some(wanted.item.as_ref()),
        all: wanted.all.is_some(),
    };
    let mut cases = state.engine.inbox(&officer, filter).await?;
    let count = |name: &str| cases.iter().filter(|c| c.signal.as_deref() == Some(name)).count();
    let counts = ["red", "yellow", "blue"]
        .map(|name| (name, frame.t(&format!("signal-{name}")), count(name)))
        .to_vec();
    if let Some(signal) = some(wanted.signal.as_ref()) {
        cases.retain(|case| case.signal.as_deref() == Some(&signal));
    }
    cases.sort_by_key(urgency);
    let now = state.ambient.now();
    let chosen = |value: &str, wish: Option<&String>| wish.is_some_and(|wish| wish == value);
    let states = ["submitted", "precheck", "correction", "fee_due", "review", "special_procedure"];
    let states = states.map(|name| {
        (name.to_owned(), labels::state(&frame, name), chosen(name, wanted.state.as_ref()))
    });
    let signals = ["red", "yellow", "blue"].map(|name| {
        let label = frame.t(&format!("signal-{name}"));
        (name.to_owned(), label, chosen(name, wanted.signal.as_ref()))
    });
    let items = state.catalogue.items().iter().map(|item| {
        let title = frame.lang.pick(&item.title).into_owned();
        (item.code.clone(), title, chosen(&item.code, wanted.item.as_ref()))
    });
    let page = Inbox {
        shell: &frame,
        cases: cases.iter().map(|case| labels::line(&frame, case, now)).collect(),
        states: states.to_vec(),
        signals: signals.to_vec(),
        items: items.collect(),
        all: wanted.all.is_some(),
        counts,
    };
    frame.page(StatusCode::OK, &page)
}

/// `GET /desk/{number}`: the look is a line in the applicant's audit trail.
///
/// # Errors
/// 404 for a case that is not there, 403 for a citizen.
pub async fn show(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let officer = match officer(&frame)? {
        Ok(officer) => officer,
        Err(signin) => return Ok(signin),
    };
    let case = state.engine.desk_case(&officer, &number).await?;
    let page = page(&state, &frame, &case, String::new(), None).await;
    frame.page(StatusCode::OK, &page)
}

async fn page<'a>(
    state: &State,
    frame: &'a Frame,
    case: &CaseView,
    reasons: String,
    error: Option<String>,
) -> DeskCase<'a> {
    let now = state.ambient.now();
    let known = [
        ("approve", "button-primary"),
        ("correct", ""),
        ("suspend", ""),
        ("resume", ""),
        ("extend", ""),
        ("taken", "button-primary"),
        ("refuse", "button-danger"),
    ];
    let schema = items::blank(state, &case.line.item).await.unwrap_or_default();
    let mut rows: Vec<Row> = case.timeline.iter().map(|row| cases::timeline(frame, row)).collect();
    rows.reverse();
    DeskCase {
        shell: frame,
        line: labels::line(frame, &case.line, now),
        seq: case.seq,
        dues: labels::dues(frame, case, now),
        suspended: case.due.suspended.clone(),
        applicant: applicant(frame, case),
        answers: apply::answers(frame, &schema, &case.form),
        files: cases::files(case),
        rows,
        decisions: known
            .into_iter()
            .filter(|(name, _)| case.actions.iter().any(|action| action == name))
            .collect(),
        reasons,
        error,
    }
}

/// Who applies, in the words of the page.
fn applicant(frame: &Frame, case: &CaseView) -> Vec<(String, String)> {
    let shown = ["name", "sex", "birth_date", "number_masked"].into_iter().filter_map(|name| {
        let value = case.applicant.get(name)?;
        Some((frame.tk("fact", name.replace('_', "-")), fields::fact(name, value, frame.lang)))
    });
    shown.collect()
}

fn decision(name: &str) -> Option<Decision> {
    Some(match name {
        "approve" => Decision::Approve,
        "correct" => Decision::Correct,
        "refuse" => Decision::Refuse,
        "suspend" => Decision::Suspend,
        "resume" => Decision::Resume,
        "extend" => Decision::Extend,
        "taken" => Decision::Taken,
        _ => return None,
    })
}

/// `POST /desk/{number}`: decides about the case as the officer saw it.
///
/// # Errors
/// 409 if it moved on in between; 422 for a decision that needs reasons and has none.
pub async fn decide(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
    RawForm(body): RawForm,
) -> Result<Response, Fault> {
    let officer = match officer(&frame)? {
        Ok(officer) => officer,
        Err(_) => return Err(Fault::new(StatusCode::UNAUTHORIZED, "signed-out")),
    };
    let (mut name, mut reasons, mut seq) = (String::new(), String::new(), None);
    for (key, value) in posted::fields(&body)? {
        match key.as_str() {
            "decision" => name = value,
            "reasons" => reasons = value.trim().chars().take(4_000).collect(),
            "seq" => seq = value.parse().ok(),
            _ => {}
        }
    }
    let decision = decision(&name).ok_or_else(Fault::garbled)?;
    // A refusal without reasons is unlawful (许可法 art. 38); whoever must act on a decision must
    // know why.
    let why = !matches!(decision, Decision::Approve | Decision::Resume | Decision::Taken);
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    let outcome = if why && reasons.is_empty() {
        Some(frame.t("desk-reasons-missing"))
    } else {
        match state.engine.decide(&officer, &number, seq, decision, &reasons).await {
            Ok(()) => None,
            Err(plugins_engine::EngineError::Refused(problem)) => {
                Some(frame.lang.pick(&problem.detail).into_owned())
            }
            // What was typed stays, beside the case as it stands now.
            Err(plugins_engine::EngineError::Conflict) => {
                status = StatusCode::CONFLICT;
                Some(frame.t("desk-moved"))
            }
            Err(cause) => return Err(cause.into()),
        }
    };
    let Some(error) = outcome else {
        let to = format!("/desk/{}", local::query(&number));
        return Ok(Redirect::to(&to).into_response());
    };
    let case = state.engine.desk_case(&officer, &number).await?;
    let page = page(&state, &frame, &case, reasons, Some(error)).await;
    frame.page(status, &page)
}

/// `GET /desk/{number}/materials/{id}`: the look is a line in the applicant's audit trail.
///
/// # Errors
/// 404 for a file of another case.
pub async fn material(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path((number, id)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let officer = match officer(&frame)? {
        Ok(officer) => officer,
        Err(signin) => return Ok(signin),
    };
    let (kind, bytes) = state.engine.desk_material(&officer, &number, &id).await?;
    Ok(cases::served(&kind, bytes))
}

#[derive(Template)]
#[template(path = "supervision.html")]
struct Board<'a> {
    shell: &'a Frame,
    signals: Vec<Line>,
    counts: Vec<(String, String, &'static str, i64)>,
    ratings: Vec<(String, i64, String)>,
    outbox: Vec<(String, String, i64)>,
}

/// `GET /supervision`: what is late, how many cases stand where, how people rated.
///
/// # Errors
/// 403 for a citizen.
pub async fn supervision(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
) -> Result<Response, Fault> {
    if let Err(signin) = officer(&frame)? {
        return Ok(signin);
    }
    let view = state.engine.supervision().await?;
    let now = state.ambient.now();
    let title = |code: &str| {
        let item = state.catalogue.find(code);
        item.map_or_else(|| code.to_owned(), |item| frame.lang.pick(&item.title).into_owned())
    };
    let mean = |number: i64, sum: i64| {
        let tenths = if number > 0 { sum * 10 / number } else { 0 };
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    let page = Board {
        shell: &frame,
        signals: view.signals.iter().map(|case| labels::line(&frame, case, now)).collect(),
        counts: view
            .counts
            .iter()
            .map(|(item, name, n)| {
                (title(item), labels::state(&frame, name), labels::badge(name), *n)
            })
            .collect(),
        ratings: view
            .ratings
            .iter()
            .map(|(item, n, sum)| (title(item), *n, mean(*n, *sum)))
            .collect(),
        outbox: view.outbox,
    };
    frame.page(StatusCode::OK, &page)
}
