//! The adapters of mail against the simulators, over sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

mod sms;
