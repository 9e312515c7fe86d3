//! Pages of the hall: citizen, officer's desk, supervision.
