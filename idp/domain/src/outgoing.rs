//! Calls to addresses that clients name: keys, sectors, request objects, notices, pings. There is
//! one way out, and it is guarded (attacks row 17). `idp/outgoing` implements it; tests implement it
//! in memory.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use url::{Host, Url};

use crate::network::{Block, may_be_called};

/// Bytes of an address that is called.
const LONGEST: usize = 2048;

/// What a call may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first look at the name to the last byte of the answer.
    pub time: Duration,
    /// Bytes of the answer's body.
    pub bytes: usize,
}

impl Default for Limits {
    /// What a document of keys or addresses needs: three seconds, 64 KiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(3), bytes: 64 * 1024 }
    }
}

/// An answer, whatever its status. Redirects are answers like others: nobody follows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Status (RFC 9110 §15).
    pub status: u16,
    /// `Content-Type` as sent, without its parameters, in lower case.
    pub content_type: Option<String>,
    /// `Cache-Control: max-age` in seconds, if it was sent (RFC 9111 §5.2.2.1); 0 for `no-store`
    /// and `no-cache`.
    pub max_age: Option<u64>,
    /// The body, no longer than was allowed.
    pub body: Vec<u8>,
}

/// Why there is no answer. The texts are for the operator and hold no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not an https address, or one with user information.
    #[error(
        "the address is not a plain https address\nhint: only localhost may be http, and only in a network that `[outgoing] allow_networks` names"
    )]
    Address,
    /// The name leads to no address of the public network.
    #[error(
        "the name leads into a network that is closed to calls\nhint: `[outgoing] allow_networks` opens a network of your own"
    )]
    Closed,
    /// It took too long.
    #[error("there was no whole answer in time\nhint: the site is slow or drops calls from here")]
    Slow,
    /// The answer is longer than allowed.
    #[error(
        "the answer is longer than allowed\nhint: the site serves something else than was registered"
    )]
    Long,
    /// No connection, no trust in its certificate, or a broken answer.
    #[error(
        "the site cannot be reached: {0}\nhint: `[outgoing] ca_file` adds an authority of your own"
    )]
    Unreachable(String),
}

/// An address that may be called, as far as it shows itself; where its name leads is another
/// question. `allow` are the networks that the operator opened.
///
/// # Errors
/// [`Failure::Address`] and [`Failure::Closed`].
pub fn callable(text: &str, allow: &[Block]) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|_| Failure::Address)?;
    if text.len() > LONGEST || !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Address);
    }
    // An address in place of a name meets no resolver; `Url` reads it as the connection does.
    let literal = match url.host() {
        Some(Host::Ipv4(four)) => Some(IpAddr::V4(four)),
        Some(Host::Ipv6(six)) => Some(IpAddr::V6(six)),
        Some(Host::Domain(_)) => None,
        None => return Err(Failure::Address),
    };
    if literal.is_some_and(|address| !may_be_called(address, allow)) {
        return Err(Failure::Closed);
    }
    let local = url.host_str() == Some("localhost")
        || literal.is_some_and(|address| address.to_canonical().is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        // Development on one machine, where the operator has opened it.
        "http" if local && !allow.is_empty() => Ok(url),
        _ => Err(Failure::Address),
    }
}

/// The way out. An implementation checks the addresses that a name leads to after it was resolved,
/// and connects to a checked one; follows no redirect; keeps to the limits.
#[async_trait]
pub trait Outgoing: Send + Sync {
    /// Fetches.
    async fn get(&self, url: &str, limits: Limits) -> Result<Answer, Failure>;
    /// Sends `body` with `headers` (names in lower case; `content-type` among them).
    async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<Answer, Failure>;
}

/// No way out: of tools that serve nobody, and of tests that call nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

#[async_trait]
impl Outgoing for Nowhere {
    async fn get(&self, _: &str, _: Limits) -> Result<Answer, Failure> {
        Err(Failure::Closed)
    }

    async fn post(
        &self,
        _: &str,
        _: &[(&str, &str)],
        _: Vec<u8>,
        _: Limits,
    ) -> Result<Answer, Failure> {
        Err(Failure::Closed)
    }
}
