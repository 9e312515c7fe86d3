//! The style sheet and the mark. Pages name them with a digest of their content, so that browsers
//! may keep them for a year; without it they ask again after five minutes.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode, Uri};

struct Asset {
    path: &'static str,
    kind: &'static str,
    body: &'static [u8],
    digest: String,
}

fn asset(path: &'static str, kind: &'static str, body: &'static [u8]) -> Asset {
    let digest = hex::encode(digest(&SHA256, body)).chars().take(16).collect();
    Asset { path, kind, body, digest }
}

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    asset(
        "/static/tongban.css",
        "text/css; charset=utf-8",
        include_bytes!("../../static/tongban.css"),
    )
});
static MARK: LazyLock<Asset> = LazyLock::new(|| {
    asset("/static/mark.svg", "image/svg+xml", include_bytes!("../../static/mark.svg"))
});

/// Address of the style sheet, for pages of both halves.
#[must_use]
pub fn stylesheet_address() -> String {
    format!("{}?v={}", STYLESHEET.path, STYLESHEET.digest)
}

/// Address of the mark.
#[must_use]
pub fn mark_address() -> String {
    format!("{}?v={}", MARK.path, MARK.digest)
}

pub(crate) async fn stylesheet(uri: Uri, headers: HeaderMap) -> Response {
    serve(&STYLESHEET, &uri, &headers)
}

pub(crate) async fn mark(uri: Uri, headers: HeaderMap) -> Response {
    serve(&MARK, &uri, &headers)
}

fn serve(asset: &'static Asset, uri: &Uri, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", asset.digest);
    let named = uri.query().is_some_and(|query| query.contains(&asset.digest));
    let keep = if named { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    // RFC 9110 §13.1.2.
    let unchanged = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value == "*" || value.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(asset.body))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}
