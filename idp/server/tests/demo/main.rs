//! The demo as a person and a program meet it: the real binary, its simulators, sockets between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod stories;
