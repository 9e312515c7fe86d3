//! Pages of the hall: citizen, officer's desk, supervision.
//!
//! The hall is a relying party of the provider like any partner. Pages are plain HTML that works
//! without script; every answer to a form is a redirect (303), except the one that hands the
//! browser to the bank.

pub mod apply;
pub mod cases;
pub mod cookies;
pub mod correct;
pub mod desk;
pub mod fault;
pub mod fields;
pub mod frame;
pub mod guide;
pub mod items;
pub mod labels;
pub mod lang;
pub mod local;
pub mod machines;
pub mod partner;
pub mod pay;
pub mod posted;
pub mod progress;
pub mod provider;
pub mod session;
pub mod shown;
pub mod signin;
#[cfg(test)]
mod tests;
pub mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, any, get, post};
use idp_domain::ambient::Ambient;
use idp_store::Db;
use plugins_engine::Engine;
use plugins_hall::catalogue::Catalogue;
use plugins_hall::port::Bearers;

use crate::provider::Provider;

/// What the operator decides; plain data.
#[derive(Clone)]
pub struct Settings {
    /// The provider's issuer, exactly as its metadata says.
    pub issuer: String,
    /// The hall's client at the provider.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Absolute address of `/hall/callback`.
    pub redirect_uri: String,
    /// Absolute address of the hall's entrance.
    pub post_logout_redirect_uri: String,
    /// The hall's own origin, such as `http://localhost:8080`.
    pub origin: String,
    /// Origin of the bank's gateway: the one other place that a form may post to.
    pub gateway_origin: String,
    /// Port that names the cookies, because cookies do not know ports.
    pub port: u16,
    /// Whether cookies are for https only.
    pub secure: bool,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What the handlers see. Clones share it.
#[derive(Clone)]
pub struct State {
    /// What the operator decides.
    pub settings: Arc<Settings>,
    /// The database that both halves share.
    pub db: Db,
    /// Clock and randomness.
    pub ambient: Ambient,
    /// The dated catalogue of items.
    pub catalogue: Arc<Catalogue>,
    /// The hall's engine.
    pub engine: Engine,
    /// The provider, as a relying party sees it.
    pub provider: Arc<Provider>,
    /// Reads partners' access tokens.
    pub bearers: Arc<dyn Bearers>,
}

/// All routes of the hall. There is no fallback: the server decides what an unknown address gets,
/// with [`missing`].
pub fn router(state: State) -> Router {
    let pages = Router::new()
        .route("/", get(items::home))
        .route("/items", get(items::list))
        .route("/items/{code}", get(items::guide))
        .route("/items/{code}/apply", get(apply::show).post(apply::act))
        .route("/cases", get(cases::list))
        .route("/cases/{number}", get(cases::show))
        .route("/cases/{number}/pay", post(pay::start))
        .route("/cases/{number}/withdraw", post(cases::withdraw))
        .route("/cases/{number}/correct", get(correct::show).post(correct::act))
        .route("/cases/{number}/rate", post(cases::rate))
        .route("/cases/{number}/materials/{id}", get(cases::material))
        .route("/desk", get(desk::inbox))
        .route("/desk/{number}", get(desk::show).post(desk::decide))
        .route("/desk/{number}/materials/{id}", get(desk::material))
        .route("/supervision", get(desk::supervision))
        .route("/hall/signin", get(signin::begin))
        .route("/hall/callback", get(signin::callback))
        .route("/hall/signout", post(signin::signout))
        .layer(from_fn_with_state(state.clone(), frame::layer));
    // Whoever calls these is a program, or a browser on its way from the bank's site: no session,
    // no cross-site guard; what they say is signed or not believed.
    let machines = Router::new()
        .route("/api/items", get(items::api_list))
        .route("/api/items/{code}", get(items::api_one))
        .route("/api/cases", get(partner::list))
        .route("/api/cases/{number}", get(partner::one))
        .route("/payment/return", get(pay::come_back).post(pay::come_back))
        .route("/payment/notice/unionpay", post(pay::unionpay))
        .route("/express/notice", post(pay::express))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .layer(from_fn(machines::layer));
    pages.merge(machines).with_state(state)
}

/// The page for an address that nobody knows, in the hall's frame: for the server's fallback.
pub fn missing(state: State) -> MethodRouter {
    let page = || async { fault::Fault::missing() };
    any(page).layer(from_fn_with_state(state, frame::layer))
}
