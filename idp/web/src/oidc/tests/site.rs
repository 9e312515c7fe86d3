//! Sites of partners, in memory: what each address answers, and what was asked.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use idp_domain::outgoing::{Answer, Failure, Limits, Outgoing};
use serde_json::Value;

use super::house::House;

/// What happens while an answer is on its way.
type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Sites {
    answers: Mutex<BTreeMap<String, Result<Answer, Failure>>>,
    asked: Mutex<Vec<String>>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Sites {
    /// The way out of a house.
    pub(super) fn of(house: &House) -> Arc<Self> {
        let sites = Arc::new(Self::default());
        assert!(house.state.outside.set(sites.clone()).is_ok());
        sites
    }

    pub(super) fn serve(&self, url: &str, body: &Value) {
        let body = body.to_string().into_bytes();
        self.answer(url, Ok(Answer { status: 200, body, ..Answer::default() }));
    }

    pub(super) fn answer(&self, url: &str, answer: Result<Answer, Failure>) {
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    /// Happens once, before the next answer.
    pub(super) fn meanwhile(&self, happens: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::pin(happens));
    }

    /// How often any address was asked since the last look.
    pub(super) fn asked(&self) -> usize {
        self.addresses().len()
    }

    /// Which addresses were asked since the last look, in order.
    pub(super) fn addresses(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Outgoing for Sites {
    async fn get(&self, url: &str, limits: Limits) -> Result<Answer, Failure> {
        self.asked.lock().unwrap().push(url.to_owned());
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens.await;
        }
        tokio::task::yield_now().await;
        let answer = self.answers.lock().unwrap().get(url).cloned();
        let answer = answer.unwrap_or(Err(Failure::Closed))?;
        if answer.body.len() > limits.bytes { Err(Failure::Long) } else { Ok(answer) }
    }

    async fn post(
        &self,
        url: &str,
        _: &[(&str, &str)],
        _: Vec<u8>,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        self.get(url, limits).await
    }
}
