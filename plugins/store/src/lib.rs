//! SQL of the hall.

pub mod hall_session;
