//! The entrance, the list of services and the guide of each.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderValue, StatusCode, header};
use plugins_engine::view::{CaseLine, Citizen};
use plugins_hall::catalogue::Item;
use serde_json::{Value, json};

use crate::State;
use crate::fault::Fault;
use crate::frame::Frame;
use crate::guide::{self, Element};
use crate::labels::{self, Line};
use crate::lang::Lang;

/// An item as a tile.
#[derive(Debug)]
struct Tile {
    code: String,
    title: String,
    summary: String,
    available: bool,
    level: u8,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    shell: &'a Frame,
    tiles: Vec<Tile>,
    waiting: Vec<Line>,
    recent: Vec<Line>,
}

#[derive(Template)]
#[template(path = "items.html")]
struct Items<'a> {
    shell: &'a Frame,
    groups: Vec<(String, Vec<Tile>)>,
}

#[derive(Template)]
#[template(path = "item.html")]
struct Guide<'a> {
    shell: &'a Frame,
    code: String,
    title: String,
    summary: String,
    level: u8,
    level_text: String,
    available: bool,
    facts: Vec<Element>,
    elements: Vec<Element>,
}

/// The item of a code.
///
/// # Errors
/// 404 for an unknown code.
pub(crate) fn find<'s>(state: &'s State, code: &str) -> Result<&'s Item, Fault> {
    state.catalogue.find(code).ok_or_else(Fault::missing)
}

/// Whether a plugin serves the item now; where it does not, the guide stays and applying waits.
fn available(state: &State, code: &str) -> bool {
    state.engine.item(code).is_ok_and(|item| state.engine.serves(item))
}

fn tile(state: &State, frame: &Frame, item: &Item) -> Tile {
    Tile {
        code: item.code.clone(),
        title: frame.lang.pick(&item.title).into_owned(),
        summary: frame.lang.pick(&item.summary).into_owned(),
        available: available(state, &item.code),
        level: item.level,
    }
}

/// Whether a case waits for its applicant.
fn waits(line: &CaseLine) -> bool {
    matches!(line.state.as_str(), "fee_due" | "correction" | "draft" | "delivered")
}

/// `GET /`: services by what people have in mind, and one's own cases.
///
/// # Errors
/// A [`Fault`] if the database fails.
pub async fn home(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
) -> Result<Response, Fault> {
    let citizen = frame.visitor.as_ref().filter(|visitor| visitor.staff.is_none());
    let cases = match citizen {
        Some(visitor) => state.engine.cases(&visitor.subject).await?,
        None => Vec::new(),
    };
    let (waiting, recent): (Vec<_>, Vec<_>) = cases.into_iter().take(20).partition(waits);
    let now = state.ambient.now();
    let lines = |cases: Vec<CaseLine>| -> Vec<Line> {
        cases.iter().take(4).map(|case| labels::line(&frame, case, now)).collect()
    };
    let page = Home {
        shell: &frame,
        tiles: state.catalogue.items().iter().map(|item| tile(&state, &frame, item)).collect(),
        waiting: lines(waiting),
        recent: lines(recent),
    };
    frame.page(StatusCode::OK, &page)
}

/// `GET /items`: all services by department.
///
/// # Errors
/// A [`Fault`] if the page cannot be rendered.
pub async fn list(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
) -> Result<Response, Fault> {
    let mut groups: Vec<(String, Vec<Tile>)> = Vec::new();
    for item in state.catalogue.items() {
        let name = frame.lang.pick(&item.department).into_owned();
        let tile = tile(&state, &frame, item);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, tiles)) => tiles.push(tile),
            None => groups.push((name, vec![tile])),
        }
    }
    frame.page(StatusCode::OK, &Items { shell: &frame, groups })
}

/// `GET /items/{code}`: the guide with every published element.
///
/// # Errors
/// 404 for an unknown code.
pub async fn guide(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Path(code): Path<String>,
) -> Result<Response, Fault> {
    let item = find(&state, &code)?;
    // Long texts stand under a heading of their own, the rest together.
    let long = ["legal-basis", "conditions", "materials", "flow", "fee", "delivery"];
    let (mut elements, facts): (Vec<_>, Vec<_>) =
        guide::elements(frame.lang, item, state.ambient.now())
            .into_iter()
            .partition(|element| long.contains(&element.name));
    // What one asks first comes first: may I, what do I need, what does it cost, how does it go.
    let order = ["conditions", "materials", "fee", "flow", "delivery", "legal-basis"];
    elements.sort_by_key(|element| order.iter().position(|name| *name == element.name));
    let page = Guide {
        shell: &frame,
        title: frame.lang.pick(&item.title).into_owned(),
        summary: frame.lang.pick(&item.summary).into_owned(),
        level: item.level,
        level_text: frame.tk("level", item.level.min(5)),
        available: available(&state, &item.code),
        facts,
        elements,
        code: item.code.clone(),
    };
    frame.page(StatusCode::OK, &page)
}

/// `GET /api/items`: the catalogue as public JSON.
pub async fn api_list(Shared(state): Shared<State>) -> Response {
    let now = state.ambient.now();
    let one = |item: &Item| guide::json(item, now, available(&state, &item.code));
    let items: Vec<Value> = state.catalogue.items().iter().map(one).collect();
    public(json!({ "items": items }))
}

/// `GET /api/items/{code}`: one item with the JSON schema of its form.
///
/// # Errors
/// 404 for an unknown code, 503 while its plugin does not answer.
pub async fn api_one(
    Shared(state): Shared<State>,
    Path(code): Path<String>,
) -> Result<Response, Fault> {
    let item = find(&state, &code)?;
    let form = blank(&state, &item.code).await?;
    let mut body = guide::json(item, state.ambient.now(), true);
    if let Some(map) = body.as_object_mut() {
        map.insert("form".to_owned(), form);
    }
    Ok(public(body))
}

/// The form's schema as it is for nobody in particular: no fact is filled in.
///
/// # Errors
/// 503 while the item's plugin does not answer.
pub(crate) async fn blank(state: &State, code: &str) -> Result<Value, Fault> {
    let nobody = Citizen {
        subject: String::new(),
        proofing: 5,
        auth: 3,
        lang: Lang::default().tag().to_owned(),
    };
    Ok(state.engine.form(&nobody, code).await?.schema)
}

fn public(body: Value) -> Response {
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    // The catalogue is public: any site may read it.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
