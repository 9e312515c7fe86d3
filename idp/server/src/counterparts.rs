//! Adapters of the counterparts that a configuration names; the rest is absent and says so.

use std::sync::Arc;

use idp_domain::citizen::port::{FaceCheck, Register};
use plugins_hall::port::{CarrierNotices, Counterpart, PaymentGateway};

use crate::absent::Absent;
use crate::app::StartError;
use crate::config::Config;

/// The register and the face comparison.
#[must_use]
pub fn of_identity(_config: &Config) -> (Arc<dyn Register>, Arc<dyn FaceCheck>) {
    (Arc::new(Absent), Arc::new(Absent))
}

/// The hall's counterparts.
pub struct OfHall {
    /// Signs orders, checks notices.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Checks the carrier's pushes.
    pub carrier: Arc<dyn CarrierNotices>,
    /// What the outbox's worker calls.
    pub counterparts: Vec<Arc<dyn Counterpart>>,
}

/// Adapters of money and mail.
///
/// # Errors
/// [`StartError`] for keys that cannot be read.
pub fn of_hall(_config: &Config) -> Result<OfHall, StartError> {
    Ok(OfHall { gateway: Arc::new(Absent), carrier: Arc::new(Absent), counterparts: Vec::new() })
}
