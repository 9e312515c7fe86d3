//! Where a name may lead.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use idp_domain::network::{Block, may_be_called};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Turns a name into addresses.
#[async_trait]
pub trait Names: Send + Sync {
    /// Every address of a host.
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// The name leads to nothing that may be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads into a network that is closed to calls")
    }
}

impl std::error::Error for Closed {}

/// Resolves for the client and hands it only what may be called.
pub(crate) struct Guard {
    pub(crate) allow: Vec<Block>,
    pub(crate) names: Arc<dyn Names>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, allow) = (self.names.clone(), self.allow.clone());
        Box::pin(async move {
            let found = names.lookup(name.as_str()).await?;
            let open: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| may_be_called(*address, &allow))
                // The port is the address's own.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if open.is_empty() {
                return Err(Closed.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}
