//! The binary tongban: command line, configuration, wiring, telemetry, background jobs.
//!
//! This room sees every other and holds no rule of the field.

mod absent;
pub mod ambient;
pub mod app;
mod backup;
mod checkpoint;
pub mod cli;
pub mod config;
mod counterparts;
pub mod demo;
mod doctor;
mod failpoints;
mod hall;
mod health;
mod jobs;
pub mod listen;
pub mod load;
mod metrics;
pub mod plugins;
mod ports;
pub mod telemetry;
