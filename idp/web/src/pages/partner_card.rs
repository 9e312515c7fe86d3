//! Whose sign-in it is: what a partner registered about itself, on the sign-in page
//! (OpenID Connect Registration §2 `client_uri`, `logo_uri`, `policy_uri`, `tos_uri`).
//!
//! The picture is the partner's own file, so browsers never fetch it from there (its site would
//! learn who signs in, attacks row 36) and never read it as anything but a picture: we fetch it
//! through the guarded way out, look at its first bytes, and serve it from here (attacks rows 17,
//! 37). A drawing with scripts in it (SVG) is no picture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use http::{StatusCode, header};
use idp_domain::outgoing::Limits;

use super::consent::partner;
use super::page::Page;
use super::reply;
use super::view::Link;
use crate::State;
use crate::flow::{self, Flow};

/// Bytes of a picture (attacks row 42).
const LARGEST: usize = 128 * 1024;
/// How long a picture is kept, and how long its absence, milliseconds.
const KEPT: i64 = 60 * 60_000;
const ABSENT: i64 = 60_000;
/// Pictures kept; beyond, all begins anew.
const MOST: usize = 256;

/// A partner on the sign-in page.
#[derive(Debug, Clone)]
pub(crate) struct PartnerCard {
    /// Address of its picture, on our own site; empty: none.
    pub(crate) logo: String,
    /// What the picture shows.
    pub(crate) alt: String,
    /// The partner's name.
    pub(crate) text: String,
    /// Where its name leads to; empty: nowhere.
    pub(crate) home: String,
    pub(crate) links: Vec<Link>,
}

/// The card of a flow, if its partner registered anything to be shown.
pub(crate) fn of(page: &Page, flow: &Flow) -> Option<PartnerCard> {
    let client = &flow.client;
    let shown = [&client.client_uri, &client.logo_uri, &client.policy_uri, &client.tos_uri];
    if shown.iter().all(|uri| uri.is_none()) {
        return None;
    }
    let name = partner(flow, page.lang);
    let link = |uri: &Option<String>, key: &str| Some(Link::new(uri.clone()?, page.t(key)));
    let policy = link(&client.policy_uri, "partner-policy").map(|link| link.action("policy"));
    let terms = link(&client.tos_uri, "partner-terms").map(|link| link.action("terms"));
    let logo = client.logo_uri.as_ref();
    Some(PartnerCard {
        logo: logo.map(|_| Page::address("/signin/logo", Some(&flow.id))).unwrap_or_default(),
        alt: page.lang.with("partner-logo", &[("partner", &name)]),
        text: name,
        home: client.client_uri.clone().unwrap_or_default(),
        links: policy.into_iter().chain(terms).collect(),
    })
}

/// A picture as it is served.
#[derive(Debug)]
struct Picture {
    kind: &'static str,
    bytes: Vec<u8>,
}

/// When it was fetched, milliseconds UTC, and what came; none: nothing that can be shown.
type Kept = (i64, Option<Arc<Picture>>);

/// Pictures by the address that they came from.
#[derive(Default)]
pub(crate) struct Logos(Mutex<HashMap<String, Kept>>);

/// What a browser draws and cannot run, by its first bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

impl Logos {
    async fn get(&self, state: &State, uri: &str) -> Option<Arc<Picture>> {
        let now = state.now();
        {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((until, picture)) = kept.get(uri)
                && now < *until
            {
                return picture.clone();
            }
            if kept.len() >= MOST {
                kept.clear();
            }
            // Whoever comes meanwhile sees none, and makes us fetch nothing.
            kept.insert(uri.to_owned(), (now + ABSENT, None));
        }
        let limits = Limits { time: Duration::from_secs(3), bytes: LARGEST };
        let answer = state.outgoing().get(uri, limits).await;
        let answer = answer.ok().filter(|answer| answer.status == 200)?;
        let picture = Arc::new(Picture { kind: kind(&answer.body)?, bytes: answer.body });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(uri.to_owned(), (now + KEPT, Some(picture.clone())));
        Some(picture)
    }
}

/// `/signin/logo?flow=`: only whom a flow has sent here makes us look.
pub(crate) async fn logo(page: Page) -> Response {
    let flow = match page.flow() {
        Some(id) => flow::load(&page.state, &page.headers, &id).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "a flow cannot be read");
            None
        }),
        None => None,
    };
    let uri = flow.as_ref().and_then(|flow| flow.client.logo_uri.as_deref());
    let picture = match uri {
        Some(uri) => page.state.logos.get(&page.state, uri).await,
        None => None,
    };
    let Some(picture) = picture else { return reply::plain(StatusCode::NOT_FOUND) };
    let mut response = Response::new(Body::from(picture.bytes.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(picture.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_37_only_pictures_are_pictures() {
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in
            [b"<svg onload=alert(1)>".as_slice(), b"<html>", b"", b"\x89PN", b"RIFF", b" GIF89a"]
        {
            assert_eq!(kind(other), None);
        }
    }
}
