//! The WebAssembly host: admission, limits, linking, host functions, versions of a plugin.
//!
//! A fresh store and instance a call; no file, no socket, no clock of its own; what a plugin wishes
//! for is kept as a value and carried out by the engine if the call ends well. A refusal by policy
//! is a value that names the manifest's line; only a broken plugin is stopped.

pub mod admit;
mod bindings;
mod breaker;
mod call;
pub mod compile;
mod convert;
mod describe;
mod engine;
mod exports;
mod functions;
mod link;
pub mod manifest;
mod meter;
mod package;
mod runtime;

pub use compile::Compiler;
pub use engine::Layout;
pub use package::LoadError;
pub use runtime::{Host, Settings, Standing};
