//! SQL of the hall.

pub mod case;
pub mod document;
pub mod draft;
pub mod event;
pub mod hall_session;
pub mod inbox;
pub mod material;
pub mod order;
