//! The outside, acted: a bank with books, a carrier with parcels, a telephone, and a plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use idp_domain::ambient::{Clock, Random};
use plugins_hall::call::{Context, Effect, Event, Failure, Outcome, Problem, Transition, Usage};
use plugins_hall::port::{
    CarrierNotices, Counterpart, Delivery, Identity, Notice, Order, OrderForm, PaymentGateway,
    PortError, Runtime, Tracking,
};
use plugins_hall::text::text;
use serde_json::{Value, json};

/// 2026-11-02 09:00 in Beijing, a Monday.
pub(crate) const START: i64 = 1_793_581_200_000;

pub(crate) struct Time(pub(crate) AtomicI64);
impl Clock for Time {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Distinct bytes for each call; predictable, as tests want them.
pub(crate) struct Dice(pub(crate) AtomicU64);
impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        let digest = plugins_hall::key::hash(&[&n.to_string()]);
        for (to, from) in bytes.iter_mut().zip(digest.iter().cycle()) {
            *to = *from;
        }
    }
}

pub(crate) struct People;
#[async_trait]
impl Identity for People {
    async fn facts(
        &self,
        subject: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, PortError> {
        let all = [
            ("name", "林晓"),
            ("number_masked", "3***************1"),
            ("phone", "+8613900000001"),
            ("person_id", subject),
            ("address", "福州市某路1号"),
        ];
        let asked = all.into_iter().filter(|(name, _)| names.contains(name));
        Ok(asked.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// How the plugin behaves next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    Traps,
    Busy,
    /// Chooses an edge that the machine lacks.
    Lost,
    /// Asks for a fee that the catalogue lacks.
    Greedy,
    /// Refuses everybody.
    Refuses,
    /// Wishes to refuse by rule.
    Cruel,
}

#[derive(Default)]
pub(crate) struct Plugin {
    pub(crate) mood: Mutex<Mood>,
    pub(crate) heard: Mutex<Vec<String>>,
    pub(crate) seen: Mutex<Vec<Value>>,
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object", "required": ["reason"],
        "properties": {
            "applicant": { "type": "object", "properties": {
                "name": { "type": "string", "readOnly": true, "default": "林晓" } } },
            "reason": { "type": "string", "enum": ["expiring", "full"] },
            "old_number": { "type": "string", "format": "document-number" },
            "delivery": { "type": "object", "properties": {
                "address": { "type": "string", "format": "address" } } },
        }
    })
}

fn outcome(edge: &str, effects: Vec<Effect>) -> Outcome {
    Outcome {
        transition: Transition {
            edge: edge.to_owned(),
            data: json!({ "edge": edge }),
            public_status: text("状态", "status"),
            reasons: vec![text("符合条件", "The conditions are met")],
        },
        effects,
        calls: Vec::new(),
        usage: Usage::default(),
        version: "1.0.0".to_owned(),
    }
}

impl Plugin {
    fn answer(&self, item: &str, event: &Event) -> Result<Outcome, Failure> {
        self.heard.lock().unwrap().push(event.kind.clone());
        let mood = *self.mood.lock().unwrap();
        let (id, key) = ("e".to_owned(), "k".to_owned());
        let fee = |quote: &str| Effect::RequestPayment {
            id: id.clone(),
            quote: quote.to_owned(),
            purpose: "fee".to_owned(),
            key: key.clone(),
        };
        let quote = if item.ends_with("renewal") { "standard" } else { "one-entry" };
        match mood {
            Mood::Well => {}
            Mood::Traps => {
                return Err(Failure::Broken { code: "trap".into(), cause: "unreachable".into() });
            }
            Mood::Busy => return Err(Failure::Busy),
            Mood::Lost => return Ok(outcome("teleport", vec![])),
            Mood::Cruel => return Ok(outcome("refuse", vec![])),
            Mood::Greedy => return Ok(outcome("ask_fee", vec![fee("a-million")])),
            Mood::Refuses => {
                return Err(Failure::Refused(Problem {
                    code: "passport.lost".into(),
                    field: Some("reason".into()),
                    detail: text("请走补发", "Please apply for a replacement"),
                    retryable: false,
                }));
            }
        }
        Ok(match event.kind.as_str() {
            "case.submitted" => outcome("ask_fee", vec![fee(quote)]),
            "payment.settled" => outcome("approve", vec![]),
            "decision.approved" => outcome(
                "make",
                vec![Effect::IssueDocument {
                    id,
                    template: "passport".into(),
                    data: json!({}),
                    key,
                }],
            ),
            "document.issued" => outcome(
                "dispatch",
                vec![Effect::BookShipment {
                    id,
                    kind: "document".into(),
                    to: "delivery.address".into(),
                    contents: vec!["passport".into()],
                    key,
                }],
            ),
            _ => outcome("stay", vec![]),
        })
    }
}

#[async_trait]
impl Runtime for Plugin {
    fn descriptors(&self) -> BTreeMap<String, Value> {
        let manifest = json!({ "grants": { "identity": { "attributes": ["name"] } } });
        BTreeMap::from([("exit-entry".to_owned(), json!({ "manifest": manifest }))])
    }
    async fn form(&self, _: Context, _: &str, _: Value) -> Result<Value, Failure> {
        Ok(schema())
    }
    async fn validate(&self, _: Context, _: &str, _: Value) -> Result<Vec<Problem>, Failure> {
        Ok(vec![])
    }
    async fn start(&self, context: Context, event: Event, form: Value) -> Result<Outcome, Failure> {
        self.seen.lock().unwrap().push(form);
        assert!(!context.attributes.contains_key("phone"));
        self.answer(&context.item, &event)
    }
    async fn advance(&self, context: Context, event: Event) -> Result<Outcome, Failure> {
        self.answer(&context.item, &event)
    }
}

/// A bank that keeps books: what was charged and given back, by order.
#[derive(Default)]
pub(crate) struct Bank {
    pub(crate) charged: Mutex<BTreeMap<String, i64>>,
    pub(crate) failed: Mutex<BTreeSet<String>>,
    pub(crate) refunds: Mutex<Vec<String>>,
    pub(crate) down: Mutex<bool>,
    /// Answers queries with this amount instead of the true one.
    pub(crate) lie: Mutex<Option<i64>>,
    /// Carries a refund out, but its answer is lost.
    pub(crate) deaf: Mutex<bool>,
}

impl Bank {
    pub(crate) fn pay(&self, order: &str, minor: i64) {
        let twice = self.charged.lock().unwrap().insert(order.to_owned(), minor);
        assert_eq!(twice, None, "the same order was charged twice");
    }
    fn refunded(&self, key: &str) -> bool {
        self.refunds.lock().unwrap().iter().any(|known| known == key)
    }
}

#[async_trait]
impl Counterpart for Bank {
    fn interface(&self) -> &'static str {
        "payment"
    }
    fn may_resend(&self) -> bool {
        false
    }
    async fn send(&self, key: &str, arguments: &Value) -> Delivery {
        if *self.down.lock().unwrap() {
            return Delivery::Unknown("timeout".to_owned());
        }
        let order = arguments["order_id"].as_str().unwrap();
        if arguments["operation"] == "refund" {
            assert!(!self.refunded(key), "the same refund was sent twice");
            self.refunds.lock().unwrap().push(key.to_owned());
            if std::mem::take(&mut *self.deaf.lock().unwrap()) {
                return Delivery::Unknown("the answer was lost".to_owned());
            }
            return Delivery::Done(json!({}));
        }
        if self.failed.lock().unwrap().contains(order) {
            return Delivery::Done(json!({ "status": "failed", "reason": "no_funds" }));
        }
        let Some(minor) = self.charged.lock().unwrap().get(order).copied() else {
            return Delivery::NotFound;
        };
        let minor = self.lie.lock().unwrap().unwrap_or(minor);
        Delivery::Done(json!({
            "status": "settled", "minor": minor, "currency": "CNY", "query_id": "Q1",
        }))
    }
    async fn ask(&self, key: &str, _: &Value) -> Delivery {
        if self.refunded(key) { Delivery::Done(json!({})) } else { Delivery::NotFound }
    }
}

pub(crate) struct Gateway;
impl PaymentGateway for Gateway {
    fn order_form(&self, order: &Order) -> Result<OrderForm, PortError> {
        let fields = vec![
            ("orderId".to_owned(), order.order_id.clone()),
            ("txnAmt".to_owned(), order.minor.to_string()),
        ];
        Ok(OrderForm { gateway_url: "http://bank/pay".to_owned(), fields })
    }
    fn verify_notice(&self, fields: &[(String, String)]) -> Result<Notice, PortError> {
        let of = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        if of("signature").as_deref() != Some("good") {
            return Err(PortError { code: "signature", cause: "it does not verify".to_owned() });
        }
        let order_id = of("orderId").unwrap();
        let outcome = of("respCode").unwrap_or_default();
        Ok(Notice { source_id: format!("{order_id} {outcome}"), order_id })
    }
}

#[derive(Default)]
pub(crate) struct Carrier {
    /// Parcels by key.
    pub(crate) parcels: Mutex<BTreeMap<String, Value>>,
    pub(crate) way: Mutex<Vec<Value>>,
    /// Books, but the answer is lost so many times.
    pub(crate) deaf: Mutex<u32>,
    pub(crate) refuses: Mutex<bool>,
}

#[async_trait]
impl Counterpart for Carrier {
    fn interface(&self) -> &'static str {
        "express"
    }
    fn may_resend(&self) -> bool {
        false
    }
    async fn send(&self, key: &str, arguments: &Value) -> Delivery {
        if arguments["operation"] == "track" {
            return Delivery::Done(json!({ "events": *self.way.lock().unwrap() }));
        }
        if *self.refuses.lock().unwrap() {
            return Delivery::Refused("no_service".to_owned());
        }
        let twice = self.parcels.lock().unwrap().insert(key.to_owned(), arguments.clone());
        assert!(twice.is_none(), "a second parcel was booked under one key");
        let mut deaf = self.deaf.lock().unwrap();
        if *deaf > 0 {
            *deaf -= 1;
            return Delivery::Unknown("the answer was lost".to_owned());
        }
        Delivery::Done(json!({ "label": "EE1" }))
    }
    async fn ask(&self, key: &str, _: &Value) -> Delivery {
        let mut deaf = self.deaf.lock().unwrap();
        if *deaf > 0 {
            *deaf -= 1;
            return Delivery::Unknown("timeout".to_owned());
        }
        if self.parcels.lock().unwrap().contains_key(key) {
            Delivery::Done(json!({ "label": "EE1" }))
        } else {
            Delivery::NotFound
        }
    }
}

/// Lines of the carrier come as JSON; a signed push has the header.
pub(crate) struct Pushes;
impl CarrierNotices for Pushes {
    fn verify(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        _: i64,
    ) -> Result<Vec<Tracking>, PortError> {
        if !headers.contains_key("signed") {
            return Err(PortError { code: "signature", cause: "none".to_owned() });
        }
        serde_json::from_slice(body)
            .map_err(|cause| PortError { code: "body", cause: cause.to_string() })
    }
}

#[derive(Default)]
pub(crate) struct Telephone {
    pub(crate) texts: Mutex<Vec<(String, String)>>,
    pub(crate) down: Mutex<u32>,
}

#[async_trait]
impl Counterpart for Telephone {
    fn interface(&self) -> &'static str {
        "sms"
    }
    fn may_resend(&self) -> bool {
        true
    }
    async fn send(&self, _: &str, arguments: &Value) -> Delivery {
        let mut down = self.down.lock().unwrap();
        if *down > 0 {
            *down -= 1;
            return Delivery::Unknown("timeout".to_owned());
        }
        let of = |name: &str| arguments[name].as_str().unwrap().to_owned();
        self.texts.lock().unwrap().push((of("to"), of("text")));
        Delivery::Done(json!({}))
    }
    async fn ask(&self, _: &str, _: &Value) -> Delivery {
        Delivery::NotFound
    }
}
