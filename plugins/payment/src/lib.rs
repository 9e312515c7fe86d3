//! Counterparts of money: the UnionPay gateway's wire protocol (domain.md §10).
//!
//! No library of the field exists for it; it is a form, a hash and an RSA signature, so it is
//! written here. What comes back is believed only with the gateway's signature, and a notice not
//! even then: it makes us ask.

mod unionpay;
mod wire;

pub use unionpay::{Settings, SettingsError, UnionPay};
