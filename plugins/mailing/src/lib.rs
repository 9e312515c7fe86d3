//! Counterparts of mail: express carrier, SMS over CMPP.

pub mod cmpp;
pub mod express;
