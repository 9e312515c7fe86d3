//! The command line as an operator and a script meet it: the real binary, its exit status, data on
//! stdout and talk on stderr.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod figures;
mod keys;
mod operations;
mod partners;
mod people;
mod place;
