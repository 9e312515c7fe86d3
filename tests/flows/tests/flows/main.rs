//! Stories told over the kit: the whole product, in process, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test stops by panicking.

mod attacks;
mod cases;
mod dump;
mod line;
mod partners;
mod registering;
mod signing_in;
mod stepping_up;
