//! What the specifications say: pure rules of OAuth and OpenID Connect, and JOSE.
//!
//! Nothing here does I/O, reads a clock or knows a store. Every rule stands with its section.

pub mod acr;
pub mod assertion;
pub mod authorize;
pub mod certificate;
pub mod ciba;
pub mod claims;
pub mod client;
pub mod compare;
pub mod details;
pub mod device;
pub mod dpop;
pub mod end_session;
pub mod error;
pub mod exchange;
pub mod hint;
pub mod jose;
pub mod jwe;
pub mod logout;
pub mod metadata;
pub mod pairwise;
pub mod parameters;
pub mod pkce;
pub mod redirect_uri;
pub mod request_object;
pub mod scope;
pub mod target;
pub mod token;
pub mod verified;

pub use error::{ErrorCode, ProtocolError};
