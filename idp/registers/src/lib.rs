//! Counterparts of identity over their wire formats: the population register and the face
//! comparison. JSON over HTTP in an envelope that both sides sign (`signed`).

mod face;
mod register;
mod signed;

use std::time::Duration;

pub use face::HttpFace;
pub use register::HttpRegister;
pub use signed::Received;

/// Where a counterpart is, and what we share with it.
#[derive(Clone)]
pub struct Endpoint {
    /// Base address without a trailing slash.
    pub url: String,
    /// Shared secret of the envelope.
    pub secret: String,
    /// How long a whole question may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({})", self.url)
    }
}
