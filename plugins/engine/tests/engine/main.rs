//! The hall's engine with a plugin and an outside that fail, lie, repeat and come late; the clock
//! is virtual and nothing sleeps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod clock;
mod crash;
mod line;
mod money;
mod outside;
mod races;
mod stage;
mod trouble;
