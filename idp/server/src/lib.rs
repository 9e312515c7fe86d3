//! The binary tongban: command line, configuration, wiring, telemetry, background jobs.
