//! Protocol endpoints: each a file whose body is the ordered list of its checks.

pub(crate) mod authorize;
pub mod bearer;
pub(crate) mod believed;
mod check_session;
mod ciba;
mod ciba_simulator;
mod claims;
mod client_auth;
pub(crate) mod client_documents;
pub(crate) mod client_keys;
mod counted;
mod device_authorization;
mod discovery;
mod end_session;
mod id_token;
mod introspect;
mod issue;
mod par;
pub(crate) mod register;
pub(crate) mod reply;
mod request;
pub mod resource;
mod revoke;
pub(crate) mod sealed;
pub mod sender;
pub(crate) mod subject;
mod token;
mod userinfo;

#[cfg(test)]
mod tests;

use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::router::cross_origin;
use crate::{State, pages};

/// Endpoints that other sites and programs call. None of them acts on a cookie alone: what a
/// browser brings from elsewhere is checked against the registration.
pub(crate) fn router(state: &State) -> Router<State> {
    // Endpoints at which clients prove that they hold a key.
    let proving = Router::new()
        .route("/oauth2/par", post(par::push))
        .route("/oauth2/token", post(token::token))
        .route("/oauth2/userinfo", get(userinfo::by_get).post(userinfo::by_post))
        .layer(middleware::from_fn_with_state(state.clone(), sender::offer_nonce));
    // Endpoints that browsers' programs call without cookies.
    let open = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::metadata))
        .route("/.well-known/oauth-authorization-server", get(discovery::metadata))
        .route("/oauth2/jwks", get(discovery::jwks))
        .route("/oauth2/jwks/sm2", get(discovery::jwks_sm2))
        .route("/oauth2/device_authorization", post(device_authorization::begin))
        .route("/oauth2/register", post(register::register))
        .route(
            "/oauth2/register/{client_id}",
            get(register::read).put(register::replace).delete(register::delete),
        )
        .route("/oauth2/revoke", post(revoke::revoke))
        .merge(proving)
        .layer(middleware::from_fn(cross_origin));
    let demo = if state.settings.demo {
        let answer = get(ciba_simulator::answer).post(ciba_simulator::answer);
        Router::new().route("/simulators/ciba", answer)
    } else {
        Router::new()
    };
    let all = Router::new()
        .merge(demo)
        .route("/oauth2/ciba", post(ciba::ask))
        .route("/oauth2/authorize", get(authorize::by_get).post(authorize::by_post))
        .route("/oauth2/authorize/{flow}", get(authorize::resume::resume))
        .route("/oauth2/check_session", get(check_session::frame))
        .route("/oauth2/introspect", post(introspect::introspect))
        .route("/oauth2/end_session", get(end_session::by_get).post(end_session::by_post))
        .merge(open);
    if state.sandbox.is_none() {
        return all;
    }
    // A sandbox shows developers what their clients do; elsewhere nothing looks on.
    all.layer(middleware::from_fn_with_state(state.clone(), pages::observe))
}

/// Endpoints that only our own pages call.
pub(crate) fn guarded() -> Router<State> {
    Router::new().route("/oauth2/end_session/confirm", post(end_session::confirm))
}
