//! The line in a real browser, with pictures.
