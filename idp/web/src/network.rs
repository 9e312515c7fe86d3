//! From where a request comes: what tries are counted by (attacks rows 27, 28, 30, 42), and when a
//! proxy may say so (attacks row 49).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
pub use idp_domain::network::Block;

use crate::State;

/// Whether an address lies in one of the blocks.
pub(crate) fn has(blocks: &[Block], address: IpAddr) -> bool {
    blocks.iter().any(|block| block.has(address.to_canonical()))
}

/// The network of a request: an IPv4 address, or the /64 of an IPv6 one.
pub(crate) struct Network(pub(crate) String);

impl Network {
    /// Of a request.
    pub(crate) fn of(state: &State, parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|info| info.0.ip());
        Self(named(client(peer, &parts.headers, &state.settings.trusted_proxies)))
    }
}

impl FromRequestParts<State> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        Ok(Self::of(state, parts))
    }
}

/// The address behind the proxies that are trusted. Anybody can write `X-Forwarded-For`: it is
/// believed from a configured peer only, and from the right, as far as each hop is one of ours.
#[must_use]
pub fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Block]) -> Option<IpAddr> {
    let ours = |address: IpAddr| has(trusted, address);
    let mut here = peer?.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        if !ours(here) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        here = address.to_canonical();
    }
    Some(here)
}

/// What tries are counted by: whoever has one IPv6 address has 2^64 of them (RFC 6177).
fn named(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(four)) => four.to_string(),
        Some(IpAddr::V6(six)) => {
            let net = Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX));
            format!("{net}/64")
        }
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_64() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(named(Some(address.parse().unwrap())), expected);
        }
        assert_eq!(named(None), "unknown");
    }

    #[test]
    fn attack_49_only_our_own_proxies_say_who_is_behind_them() {
        let trusted: Vec<Block> = vec!["10.0.0.0/8".parse().unwrap()];
        let seen = |peer: &str, lines: &[&str], trusted: &[Block]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            client(Some(peer.parse().unwrap()), &headers, trusted).unwrap().to_string()
        };
        // A stranger's word about itself is nothing, with or without proxies configured.
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"], &trusted), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], &trusted), "198.51.100.1");
        // What the client itself had written stands to the left of what our proxy added.
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, 198.51.100.1"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4", "198.51.100.1"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, 10.0.0.2"], &trusted), "198.51.100.1");
        // Nonsense is never passed over to what stands behind it.
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, nonsense"], &trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], &trusted), "10.0.0.1");
    }
}
