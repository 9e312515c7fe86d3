//! What a department's programmer uses to write a plugin.
