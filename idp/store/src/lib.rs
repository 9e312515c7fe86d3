//! SQL of the identity half, and the engine-neutral [`Db`] and [`Tx`] that both halves use.
//!
//! One SQL text serves SQLite and PostgreSQL; every statement is registered by [`statement!`] and
//! prepared on both by a test. Columns are text, integer and blob only.

pub mod account;
pub mod audit;
pub mod backchannel;
pub mod checkpoint;
pub mod client;
pub mod client_document;
pub mod code;
pub mod consent;
pub mod db;
pub mod device;
pub mod error;
pub mod face;
pub mod flow;
pub mod grant;
pub mod journey;
pub mod key;
pub mod logout;
pub mod migrate;
pub mod otp;
pub mod outbox;
pub mod person;
mod postgres;
pub mod proof;
pub mod prune;
pub mod pushed;
pub mod refresh;
pub mod registration;
pub mod row;
pub mod sandbox;
pub mod session;
pub mod single_use;
mod sqlite;
pub mod staff;
pub mod statement;
pub mod subject;
pub mod testing;
pub mod throttle;
mod upkeep;
pub mod value;
pub mod vault;

pub use db::{Db, Options, Tx, Unit};
pub use error::StoreError;
pub use row::Row;
pub use statement::Statement;
pub use value::Value;
pub use vault::Vault;

#[doc(hidden)]
pub use linkme;
