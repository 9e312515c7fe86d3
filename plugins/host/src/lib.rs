//! The WebAssembly host: admission, limits, linking, host functions, versions of a plugin.
