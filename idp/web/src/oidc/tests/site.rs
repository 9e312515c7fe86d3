//! Sites of partners, in memory: what each address answers, and how often it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use idp_domain::outgoing::{Answer, Failure, Limits, Outgoing};
use serde_json::Value;

use super::house::House;

#[derive(Default)]
pub(super) struct Sites {
    answers: Mutex<BTreeMap<String, Result<Answer, Failure>>>,
    asked: Mutex<Vec<String>>,
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

    /// How often any address was asked since the last look.
    pub(super) fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

#[async_trait]
impl Outgoing for Sites {
    async fn get(&self, url: &str, limits: Limits) -> Result<Answer, Failure> {
        self.asked.lock().unwrap().push(url.to_owned());
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
