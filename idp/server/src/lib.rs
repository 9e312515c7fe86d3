//! The binary tongban: command line, configuration, wiring, telemetry, background jobs.
//!
//! This room sees every other and holds no rule of the field.

pub mod config;
pub mod listen;
pub mod telemetry;
