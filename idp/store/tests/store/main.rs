//! One list of behaviours, told on every engine.

mod audit;
mod engines;
mod outbox;
mod units;
