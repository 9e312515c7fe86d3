//! The outside, acted: bank, express, SMS, population register, face, demo partners.
//!
//! Each is a process of its own with a port of its own, and keeps its own books: a line is durable
//! before the answer leaves, so that killing the product never kills the books it is judged by.
//! What each acts is invented; nothing here reaches the real world.

pub mod bank;
pub mod behaviour;
pub mod desk;
pub mod express;
pub mod face;
pub mod journal;
pub mod page;
pub mod partner;
pub mod people;
pub mod register;
pub mod signed;
pub mod sms;

/// Milliseconds UTC. The wall clock in a process, a hand-turned one in a test.
pub type Clock = std::sync::Arc<dyn Fn() -> i64 + Send + Sync>;
