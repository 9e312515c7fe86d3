//! The gateway as the hall meets it: orders, notices, queries and refunds.

use std::time::Duration;

use async_trait::async_trait;
use plugins_hall::port::{
    Counterpart, Delivery, Notice, Order, OrderForm, PaymentGateway, PortError,
};
use serde_json::{Value, json};

use crate::wire::{self, Fields, Keys};

/// Bytes of an answer that are read.
const LONGEST: usize = 64 * 1024;

/// Where the gateway is and who we are to it.
#[derive(Clone)]
pub struct Settings {
    /// Address of the gateway without a path, as the payer's browser reaches it.
    pub gateway: String,
    /// Our merchant number, 15 digits.
    pub merchant: String,
    /// Our private key, PKCS#8 DER.
    pub private_key: Vec<u8>,
    /// The gateway's public key, DER.
    pub gateway_key: Vec<u8>,
    /// Address of the hall without a path, where payers come back to.
    pub hall: String,
    /// How long a question may take.
    pub timeout: Duration,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the payment gateway cannot be used: {0}\nhint: see [payment] in the configuration")]
pub struct SettingsError(String);

/// The UnionPay gateway.
#[derive(Debug)]
pub struct UnionPay {
    gateway: String,
    merchant: String,
    hall: String,
    keys: Keys,
    http: reqwest::Client,
}

fn port(code: &'static str, cause: impl ToString) -> PortError {
    PortError { code, cause: cause.to_string() }
}

fn get<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.get(name).map_or("", String::as_str)
}

impl UnionPay {
    /// Parses the keys once.
    ///
    /// # Errors
    /// [`SettingsError`] for a key that is none or a client that cannot be made.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let keys = Keys::new(&settings.private_key, settings.gateway_key)
            .map_err(|cause| SettingsError(format!("our private key is no RSA key: {cause}")))?;
        let http = reqwest::Client::builder()
            // The gateway answers itself or not at all.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .no_proxy()
            .build()
            .map_err(|cause| SettingsError(cause.to_string()))?;
        Ok(Self {
            gateway: settings.gateway,
            merchant: settings.merchant,
            hall: settings.hall,
            keys,
            http,
        })
    }

    fn message(&self, own: &[(&str, &str)]) -> Fields {
        let head = [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("bizType", "000201"),
            ("channelType", "07"),
            ("accessType", "0"),
            ("merId", self.merchant.as_str()),
        ];
        let pairs = head.iter().chain(own);
        pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Asks, and gives the answer's fields only if the gateway signed them for this very question.
    async fn exchange(&self, path: &str, mut fields: Fields) -> Result<Fields, String> {
        self.keys.sign(&mut fields).map_err(|_| "our key cannot sign".to_owned())?;
        let sent = self
            .http
            .post(format!("{}{path}", self.gateway))
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
            .body(wire::write(&fields))
            .send()
            .await;
        // An address may hold nothing private here, but a cause is for the log alone.
        let mut answer = sent.map_err(|cause| cause.without_url().to_string())?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("the gateway answered {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(part) =
            answer.chunk().await.map_err(|cause| cause.without_url().to_string())?
        {
            body.extend_from_slice(&part);
            if body.len() > LONGEST {
                return Err("the gateway's answer is too long".to_owned());
            }
        }
        let answer = wire::read(&body).ok_or("the gateway's answer is no form")?;
        if !self.keys.verify(&answer) {
            return Err("the gateway's answer is not signed by the gateway".to_owned());
        }
        // A signed answer to another question would be believed otherwise.
        let ours = ["merId", "orderId", "txnTime", "txnType"];
        match ours.iter().find(|name| get(&answer, name) != get(&fields, name)) {
            Some(name) => Err(format!("the gateway's answer is about another {name}")),
            None => Ok(answer),
        }
    }

    /// What became of an order or a refund (txnType 00). [`Delivery::Refused`] is about this
    /// question alone and says nothing about what it asks for.
    async fn status(&self, order_id: &str, txn_time: &str) -> Result<Fields, Delivery> {
        let fields = self.message(&[
            ("txnType", "00"),
            ("txnSubType", "00"),
            ("orderId", order_id),
            ("txnTime", txn_time),
        ]);
        let answer =
            self.exchange("/gateway/api/queryTrans.do", fields).await.map_err(Delivery::Unknown)?;
        match get(&answer, "respCode") {
            "00" => Ok(answer),
            "34" => Err(Delivery::NotFound),
            "03" | "04" | "05" => Err(Delivery::Pending),
            code => Err(Delivery::Refused(code.to_owned())),
        }
    }

    async fn query(&self, arguments: &Value) -> Delivery {
        let (Some(order_id), Some(txn_time)) =
            (text(arguments, "order_id"), text(arguments, "txn_time"))
        else {
            return Delivery::Refused("malformed".to_owned());
        };
        let answer = match self.status(order_id, txn_time).await {
            Ok(answer) => answer,
            Err(delivery) => return delivery,
        };
        let Some(paid) = paid(&answer) else {
            return Delivery::Unknown("the gateway's answer names no amount".to_owned());
        };
        match get(&answer, "origRespCode") {
            "00" => Delivery::Done(paid),
            "03" | "04" | "05" => Delivery::Pending,
            "" => Delivery::Unknown("the gateway's answer names no outcome".to_owned()),
            code => Delivery::Done(json!({ "status": "failed", "reason": code })),
        }
    }

    /// Gives money back (txnType 04). The outbox key is the refund's order id, so that however
    /// often it is sent, the gateway knows it as one.
    async fn refund(&self, key: &str, arguments: &Value) -> Delivery {
        let minor = arguments.get("minor").and_then(Value::as_i64).filter(|minor| *minor > 0);
        let (Some(query_id), Some(txn_time), Some(minor)) =
            (text(arguments, "query_id"), text(arguments, "txn_time"), minor)
        else {
            return Delivery::Refused("malformed".to_owned());
        };
        let fields = self.message(&[
            ("txnType", "04"),
            ("txnSubType", "00"),
            ("orderId", key),
            ("txnTime", txn_time),
            ("txnAmt", &minor.to_string()),
            ("origQryId", query_id),
            ("backUrl", &self.back_url()),
        ]);
        match self.exchange("/gateway/api/backTransReq.do", fields).await {
            Err(cause) => Delivery::Unknown(cause),
            Ok(answer) => match get(&answer, "respCode") {
                "00" => Delivery::Done(json!({ "query_id": get(&answer, "queryId") })),
                // Received or not, it does not say: to be asked for (domain.md §10).
                "03" | "04" | "05" => Delivery::Unknown("the gateway is busy".to_owned()),
                code => Delivery::Refused(code.to_owned()),
            },
        }
    }

    fn back_url(&self) -> String {
        format!("{}/payment/notice/unionpay", self.hall)
    }
}

fn text<'v>(arguments: &'v Value, name: &str) -> Option<&'v str> {
    arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn paid(answer: &Fields) -> Option<Value> {
    // ISO 4217: 156 is CNY, and nothing else is asked for.
    let currency = Some("CNY").filter(|_| get(answer, "currencyCode") == "156")?;
    let minor: i64 = get(answer, "txnAmt").parse().ok()?;
    let query_id = get(answer, "queryId");
    Some(json!({ "status": "settled", "minor": minor, "currency": currency, "query_id": query_id }))
}

impl PaymentGateway for UnionPay {
    fn order_form(&self, order: &Order) -> Result<OrderForm, PortError> {
        if order.currency != "CNY" || order.minor <= 0 {
            return Err(port("order", "only a positive amount in CNY can be asked for"));
        }
        let mut fields = self.message(&[
            ("txnType", "01"),
            ("txnSubType", "01"),
            ("orderId", &order.order_id),
            ("txnTime", &order.txn_time),
            ("txnAmt", &order.minor.to_string()),
            ("currencyCode", "156"),
            ("frontUrl", &format!("{}/cases/{}", self.hall, order.case)),
            ("backUrl", &self.back_url()),
        ]);
        self.keys.sign(&mut fields).map_err(|cause| port("signature", cause))?;
        Ok(OrderForm {
            gateway_url: format!("{}/gateway/api/frontTransReq.do", self.gateway),
            fields: fields.into_iter().collect(),
        })
    }

    fn verify_notice(&self, fields: &[(String, String)]) -> Result<Notice, PortError> {
        let fields = wire::unique(fields.iter().cloned())
            .ok_or_else(|| port("notice.form", "a field is repeated, or there are too many"))?;
        if !self.keys.verify(&fields) {
            return Err(port("notice.signature", "the gateway did not sign it"));
        }
        if get(&fields, "merId") != self.merchant {
            return Err(port("notice.merchant", "it is about another merchant"));
        }
        let order_id = get(&fields, "orderId");
        if get(&fields, "txnType") != "01" || order_id.is_empty() {
            return Err(port("notice.kind", "it is about no payment"));
        }
        // A second notice of the same signature is the same notice; the gateway's own number is
        // missing where nothing was paid.
        let source_id = match get(&fields, "queryId") {
            "" => get(&fields, "signature").to_owned(),
            number => format!("{number} {}", get(&fields, "respCode")),
        };
        Ok(Notice { order_id: order_id.to_owned(), source_id })
    }
}

#[async_trait]
impl Counterpart for UnionPay {
    fn interface(&self) -> &'static str {
        "payment"
    }

    fn may_resend(&self) -> bool {
        false
    }

    async fn send(&self, key: &str, arguments: &Value) -> Delivery {
        match text(arguments, "operation") {
            Some("query") => self.query(arguments).await,
            Some("refund") => self.refund(key, arguments).await,
            _ => Delivery::Refused("operation".to_owned()),
        }
    }

    async fn ask(&self, key: &str, arguments: &Value) -> Delivery {
        match text(arguments, "operation") {
            Some("query") => self.query(arguments).await,
            Some("refund") => {
                let txn_time = text(arguments, "txn_time").unwrap_or_default();
                match self.status(key, txn_time).await {
                    // The money may have gone back although the gateway does not say.
                    Err(Delivery::Refused(code)) => {
                        Delivery::Unknown(format!("the gateway refused the question: {code}"))
                    }
                    Err(delivery) => delivery,
                    Ok(answer) => match get(&answer, "origRespCode") {
                        "00" => Delivery::Done(json!({ "query_id": get(&answer, "queryId") })),
                        "03" | "04" | "05" => Delivery::Pending,
                        "" => Delivery::Unknown("the gateway's answer names no outcome".to_owned()),
                        code => Delivery::Refused(code.to_owned()),
                    },
                }
            }
            _ => Delivery::Refused("operation".to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "unionpay_tests.rs"]
mod tests;
