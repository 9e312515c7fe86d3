//! The attribute that turns a department's functions into a plugin.
