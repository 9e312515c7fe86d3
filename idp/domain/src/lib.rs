//! What is true of our data: citizen, account, session, consent, client, grant, key, audit trail.
//!
//! Nothing here reads a clock, a file, a socket or global randomness.

pub mod ambient;
pub mod citizen;
pub mod consent;
pub mod flow;
pub mod key;
pub mod network;
pub mod outgoing;
