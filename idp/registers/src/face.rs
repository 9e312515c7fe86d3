//! The face comparison: `POST /v1/checks`, `GET /v1/checks/{check}`.

use std::sync::Arc;

use async_trait::async_trait;
use idp_domain::ambient::Clock;
use idp_domain::citizen::port::{FaceCheck, FaceCreated, FaceRequest, FaceResult, Unavailable};
use reqwest::Method;
use serde_json::json;

use crate::Endpoint;
use crate::signed::{Received, Signed, unavailable};

/// The comparison behind an address.
pub struct HttpFace {
    signed: Signed,
    /// Origins that a browser may be sent to.
    pages: Vec<url::Origin>,
}

fn origin(address: &str) -> Option<url::Origin> {
    url::Url::parse(address).ok().map(|address| address.origin())
}

impl HttpFace {
    /// Opens no connection yet. `page` is where browsers reach the counterpart, if not at the
    /// endpoint's own address.
    ///
    /// # Errors
    /// [`Unavailable`] if no HTTP client can be made.
    pub fn new(
        endpoint: Endpoint,
        page: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unavailable> {
        let pages = [Some(endpoint.url.as_str()), page];
        let pages = pages.into_iter().flatten().filter_map(origin).collect();
        Ok(Self { signed: Signed::new(endpoint, clock)?, pages })
    }

    /// The check that the counterpart made, and where the person is sent for it.
    ///
    /// # Errors
    /// [`Unavailable`] for what is not its answer to the question, or leads elsewhere.
    pub fn created(&self, received: &Received) -> Result<FaceCreated, Unavailable> {
        let answer = self.signed.believed(received)?;
        if answer.status != 200 {
            return Err(unavailable(format!("it refused the check with {}", answer.status)));
        }
        let text = |name: &str| answer.body.get(name).and_then(|value| value.as_str());
        let (Some(check), Some(page)) = (text("check"), text("page")) else {
            return Err(unavailable("its answer names no check"));
        };
        // Our own page sends the person there: never to an address that was not configured
        // (attacks row 18).
        if !is_plain(check) || !origin(page).is_some_and(|page| self.pages.contains(&page)) {
            return Err(unavailable("it wants the browser at an address that is not its own"));
        }
        Ok(FaceCreated { check: check.to_owned(), page: page.to_owned() })
    }

    /// What became of a check.
    ///
    /// # Errors
    /// [`Unavailable`] for what is not its answer to the question, or about another check.
    pub fn became(&self, check: &str, received: &Received) -> Result<FaceResult, Unavailable> {
        let answer = self.signed.believed(received)?;
        // The answer must be about this check, whatever else it says.
        if answer.body.get("check").and_then(|value| value.as_str()) != Some(check) {
            return Err(unavailable("its answer is about another check"));
        }
        match answer.body.get("result").and_then(|value| value.as_str()) {
            Some("pending") => Ok(FaceResult::Pending),
            Some("match") => Ok(FaceResult::Match),
            Some("mismatch") => Ok(FaceResult::Mismatch),
            Some("expired") => Ok(FaceResult::Expired),
            _ => Err(unavailable("its answer holds no result that we know")),
        }
    }
}

/// A check's id stands in our addresses: only what needs no escaping.
fn is_plain(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[async_trait]
impl FaceCheck for HttpFace {
    async fn create(&self, request: FaceRequest) -> Result<FaceCreated, Unavailable> {
        let question = json!({ "reference": request.reference, "name": request.name,
            "number": request.number, "return_url": request.return_url });
        self.created(&self.signed.ask(Method::POST, "/v1/checks", Some(&question)).await?)
    }

    async fn result(&self, check: &str) -> Result<FaceResult, Unavailable> {
        if !is_plain(check) {
            return Ok(FaceResult::Expired);
        }
        let path = format!("/v1/checks/{check}");
        self.became(check, &self.signed.ask(Method::GET, &path, None).await?)
    }
}
