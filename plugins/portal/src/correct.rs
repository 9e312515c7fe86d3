//! Handing in what was missing: the form again as it was submitted, with what has to be mended.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use plugins_engine::EngineError;
use plugins_engine::view::{CaseView, FormView};
use plugins_hall::form::gather;

use crate::apply::{self, Apply};
use crate::fault::Fault;
use crate::fields::{self, Filling};
use crate::frame::Frame;
use crate::{State, cases, signin, upload};

fn page<'a>(frame: &'a Frame, case: &CaseView, form: &FormView, filling: &Filling) -> Apply<'a> {
    Apply {
        shell: frame,
        title: frame.lang.pick(&case.line.title).into_owned(),
        action: format!("/cases/{}/correct", case.line.number),
        back: format!("/cases/{}", case.line.number),
        transaction: String::new(),
        saved: false,
        correction: true,
        level_text: String::new(),
        fees: Vec::new(),
        form: fields::build(&form.schema, filling, frame.lang),
    }
}

/// `GET /cases/{number}/correct`.
///
/// # Errors
/// 404 for a case that is not hers, 409 if nothing was asked.
pub async fn show(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
) -> Result<Response, Fault> {
    let visitor = match cases::applicant(&frame)? {
        Ok(visitor) => visitor,
        Err(signin) => return Ok(signin),
    };
    let case = state.engine.case(&visitor.subject, &number).await?;
    if !case.actions.iter().any(|action| action == "correct") {
        return Err(Fault::new(StatusCode::CONFLICT, "conflict"));
    }
    let who = apply::citizen(&frame, visitor)?;
    let form = match state.engine.form(&who, &case.line.item).await {
        Ok(form) => form,
        Err(EngineError::Level(level)) => {
            return Ok(Redirect::to(&signin::address(&frame.here, level)).into_response());
        }
        Err(cause) => return Err(cause.into()),
    };
    let filling = Filling {
        values: apply::typed(&form.schema, &case.form),
        kept: apply::kept(&case.materials),
        errors: apply::errors(&frame, &case.corrections),
    };
    frame.page(StatusCode::OK, &page(&frame, &case, &form, &filling))
}

/// `POST /cases/{number}/correct`.
///
/// # Errors
/// 404, 409, 413, 415; 503 while the plugin does not answer.
pub async fn act(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let sent = upload::read(request).await?;
    let Some(visitor) = &frame.visitor else {
        return apply::again(&frame, &format!("/cases/{number}/correct"), 0, sent);
    };
    let who = apply::citizen(&frame, visitor)?;
    let case = state.engine.case(&visitor.subject, &number).await?;
    let form = state.engine.form(&who, &case.line.item).await?;
    let data = gather(&form.schema, &sent.values);
    let (values, mut errors) = (sent.values.clone(), apply::oversized(&frame, &sent));
    if errors.is_empty() {
        match state.engine.correct(&who, &number, data, apply::uploads(sent)).await {
            Ok(problems) if problems.is_empty() => {
                return Ok(Redirect::to(&format!("/cases/{}", case.line.number)).into_response());
            }
            Ok(problems) => errors = apply::errors(&frame, &problems),
            Err(EngineError::Refused(problem)) => errors = apply::errors(&frame, &[problem]),
            Err(cause) => return Err(cause.into()),
        }
    }
    refused(&frame, &case, &form, values, errors)
}

fn refused(
    frame: &Frame,
    case: &CaseView,
    form: &FormView,
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, Vec<String>>,
) -> Result<Response, Fault> {
    let filling = Filling { values, kept: apply::kept(&case.materials), errors };
    frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page(frame, case, form, &filling))
}
