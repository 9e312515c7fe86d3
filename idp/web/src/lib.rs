//! Requests and pages of the identity half.
//!
//! `oidc` holds the protocol endpoints, `pages` what a person sees; both stand on the session of
//! the browser and on the flow that a partner began.

pub mod backchannel;
pub mod certificate;
pub mod citizens;
pub mod clients;
pub mod cookie;
pub mod flow;
mod interaction;
pub mod keys;
pub mod logout;
pub mod network;
mod oidc;
pub mod pages;
pub mod registration;
pub mod router;
pub mod session;
pub mod state;
#[cfg(test)]
mod testing;

pub use oidc::bearer::{Scheme, presented};
pub use oidc::resource;
pub use oidc::sender::Sender;
pub use router::{ours, router};
pub use state::State;
