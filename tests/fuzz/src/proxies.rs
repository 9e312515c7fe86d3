//! What a proxy in front of us writes: whose certificate a client showed, and from where it came.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use idp_protocol::certificate::{Authorities, Certificate};
use idp_web::certificate::Chain;
use idp_web::network::{self, Block};

use crate::browsers::headers;
use crate::{NOW, text};

const CERTIFICATE: HeaderName = HeaderName::from_static("client-cert");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

fn passed_on(lines: &[&str]) -> Option<Chain> {
    Chain::passed_on(&headers(&CERTIFICATE, lines.join("\n").as_bytes()), &CERTIFICATE)
}

/// The header of a client's certificate, a line each: two are two clients' words. What is read of
/// one is read of each other form of the same (RFC 9440 §2.1, PEM).
pub(crate) fn certificate(bytes: &[u8]) {
    let headers = headers(&CERTIFICATE, bytes);
    let Some(chain) = Chain::passed_on(&headers, &CERTIFICATE) else { return };
    assert_eq!(headers.len(), 1, "two clients in one");
    let all = chain.all();
    assert!(!all.is_empty() && all.iter().all(|one| !one.is_empty()), "nobody's");
    assert!(all.iter().map(Vec::len).sum::<usize>() <= bytes.len(), "out of nothing");
    let encoded: Vec<_> = all.iter().map(|der| STANDARD.encode(der)).collect();
    let line = encoded.iter().map(|one| format!(":{one}:")).collect::<Vec<_>>().join(", ");
    let pem = |one| format!("-----BEGIN CERTIFICATE----- {one} -----END CERTIFICATE----- ");
    let pem: String = encoded.iter().map(pem).collect();
    assert_eq!(passed_on(&[&line]).as_ref(), Some(&chain), "RFC 9440");
    assert_eq!(passed_on(&[&pem]).as_ref(), Some(&chain), "PEM");
    assert_eq!(passed_on(&[&line, &line]), None, "two clients in one");
    let own = Certificate::read(&all[0]);
    assert!(own.is_err() || Authorities::default().vouch_for(all, NOW).is_err(), "by nobody");
}

fn trusted() -> Vec<Block> {
    ["10.0.0.0/8", "2001:db8::/32"].map(|block| block.parse().expect("a block")).to_vec()
}

fn ours(address: IpAddr) -> bool {
    trusted().iter().any(|block| block.has(address))
}

/// A peer, and then `X-Forwarded-For`, a line each: a stranger says nothing, and what stands left
/// of a stranger's address is a stranger's word.
pub(crate) fn forwarded(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (peer, lines) = bytes.split_at(end);
    let Some(Ok(peer)) = text(peer).map(str::parse::<IpAddr>) else { return };
    let headers = headers(&FORWARDED, lines.strip_prefix(b"\n").unwrap_or_default());
    let of = |headers: &HeaderMap, trusted: &[Block]| {
        network::client(Some(peer), headers, trusted).expect("a peer has an address")
    };
    let here = peer.to_canonical();
    assert_eq!(of(&headers, &[]), here, "nobody is trusted");
    let found = of(&headers, &trusted());
    if !ours(here) {
        assert_eq!(found, here, "a stranger was believed");
    }
    let written = headers.get_all(&FORWARDED).iter().filter_map(|line| line.to_str().ok());
    let mut named = written.flat_map(|line| line.split(',')).map(|hop| hop.trim().parse());
    let known = |address: Result<IpAddr, _>| address.is_ok_and(|one| one.to_canonical() == found);
    assert!(found == here || named.any(known), "an address of nobody's");
    if !ours(found) {
        let mut more = HeaderMap::new();
        more.append(&FORWARDED, HeaderValue::from_static("198.51.100.1, 10.1.1.1"));
        for line in headers.get_all(&FORWARDED) {
            more.append(&FORWARDED, line.clone());
        }
        assert_eq!(of(&more, &trusted()), found, "the client chose where it comes from");
    }
}
