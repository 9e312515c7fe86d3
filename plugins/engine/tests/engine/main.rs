//! The hall's engine with a plugin and an outside that fail, lie, repeat and come late; the clock
//! is virtual and nothing sleeps.

mod clock;
mod line;
mod money;
mod outside;
mod races;
mod stage;
mod trouble;
