//! The demo's partner sites: relying parties as any partner would write them, with a stock library
//! and nothing that only we could know.

mod page;
mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::net::TcpListener;

pub use provider::Visitor;
use provider::{Pending, Provider};

/// Visitors and sign-ins under way that a partner remembers at most.
const MOST: usize = 10_000;

/// Who a partner is.
#[derive(Clone)]
pub struct Settings {
    /// Name on its pages.
    pub name: String,
    /// The same in English.
    pub name_en: String,
    /// Its own public address, such as `http://localhost:8081`.
    pub address: String,
    /// The provider.
    pub issuer: String,
    /// Its registration.
    pub client_id: String,
    /// Its registration.
    pub client_secret: String,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
}

struct Site {
    settings: Settings,
    provider: Provider,
    pending: Mutex<HashMap<String, Pending>>,
    visitors: Mutex<HashMap<String, Visitor>>,
}

type Shared = State<Arc<Site>>;

/// Serves the site until the listener fails.
///
/// # Errors
/// As the listener says, or if no HTTP client can be made.
pub async fn serve(settings: Settings, listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, router(settings)?).await
}

/// The site's routes.
///
/// # Errors
/// If no HTTP client can be made.
pub fn router(settings: Settings) -> std::io::Result<Router> {
    let provider = Provider::new(settings.clone()).map_err(std::io::Error::other)?;
    let site = Site { settings, provider, pending: Mutex::default(), visitors: Mutex::default() };
    Ok(Router::new()
        .route("/", get(home))
        .route("/signin", get(signin))
        .route("/callback", get(callback))
        .route("/signout", post(signout).get(signout))
        .route("/style.css", get(style))
        .with_state(Arc::new(site)))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css")], page::STYLE).into_response()
}

fn cookie_name(site: &Site) -> String {
    let port = site.settings.address.rsplit(':').next().unwrap_or_default();
    format!("partner_{}", port.trim_end_matches('/'))
}

fn cookie(site: &Site, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(site);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then(|| value.to_owned()))
}

fn visitor(site: &Site, headers: &HeaderMap) -> Option<Visitor> {
    let id = cookie(site, headers)?;
    site.visitors.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
}

fn english(headers: &HeaderMap, query: &HashMap<String, String>) -> bool {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let wanted = query.get("lang").map(String::as_str).or(accepted).unwrap_or_default();
    wanted.starts_with("en")
}

async fn home(
    State(site): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Html<String> {
    let visitor = visitor(&site, &headers);
    Html(page::home(&site.settings, visitor.as_ref(), english(&headers, &query)))
}

async fn signin(
    State(site): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match site.provider.begin(english(&headers, &query)).await {
        Ok((address, state, pending)) => {
            let mut open = site.pending.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|_, pending| pending.open());
            if open.len() >= MOST {
                open.clear();
            }
            open.insert(state.clone(), pending);
            let mut response = Redirect::to(&address).into_response();
            // Binds the answer to this browser.
            set_cookie(&mut response, &format!("{}_state", cookie_name(&site)), &state);
            response
        }
        Err(cause) => trouble(&site, StatusCode::BAD_GATEWAY, &cause),
    }
}

fn set_cookie(response: &mut Response, name: &str, value: &str) {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn trouble(site: &Site, status: StatusCode, sentence: &str) -> Response {
    (status, Html(page::trouble(&site.settings, sentence))).into_response()
}

async fn callback(
    State(site): Shared,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let state = query.get("state").cloned().unwrap_or_default();
    let bound = headers
        .get(header::COOKIE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|line| line.contains(&format!("{}_state={state}", cookie_name(&site))));
    let pending = site.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&state);
    let Some(pending) = pending.filter(|pending| bound && pending.open()) else {
        return trouble(&site, StatusCode::BAD_REQUEST, "state: this sign-in was not begun here");
    };
    if let Some(error) = query.get("error") {
        return trouble(&site, StatusCode::FORBIDDEN, error);
    }
    let code = query.get("code").cloned().unwrap_or_default();
    match site.provider.finish(pending, code, query.get("iss").map(String::as_str)).await {
        Ok(visitor) => {
            let id = provider::random();
            let mut known = site.visitors.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(id.clone(), visitor);
            let mut response = Redirect::to("/").into_response();
            set_cookie(&mut response, &cookie_name(&site), &id);
            set_cookie(&mut response, &format!("{}_state", cookie_name(&site)), "");
            response
        }
        Err(cause) => trouble(&site, StatusCode::BAD_GATEWAY, &cause),
    }
}

/// Ends the local session, then the provider's (RP-Initiated Logout §2).
async fn signout(State(site): Shared, headers: HeaderMap) -> Response {
    let known = cookie(&site, &headers)
        .and_then(|id| site.visitors.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
    let target = match known {
        Some(visitor) => site.provider.way_out(&visitor).await,
        None => "/".to_owned(),
    };
    let mut response = Redirect::to(&target).into_response();
    set_cookie(&mut response, &cookie_name(&site), "");
    response
}
