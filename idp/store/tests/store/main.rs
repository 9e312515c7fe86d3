//! One list of behaviours, told on every engine.

mod audit;
mod citizen;
mod crash;
mod engines;
mod outbox;
mod units;
