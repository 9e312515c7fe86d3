//! The one way out to addresses that clients name (attacks row 17).
//!
//! A name is resolved once, what it leads to is checked, and the connection goes to what was
//! checked: a name that answers otherwise a moment later gains nothing. Nothing is followed, and
//! every call has its time and its size.

mod guard;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_domain::network::Block;
use idp_domain::outgoing::{Answer, Failure, Limits, Outgoing, callable};
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response};
use url::Url;

use guard::{Closed, Guard};
pub use guard::{Names, SystemNames};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(2);

/// What the operator says of calls that leave.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Certificate authorities besides the public ones, as a PEM bundle.
    pub authorities: Option<Vec<u8>>,
    /// Networks that may be called although they are not public.
    pub allow: Vec<Block>,
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nhint: `[outgoing] ca_file` is a file of PEM certificates", self.0)
    }
}

impl std::error::Error for Unusable {}

/// The guarded client. Clones share its connections.
#[derive(Clone)]
pub struct Guarded {
    client: Client,
    guard: Arc<Guard>,
}

impl Guarded {
    /// With the machine's resolver.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(settings: Settings) -> Result<Self, Unusable> {
        Self::with_names(settings, Arc::new(SystemNames))
    }

    /// With a resolver of the caller's.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn with_names(settings: Settings, names: Arc<dyn Names>) -> Result<Self, Unusable> {
        let guard = Arc::new(Guard { allow: settings.allow, names });
        let mut builder = Client::builder()
            // The address that is connected to is the one that was checked.
            .dns_resolver(guard.clone())
            // A proxy of the environment would resolve for itself, unchecked.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(2)
            .user_agent("tongban");
        if let Some(pem) = &settings.authorities {
            let unusable = |cause: reqwest::Error| Unusable(cause.to_string());
            let found = reqwest::Certificate::from_pem_bundle(pem).map_err(unusable)?;
            if found.is_empty() {
                return Err(Unusable("The file holds no certificate.".to_owned()));
            }
            for certificate in found {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|cause| Unusable(cause.to_string()))?;
        Ok(Self { client, guard })
    }

    fn checked(&self, text: &str) -> Result<Url, Failure> {
        callable(text, &self.guard.allow)
    }

    async fn call(&self, request: RequestBuilder, limits: Limits) -> Result<Answer, Failure> {
        let whole = async {
            let response = request.send().await.map_err(read)?;
            answer(response, limits.bytes).await
        };
        tokio::time::timeout(limits.time, whole).await.unwrap_or(Err(Failure::Slow))
    }
}

/// Whose fault it is, without the address.
fn read(cause: reqwest::Error) -> Failure {
    if cause.is_timeout() {
        return Failure::Slow;
    }
    let cause = cause.without_url();
    let mut deepest = cause.to_string();
    let mut source = cause.source();
    while let Some(inner) = source {
        if inner.is::<Closed>() {
            return Failure::Closed;
        }
        deepest = inner.to_string();
        source = inner.source();
    }
    Failure::Unreachable(deepest)
}

async fn answer(mut response: Response, most: usize) -> Result<Answer, Failure> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).and_then(|value| value.split(';').next());
    let content_type = content_type.map(|value| value.trim().to_ascii_lowercase());
    let max_age = text(CACHE_CONTROL).and_then(max_age);
    let status = response.status().as_u16();
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Failure::Long);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(read)? {
        if body.len() + chunk.len() > most {
            return Err(Failure::Long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, content_type, max_age, body })
}

/// RFC 9111 §5.2.2: how long the answer may be kept, as far as it says.
fn max_age(value: &str) -> Option<u64> {
    let directives = value.split(',').map(str::trim);
    let mut age = None;
    for directive in directives {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache")
        {
            return Some(0);
        }
        if let Some((name, seconds)) = directive.split_once('=')
            && name.eq_ignore_ascii_case("max-age")
        {
            age = seconds.trim_matches('"').parse().ok();
        }
    }
    age
}

#[async_trait]
impl Outgoing for Guarded {
    async fn get(&self, url: &str, limits: Limits) -> Result<Answer, Failure> {
        let url = self.checked(url)?;
        self.call(self.client.get(url), limits).await
    }

    async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<Answer, Failure> {
        let url = self.checked(url)?;
        let mut request = self.client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request, limits).await
    }
}
