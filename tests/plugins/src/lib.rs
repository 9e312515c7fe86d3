//! Hostile plugins in the real host; see `tests/`.
