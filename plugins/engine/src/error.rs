//! Why the engine gave no answer, for pages to turn into a status and a sentence.

use idp_store::StoreError;
use plugins_hall::call::Problem;
use plugins_hall::port::PortError;

/// A failure of the engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No such item or case, or not this person's.
    #[error("there is no such thing, or it is not yours")]
    NotFound,
    /// The level of the person or the session is too low: step up to this proofing level.
    #[error("the item asks for proofing level {0}")]
    Level(u8),
    /// The case has moved on; look again.
    #[error("the case has changed in the meantime")]
    Conflict,
    /// What was asked is at fault; the sentence is for the person.
    #[error("refused: {}", .0.code)]
    Refused(Problem),
    /// A message from outside that its signature does not cover.
    #[error("the message is not signed by its sender: {0}")]
    Forged(&'static str),
    /// The plugin, a port or the database cannot answer now.
    #[error("not available now: {0}")]
    Unavailable(String),
}

impl From<StoreError> for EngineError {
    fn from(cause: StoreError) -> Self {
        Self::Unavailable(cause.to_string())
    }
}

impl From<PortError> for EngineError {
    fn from(cause: PortError) -> Self {
        Self::Unavailable(cause.to_string())
    }
}
