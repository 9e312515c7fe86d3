//! Applying: the plugin's form with what is known already, what is asked, and the materials.
//!
//! Nothing typed is ever lost: a refused form comes back filled, uploads stay where they are, a
//! level that is too low or a session that ended is mended without a word being typed twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Request, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use plugins_engine::EngineError;
use plugins_engine::view::{
    Citizen, DraftView, FormView, MaterialView, Submission, Submitted, Upload,
};
use plugins_hall::call::Problem;
use plugins_hall::form::{gather, get, text};
use serde_json::Value;

use crate::fault::Fault;
use crate::fields::{self, Filling, Form};
use crate::frame::Frame;
use crate::session::Visitor;
use crate::upload::{self, Sent};
use crate::{State, guide, items, signin};

#[derive(Template)]
#[template(path = "apply.html")]
pub(crate) struct Apply<'a> {
    pub(crate) shell: &'a Frame,
    pub(crate) title: String,
    pub(crate) action: String,
    pub(crate) back: String,
    pub(crate) transaction: String,
    pub(crate) saved: bool,
    pub(crate) correction: bool,
    pub(crate) level_text: String,
    pub(crate) fees: Vec<String>,
    pub(crate) form: Form,
}

#[derive(Template)]
#[template(path = "again.html")]
struct Again<'a> {
    shell: &'a Frame,
    action: String,
    signin: String,
    values: Vec<(String, String)>,
}

/// Who applies: a citizen, as the engine knows them. A member of staff is none.
///
/// # Errors
/// 403 for a member of staff.
pub fn citizen(frame: &Frame, visitor: &Visitor) -> Result<Citizen, Fault> {
    if visitor.staff.is_some() {
        return Err(Fault::new(StatusCode::FORBIDDEN, "not-citizen"));
    }
    Ok(Citizen {
        subject: visitor.subject.clone(),
        proofing: visitor.proofing,
        auth: visitor.auth,
        lang: frame.lang.tag().to_owned(),
    })
}

fn address(code: &str) -> String {
    format!("/items/{code}/apply")
}

/// `GET /items/{code}/apply`: the form. A stranger signs in at the level that the item needs, in one
/// redirect.
///
/// # Errors
/// 404 for an unknown item, 503 while its plugin does not answer.
pub async fn show(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(code): Path<String>,
) -> Result<Response, Fault> {
    let item = items::find(&state, &code)?;
    let here = address(&item.code);
    let Some(visitor) = &frame.visitor else {
        return Ok(Redirect::to(&signin::address(&here, item.level)).into_response());
    };
    let who = citizen(&frame, visitor)?;
    let form = match state.engine.form(&who, &item.code).await {
        Ok(form) => form,
        // A level is asked for before anything is typed.
        Err(EngineError::Level(level)) => {
            return Ok(Redirect::to(&signin::address(&here, level)).into_response());
        }
        Err(cause) => return Err(cause.into()),
    };
    let (filling, transaction) = drafted(&state, &form);
    let saved = form.draft.is_some();
    let page = page(&state, &frame, &form, &filling, transaction, saved)?;
    frame.page(StatusCode::OK, &page)
}

/// What a draft fills in, and the transaction that it began.
fn drafted(state: &State, form: &FormView) -> (Filling, String) {
    match &form.draft {
        Some(draft) => (filling_of(&form.schema, draft), draft.transaction.clone()),
        None => (Filling::default(), state.ambient.id()),
    }
}

fn filling_of(schema: &Value, draft: &DraftView) -> Filling {
    Filling {
        values: typed(schema, &draft.form),
        kept: kept(&draft.materials),
        errors: BTreeMap::new(),
    }
}

/// Values of a nested form by the dotted paths of its schema.
pub(crate) fn typed(schema: &Value, form: &Value) -> BTreeMap<String, String> {
    plugins_hall::form::fields(schema)
        .into_iter()
        .filter_map(|field| get(form, &field.path).map(|value| (field.path.clone(), text(value))))
        .collect()
}

pub(crate) fn kept(materials: &[MaterialView]) -> BTreeMap<String, String> {
    materials.iter().map(|one| (one.name.clone(), one.file_name.clone())).collect()
}

/// Faults by the path of their field, in the page's language.
pub(crate) fn errors(frame: &Frame, problems: &[Problem]) -> BTreeMap<String, Vec<String>> {
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in problems {
        let path = problem.field.clone().unwrap_or_default();
        // Why a file was refused says enough: that it is missing need not be said too.
        if path.starts_with("materials.") && errors.contains_key(&path) {
            continue;
        }
        errors.entry(path).or_default().push(frame.lang.pick(&problem.detail).into_owned());
    }
    errors
}

fn page<'a>(
    state: &State,
    frame: &'a Frame,
    form: &FormView,
    filling: &Filling,
    transaction: String,
    saved: bool,
) -> Result<Apply<'a>, Fault> {
    let item = items::find(state, &form.item)?;
    Ok(Apply {
        shell: frame,
        title: frame.lang.pick(&item.title).into_owned(),
        action: address(&item.code),
        back: format!("/items/{}", item.code),
        transaction,
        saved,
        correction: false,
        level_text: frame.tk("level", item.level.min(5)),
        fees: guide::fee(frame, item, state.ambient.now()),
        form: fields::build(&form.schema, filling, frame.lang),
    })
}

/// `POST /items/{code}/apply`: submit, or save for later.
///
/// # Errors
/// 404, 413, 415; 503 while the plugin does not answer.
pub async fn act(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(code): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let item = items::find(&state, &code)?;
    let sent = upload::read(request).await?;
    let Some(visitor) = &frame.visitor else {
        return again(&frame, &address(&item.code), item.level, sent);
    };
    let mut who = citizen(&frame, visitor)?;
    let low = who.proofing < item.level;
    // The schema is needed to read what was sent even if the level has sunk in between; what is
    // done with it is a draft only.
    who.proofing = who.proofing.max(item.level);
    let form = state.engine.form(&who, &item.code).await?;
    who.proofing = visitor.proofing;
    let data = gather(&form.schema, &sent.values);
    if low {
        state.engine.save_draft(&who, &item.code, data, uploads(sent)).await?;
        let to = signin::address(&address(&item.code), item.level);
        return Ok(Redirect::to(&to).into_response());
    }
    match sent.text("action") {
        "save" => save(&state, &frame, &who, &form, data, sent).await,
        "submit" => submit(&state, &frame, &who, &form, data, sent).await,
        _ => Err(Fault::garbled()),
    }
}

pub(crate) fn uploads(sent: Sent) -> Vec<Upload> {
    let upload = |file: upload::Arrived| Upload {
        name: file.material,
        file_name: file.file_name,
        bytes: file.content.to_vec(),
    };
    sent.files.into_iter().map(upload).collect()
}

/// Faults of files that were too large to be read at all.
pub(crate) fn oversized(frame: &Frame, sent: &Sent) -> BTreeMap<String, Vec<String>> {
    let sentence = frame.t("form-file-too-large");
    let paths = sent.oversized.iter().map(|name| format!("materials.{name}"));
    paths.map(|path| (path, vec![sentence.clone()])).collect()
}

async fn save(
    state: &State,
    frame: &Frame,
    who: &Citizen,
    form: &FormView,
    data: Value,
    sent: Sent,
) -> Result<Response, Fault> {
    let errors = oversized(frame, &sent);
    let values = sent.values.clone();
    match state.engine.save_draft(who, &form.item, data, uploads(sent)).await {
        Ok(_) if errors.is_empty() => {
            Ok(Redirect::to(&format!("{}?saved=1", address(&form.item))).into_response())
        }
        Ok(_) => refused(state, frame, who, form, values, errors).await,
        Err(EngineError::Refused(problem)) => {
            let errors = self::errors(frame, &[problem]);
            refused(state, frame, who, form, values, errors).await
        }
        Err(cause) => Err(cause.into()),
    }
}

async fn submit(
    state: &State,
    frame: &Frame,
    who: &Citizen,
    form: &FormView,
    data: Value,
    sent: Sent,
) -> Result<Response, Fault> {
    let mut errors = oversized(frame, &sent);
    let values = sent.values.clone();
    if !errors.is_empty() {
        // The other files and the typing are kept; only the one that is too large is asked again.
        let kept = state.engine.save_draft(who, &form.item, data, uploads(sent)).await;
        if let Err(EngineError::Refused(problem)) = kept {
            errors.extend(self::errors(frame, &[problem]));
        }
        return refused(state, frame, who, form, values, errors).await;
    }
    let transaction = sent.text("transaction").to_owned();
    let submission = Submission { transaction, form: data, uploads: uploads(sent) };
    match state.engine.submit(who, &form.item, submission).await {
        Ok(Submitted::Case(number)) => {
            Ok(Redirect::to(&format!("/cases/{number}")).into_response())
        }
        Ok(Submitted::Refused(problems)) => {
            let errors = self::errors(frame, &problems);
            refused(state, frame, who, form, values, errors).await
        }
        Err(EngineError::Refused(problem)) => {
            let errors = self::errors(frame, &[problem]);
            refused(state, frame, who, form, values, errors).await
        }
        Err(cause) => Err(cause.into()),
    }
}

/// The form again, filled as it was, with its faults.
async fn refused(
    state: &State,
    frame: &Frame,
    who: &Citizen,
    form: &FormView,
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, Vec<String>>,
) -> Result<Response, Fault> {
    let draft = state.engine.load_draft(who, &form.item).await?;
    let materials = draft.as_ref().map(|draft| kept(&draft.materials)).unwrap_or_default();
    let sent = values.get("transaction").cloned().unwrap_or_default();
    let transaction = draft.map_or(sent, |draft| draft.transaction);
    let filling = Filling { values, kept: materials, errors };
    let page = page(state, frame, form, &filling, transaction, false)?;
    frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The session ended while she typed: a page that holds the typing, a sign-in in another tab, and
/// a button that sends it again. Files have to be chosen again.
pub(crate) fn again(frame: &Frame, action: &str, level: u8, sent: Sent) -> Result<Response, Fault> {
    let page = Again {
        shell: frame,
        action: action.to_owned(),
        signin: signin::address("/cases", level),
        values: sent.values.into_iter().filter(|(name, _)| name != "action").collect(),
    };
    frame.page(StatusCode::UNAUTHORIZED, &page)
}

/// A submitted form as questions and answers, in the words of its schema.
pub(crate) fn answers(frame: &Frame, schema: &Value, data: &Value) -> Vec<(String, String)> {
    let filling = Filling { values: typed(schema, data), ..Filling::default() };
    let form = fields::build(schema, &filling, frame.lang);
    let asked = form.groups.into_iter().flat_map(|group| group.fields);
    form.verified
        .into_iter()
        .map(|field| {
            let value = get(data, &field.path).map(text);
            (field.label, value.unwrap_or(field.value))
        })
        .chain(asked.map(|field| {
            let chosen = field.options.iter().find(|(_, _, chosen)| *chosen);
            let value = chosen.map_or(field.value.clone(), |(_, text, _)| text.clone());
            let value = match (field.kind, value.as_str()) {
                ("check", "true") => frame.t("yes"),
                ("check", _) => frame.t("no"),
                _ => value,
            };
            (field.label, value)
        }))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
