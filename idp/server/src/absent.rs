//! Counterparts that this deployment has not configured: each says so instead of pretending.

use std::collections::BTreeMap;

use async_trait::async_trait;
use idp_domain::citizen::evidence::Evidence;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::ResidentNumber;
use idp_domain::citizen::port::{
    FaceCheck, FaceCreated, FaceRequest, FaceResult, Match, Register, Unavailable,
};
use plugins_hall::port::{
    CarrierNotices, Notice, Order, OrderForm, PaymentGateway, PortError, Tracking,
};

/// Stands in for every counterpart that is not configured.
#[derive(Debug, Clone, Copy)]
pub struct Absent;

fn unavailable(what: &str) -> Unavailable {
    Unavailable { reason: format!("no {what} is configured") }
}

fn port(what: &str) -> PortError {
    PortError { code: "not_configured", cause: format!("no {what} is configured") }
}

#[async_trait]
impl Register for Absent {
    async fn match_person(
        &self,
        _: &PersonName,
        _: &ResidentNumber,
        _: &[Evidence],
    ) -> Result<Match, Unavailable> {
        Err(unavailable("population register"))
    }
}

#[async_trait]
impl FaceCheck for Absent {
    async fn create(&self, _: FaceRequest) -> Result<FaceCreated, Unavailable> {
        Err(unavailable("face comparison"))
    }

    async fn result(&self, _: &str) -> Result<FaceResult, Unavailable> {
        Err(unavailable("face comparison"))
    }
}

impl PaymentGateway for Absent {
    fn order_form(&self, _: &Order) -> Result<OrderForm, PortError> {
        Err(port("payment gateway"))
    }

    fn verify_notice(&self, _: &[(String, String)]) -> Result<Notice, PortError> {
        Err(port("payment gateway"))
    }
}

impl CarrierNotices for Absent {
    fn verify(
        &self,
        _: &BTreeMap<String, String>,
        _: &[u8],
        _: i64,
    ) -> Result<Vec<Tracking>, PortError> {
        Err(port("carrier"))
    }
}
