//! The outside, acted: bank, express, SMS, population register, face, demo partners.

pub mod partner;
