//! Pages of the hall: citizen, officer's desk, supervision.
//!
//! The hall is a relying party of the provider like any partner. Pages are plain HTML that works
//! without script; every answer to a form is a redirect (303), except the one that hands the
//! browser to the bank.

pub mod cookies;
pub mod fault;
pub mod frame;
pub mod lang;
pub mod local;
pub mod provider;
pub mod session;
pub mod signin;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use idp_domain::ambient::Ambient;
use idp_store::Db;

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
    /// The provider, as a relying party sees it.
    pub provider: Arc<Provider>,
}

/// All routes of the hall. There is no fallback: the server decides what an unknown address gets.
pub fn router(state: State) -> Router {
    let pages = Router::new()
        .route("/hall/signin", get(signin::begin))
        .route("/hall/callback", get(signin::callback))
        .route("/hall/signout", post(signin::signout));
    pages.layer(from_fn_with_state(state.clone(), frame::layer)).with_state(state)
}
