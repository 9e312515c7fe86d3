//! The line in a real browser: the real binary, clicked through as a person does, looked at at the
//! width of a telephone and of a desk.
//!
//! `TONGBAN_SCREENSHOTS=DIR` keeps the pictures; without a chromedriver nothing is told (`tests/run`
//! installs one and names it in `TONGBAN_TEST_CHROMEDRIVER`, which makes its absence a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test stops by panicking.

mod chromium;
mod sandbox;
mod walk;
