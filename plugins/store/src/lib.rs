//! SQL of the hall.
