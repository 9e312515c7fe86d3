//! Protocol endpoints: each a file whose body is the ordered list of its checks.

pub(crate) mod believed;

use axum::Router;

use crate::State;

/// Endpoints that other sites and programs call.
pub(crate) fn router() -> Router<State> {
    Router::new()
}

/// Endpoints that only our own pages call.
pub(crate) fn guarded() -> Router<State> {
    Router::new()
}
