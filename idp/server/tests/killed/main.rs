//! The product killed (SIGKILL) again and again in the middle of its work, beside simulators that
//! live on and keep the books that it is judged by.
//!
//! `TONGBAN_SEED=N` repeats a run's choices, `TONGBAN_SLOW=1` tells some hundreds of rounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.
#![allow(clippy::print_stdout)] // The seed, for whoever has to repeat it.

mod chance;
mod citizen;
mod rounds;
