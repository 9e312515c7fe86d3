//! The envelope: both sides prove over method, target, time and body that they know the secret; an
//! answer is bound to its question, so that an old or another person's answer is never believed.

use std::sync::Arc;

use aws_lc_rs::hmac;
use idp_domain::ambient::Clock;
use idp_domain::citizen::port::Unavailable;
use reqwest::Method;
use serde_json::Value;

use crate::Endpoint;

/// No honest answer is longer.
const LARGEST: usize = 64 * 1024;

/// A client of one counterpart.
pub(crate) struct Signed {
    endpoint: Endpoint,
    key: hmac::Key,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// What came back for a question; nothing of it is believed yet.
#[derive(Clone)]
pub struct Received {
    /// Signature of the question.
    pub question: String,
    /// Status of the answer.
    pub status: u16,
    /// `X-Signature` of the answer.
    pub proof: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer whose signature was checked.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) fn unavailable(reason: impl Into<String>) -> Unavailable {
    Unavailable { reason: reason.into() }
}

impl Signed {
    pub(crate) fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Self, Unavailable> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, endpoint.secret.as_bytes());
        let client = reqwest::Client::builder()
            .timeout(endpoint.timeout)
            // A counterpart that sends us elsewhere is not the one that was configured
            // (attacks row 17), and a proxy of the environment would see personal data.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|cause| unavailable(format!("no client: {cause}")))?;
        Ok(Self { endpoint, key, client, clock })
    }

    /// Asks; `body` is absent for GET.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Received, Unavailable> {
        let address = url::Url::parse(&format!("{}{path}", self.endpoint.url))
            .map_err(|_| unavailable("its address is none"))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let timestamp = self.clock.now().to_string();
        let target = address.path();
        let signed = format!("{method}\n{target}\n{timestamp}\n{body}");
        let signature = hex::encode(hmac::sign(&self.key, signed.as_bytes()));
        let request = self
            .client
            .request(method, address)
            .header("content-type", "application/json")
            .header("x-timestamp", timestamp)
            .header("x-signature", &signature)
            .body(body);
        // A driver's error may hold the address, never the body: personal data stays out of it.
        let mut answer =
            request.send().await.map_err(|cause| unavailable(cause.without_url().to_string()))?;
        let status = answer.status().as_u16();
        if status >= 500 {
            return Err(unavailable(format!("it answered {status}")));
        }
        let proof = answer.headers().get("x-signature").and_then(|value| value.to_str().ok());
        let proof = proof.map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|cause| unavailable(cause.without_url().to_string()))?
        {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LARGEST {
                return Err(unavailable("its answer is too long"));
            }
        }
        Ok(Received { question: signature, status, proof, body: bytes })
    }

    /// What an answer says, if it is the counterpart's, to this very question.
    pub(crate) fn believed(&self, received: &Received) -> Result<Answer, Unavailable> {
        let Received { question, status, proof, body } = received;
        let proof = proof.as_ref().and_then(|text| hex::decode(text).ok());
        let mut bound = format!("{question}\n").into_bytes();
        bound.extend_from_slice(body);
        let proven = proof.is_some_and(|tag| hmac::verify(&self.key, &bound, &tag).is_ok());
        if !proven {
            return Err(unavailable(format!("its answer {status} is not signed by it")));
        }
        let body = serde_json::from_slice(body)
            .map_err(|_| unavailable(format!("its answer {status} is no JSON")))?;
        Ok(Answer { status: *status, body })
    }
}
