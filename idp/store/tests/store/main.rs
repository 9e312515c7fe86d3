//! One list of behaviours, told on every engine.

mod audit;
mod citizen;
mod engines;
mod outbox;
mod units;
