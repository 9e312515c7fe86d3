//! `/account/audit`: the whole trail, page by page, and as JSON to take away.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use idp_store::StoreError;
use idp_store::audit::{self, Shown};
use serde_json::json;

use super::account::citizen;
use super::page::Page;
use super::reply::{self, Forms};
use super::trail;
use super::view::AuditPage;

/// Lines of a page.
const PAGE: u32 = 50;
/// Lines of one export; older ones are reached with `before`.
const EXPORT: u32 = 5_000;

async fn lines(page: &Page, person: String, limit: u32) -> Result<Vec<Shown>, StoreError> {
    let before = page.query("before").and_then(|text| text.parse().ok()).unwrap_or(i64::MAX);
    page.state
        .db
        .read("audit_page", move |tx| {
            let person = person.clone();
            Box::pin(async move { audit::list(tx, &person, before, limit).await })
        })
        .await
}

pub(crate) async fn show(page: Page) -> Response {
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    match lines(&page, person, PAGE).await {
        Ok(lines) => {
            let before = lines.last().map(|line| line.n).filter(|n| *n > 1);
            let lang = page.lang;
            let lines = lines.iter().map(|line| trail::line(lang, line)).collect();
            let view = AuditPage { shell: page.shell(), lines, before };
            reply::page(StatusCode::OK, Forms::Ours, &view)
        }
        Err(cause) => page.failed(&cause),
    }
}

pub(crate) async fn export(page: Page) -> Response {
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    let lines = match lines(&page, person, EXPORT).await {
        Ok(lines) => lines,
        Err(cause) => return page.failed(&cause),
    };
    let before = lines.last().map(|line| line.n).filter(|n| *n > 1);
    let body = json!({ "lines": lines, "before": before });
    let mut response = Response::new(Body::from(body.to_string()));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit.json\""),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
