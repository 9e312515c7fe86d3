//! The population register: `POST /v1/match`.

use std::sync::Arc;

use async_trait::async_trait;
use idp_domain::ambient::Clock;
use idp_domain::citizen::evidence::Evidence;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::ResidentNumber;
use idp_domain::citizen::port::{Match, Register, RegisterFacts, Unavailable};
use reqwest::Method;
use serde_json::json;

use crate::Endpoint;
use crate::signed::{Received, Signed, unavailable};

/// The register behind an address.
pub struct HttpRegister(Signed);

impl HttpRegister {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// [`Unavailable`] if no HTTP client can be made.
    pub fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Self, Unavailable> {
        Ok(Self(Signed::new(endpoint, clock)?))
    }

    /// What the register says about a person.
    ///
    /// # Errors
    /// [`Unavailable`] for what is not its answer to the question, or none that we know.
    pub fn read(&self, received: &Received) -> Result<Match, Unavailable> {
        let answer = self.0.believed(received)?;
        if answer.status != 200 {
            return Err(unavailable(format!("it refused the question with {}", answer.status)));
        }
        match answer.body.get("result").and_then(|value| value.as_str()) {
            Some("match") => {
                let address = answer.body.get("address").and_then(|value| value.as_str());
                Ok(Match::Match(RegisterFacts { address: address.map(str::to_owned) }))
            }
            Some("no_match") => Ok(Match::NoMatch),
            Some("not_found") => Ok(Match::NotFound),
            Some("deceased") => Ok(Match::Deceased),
            _ => Err(unavailable("its answer holds no result that we know")),
        }
    }
}

#[async_trait]
impl Register for HttpRegister {
    async fn match_person(
        &self,
        name: &PersonName,
        number: &ResidentNumber,
        evidence: &[Evidence],
    ) -> Result<Match, Unavailable> {
        let evidence: Vec<_> = evidence
            .iter()
            .map(|one| json!({ "kind": one.kind().code(), "value": one.value() }))
            .collect();
        let question =
            json!({ "name": name.as_str(), "number": number.as_str(), "evidence": evidence });
        self.read(&self.0.ask(Method::POST, "/v1/match", Some(&question)).await?)
    }
}
