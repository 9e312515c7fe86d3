//! One list of behaviours, told on every engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod audit;
mod citizen;
mod crash;
mod engines;
mod outbox;
mod signout;
mod tokens;
mod units;
