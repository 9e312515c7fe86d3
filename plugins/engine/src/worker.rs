//! Carries the outbox: claims under a lease, sends, asks where nobody knows.

use std::future::Future;

use crate::Engine;

/// The outbox worker. One a node; several nodes share the rows.
pub struct Worker {
    engine: Engine,
}

impl Worker {
    /// A worker over an engine.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Runs until `shutdown` resolves; sleeps until something is due or a commit wakes it.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let _ = &self.engine;
        shutdown.await;
    }
}
