//! One binary for all house rules.

mod documents;
mod rooms;
mod size;
