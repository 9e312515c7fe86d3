//! The endpoints over a real router and a real database.
