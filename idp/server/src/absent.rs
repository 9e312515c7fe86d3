//! Counterparts that this deployment has not configured: each says so instead of pretending.

use std::collections::BTreeMap;

use async_trait::async_trait;
use idp_domain::citizen::evidence::Evidence;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::ResidentNumber;
use idp_domain::citizen::port::{
    FaceCheck, FaceCreated, FaceRequest, FaceResult, Match, Register, Unavailable,
};
use plugins_hall::call::{Context, Event, Failure, Outcome, Problem};
use plugins_hall::port::{
    CarrierNotices, Notice, Order, OrderForm, PaymentGateway, PortError, Runtime, Tracking,
};
use serde_json::Value;

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

#[async_trait]
impl Runtime for Absent {
    fn descriptors(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    async fn form(&self, _: Context, _: &str, _: Value) -> Result<Value, Failure> {
        Err(Failure::Absent)
    }

    async fn validate(&self, _: Context, _: &str, _: Value) -> Result<Vec<Problem>, Failure> {
        Err(Failure::Absent)
    }

    async fn start(&self, _: Context, _: Event, _: Value) -> Result<Outcome, Failure> {
        Err(Failure::Absent)
    }

    async fn advance(&self, _: Context, _: Event) -> Result<Outcome, Failure> {
        Err(Failure::Absent)
    }
}
