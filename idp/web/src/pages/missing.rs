//! Pages of statuses: nothing here, not like this, too much, not now.

use axum::response::Response;
use http::StatusCode;

use super::page::Page;
use super::reply::{self, Forms};
use super::shell::Shell;
use super::view::{Link, MessagePage, Notice};

/// The page of a status.
pub(crate) fn status_page(shell: Shell, status: StatusCode) -> Response {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => ("not-found-title", "not-found"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-title", "method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large-title", "too-large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media-type-title", "media-type"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable-title", "unavailable"),
        status if status.is_server_error() => ("failed-title", "failed"),
        _ => ("bad-request-title", "bad-request"),
    };
    let notice = Notice::error(shell.t(text)).link(Link::new("/", shell.t("back-home")));
    let page = MessagePage {
        title: shell.t(title),
        notice,
        code: String::new(),
        paragraphs: Vec::new(),
        shell,
    };
    reply::page(status, Forms::Ours, &page)
}

/// What no route answers.
pub(crate) async fn not_found(page: Page) -> Response {
    page.status(StatusCode::NOT_FOUND)
}

/// A page that is not asked like this.
pub(crate) async fn wrong_method(page: Page) -> Response {
    page.status(StatusCode::METHOD_NOT_ALLOWED)
}
