//! Hostile and clumsy plugins inside the real host.
