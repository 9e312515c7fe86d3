//! Whether the process lives, and whether it can answer.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use idp_store::{Db, StoreError, outbox};

/// `/health/live` and `/health/ready`.
pub fn router(db: &Db) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "ok\n" }))
        .route("/health/ready", get(ready))
        .with_state(db.clone())
}

async fn ready(State(db): State<Db>) -> (StatusCode, &'static str) {
    let asked = db
        .read::<_, StoreError, _>("ready", |tx| Box::pin(outbox::next_at(tx, outbox::Lane::House)));
    match asked.await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(cause) => {
            tracing::error!(%cause, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}
