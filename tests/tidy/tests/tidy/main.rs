//! One binary for all house rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod documents;
mod metadata;
mod rooms;
mod secrets;
mod size;
