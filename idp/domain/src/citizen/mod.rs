//! The citizen: who a person is by the numbers of domain.md §1–3, what proves it, and how an
//! account is come by. Pure rules: the caller brings the date and the flags.

pub mod account;
pub mod evidence;
pub mod journey;
pub mod name;
pub mod number;
pub mod password;
pub mod phone;
pub mod port;
pub mod proofing;
pub mod region;
