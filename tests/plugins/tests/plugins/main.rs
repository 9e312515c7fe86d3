//! Hostile plugins in the real host, and what the shipped one is made of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod guest;
mod limits;
mod reach;
mod shipped;
mod stage;
