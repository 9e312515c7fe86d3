//! The outside of one deployment: every simulator, in the test's process, on ports of its own.

use std::path::Path;
use std::sync::Arc;

use idp_domain::ambient::Clock as _;
use plugins_simulators::{bank, express, face, register, sms};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::VirtualClock;

pub(crate) const SECRET: &str = "a secret that only tests and simulators share";
pub(crate) const MERCHANT: &str = "777290058110048";
pub(crate) const SOURCE: &str = "901234";
pub(crate) const SMS_SECRET: &str = "sms-secret";

/// Addresses of the simulators.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Population register.
    pub register: String,
    /// Face check.
    pub face: String,
    /// SMS inbox.
    pub sms: String,
    /// SMS gateway, host and port.
    pub cmpp: String,
    /// Bank.
    pub bank: String,
    /// Express carrier; its parcels move when the story moves them.
    pub express: String,
    http: reqwest::Client,
}

pub(crate) async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn at(port: u16) -> String {
    format!("http://localhost:{port}")
}

impl Outside {
    pub(crate) async fn start(directory: &Path, clock: &Arc<VirtualClock>, issuer: &str) -> Self {
        let turned = clock.clone();
        let clock: plugins_simulators::Clock = Arc::new(move || turned.now());
        let dir = directory.join("outside");
        let secret = SECRET.to_owned();

        let (listener_, port) = listener().await;
        let register = at(port);
        let settings =
            register::Settings { dir: dir.clone(), secret: secret.clone(), clock: clock.clone() };
        tokio::spawn(register::serve(settings, listener_));

        let (listener_, port) = listener().await;
        let face = at(port);
        let (address, own) = (face.clone(), clock.clone());
        let settings = face::Settings { dir: dir.clone(), secret, address, clock: own };
        tokio::spawn(face::serve(settings, listener_));

        let ((http, port), (gateway, cmpp)) = (listener().await, listener().await);
        let (sms, cmpp) = (at(port), format!("127.0.0.1:{cmpp}"));
        let (source, secret) = (SOURCE.to_owned(), SMS_SECRET.to_owned());
        let settings = sms::Settings { dir: dir.clone(), source, secret, clock: clock.clone() };
        tokio::spawn(sms::serve(settings, http, gateway));

        let (listener_, port) = listener().await;
        let bank = at(port);
        let merchant = MERCHANT.to_owned();
        let own = clock.clone();
        // Made before the bank starts: two makers of one file would race.
        bank::Keys::open(&dir.join("bank")).expect("keys of the bank");
        let settings = bank::Settings { dir: dir.join("bank"), merchant, later: 1_000, clock: own };
        tokio::spawn(bank::serve(settings, listener_));

        let (listener_, port) = listener().await;
        let express = at(port);
        let (secret, notify) = (SECRET.to_owned(), Some(format!("{issuer}/express/notice")));
        let settings = express::Settings { dir, secret, notify, pace: 0, clock };
        tokio::spawn(express::serve(settings, listener_));

        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { register, face, sms, cmpp, bank, express, http }
    }

    /// Sets a behaviour at a simulator, as the contract writes it.
    ///
    /// # Panics
    /// If the simulator does not take it.
    pub async fn behave(&self, simulator: &str, behaviour: Value) {
        let address = format!("{simulator}/behaviour");
        let answer = self.http.post(address).json(&behaviour).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// What a simulator was asked and answered, oldest first.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn journal(&self, simulator: &str) -> Vec<Value> {
        let answer = self.http.get(format!("{simulator}/journal")).send().await;
        answer.expect("an answer").json().await.expect("a journal")
    }

    /// Tells the register that a person is `alive`, `deceased` or `unknown`.
    ///
    /// # Panics
    /// If it does not take it.
    pub async fn person_is(&self, number: &str, status: &str) {
        let body = serde_json::json!({ "number": number, "status": status });
        let address = format!("{}/status", self.register);
        let answer = self.http.post(address).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }

    /// The texts that a phone has received, oldest first.
    ///
    /// # Panics
    /// If the simulator does not answer.
    pub async fn texts(&self, phone: &str) -> Vec<String> {
        let request = self.http.get(format!("{}/messages", self.sms)).query(&[("to", phone)]);
        let messages: Vec<Value> =
            request.send().await.expect("an answer").json().await.expect("a list");
        let text = |message: &Value| message["text"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(text).collect()
    }

    /// The newest six-digit code that a phone has received.
    pub async fn code(&self, phone: &str) -> Option<String> {
        self.texts(phone).await.iter().rev().find_map(|text| {
            text.split(|c: char| !c.is_ascii_digit())
                .find(|digits| digits.len() == 6)
                .map(str::to_owned)
        })
    }
}
