//! What is true of services: item, form, case, clock, fee, delivery, rating; state machines.
//!
//! Nothing in this room reads a clock, a file, a socket or a random number: every such value
//! comes in as a parameter, so that a case can be replayed from its first event.

pub mod call;
pub mod catalogue;
pub mod clock;
pub mod deadline;
pub mod form;
pub mod key;
pub mod ledger;
pub mod machine;
pub mod number;
pub mod port;
pub mod status;
pub mod text;
