//! What the engine is made of; the server joins it.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_domain::ambient::Ambient;
use idp_store::Db;
use plugins_hall::port::{CarrierNotices, Counterpart, Identity, PaymentGateway, Runtime};
use tokio::sync::Notify;

/// Parts of the engine.
pub struct Parts {
    /// Both halves' database.
    pub db: Db,
    /// Clock and randomness.
    pub ambient: Ambient,
    /// Plugins.
    pub runtime: Arc<dyn Runtime>,
    /// The identity half.
    pub identity: Arc<dyn Identity>,
    /// Forms and notices of the payment gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Pushes of the carrier.
    pub carrier: Arc<dyn CarrierNotices>,
    /// Who carries `sms`, `express`, `payment`.
    pub counterparts: Vec<Arc<dyn Counterpart>>,
    /// Wakes the worker after a commit.
    pub wake: Arc<Notify>,
    /// The operator's switches.
    pub settings: Settings,
    /// For tests that stop the program between two steps.
    pub failpoints: Arc<dyn Failpoints>,
}

/// The operator's switches.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Settings by item code: `auto_approve` = `false` leaves every decision to a person.
    pub items: BTreeMap<String, BTreeMap<String, String>>,
    /// How long the worker holds an effect before another may take it, milliseconds.
    pub lease_ms: i64,
    /// How often a parcel on its way is asked for besides the carrier's pushes, milliseconds.
    pub track_ms: i64,
    /// After how long an order that was never settled is given up, milliseconds.
    pub order_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            lease_ms: 60_000,
            track_ms: 6 * 3_600_000,
            order_ms: 24 * 3_600_000,
        }
    }
}

/// Places between two steps where a test may stop the program.
pub trait Failpoints: Send + Sync {
    /// Called with the step's name; may never return.
    fn reached(&self, step: &'static str);
}

/// Production: nothing happens.
pub struct NoFailpoints;

impl Failpoints for NoFailpoints {
    fn reached(&self, _step: &'static str) {}
}
