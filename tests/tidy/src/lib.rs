//! The house rules, held by a test.
