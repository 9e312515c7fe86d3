//! After a sign-out: partners' frames (Front-Channel Logout §2), then on.
//!
//! The page goes on by itself without a script: browsers count a refresh from the moment when the
//! page and its frames are loaded (HTML §4.2.5.3). A partner whose page hangs would hold it, so a
//! line of script leaves after some seconds; a link leaves at once.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use idp_protocol::logout::origin;

use super::reply;
use super::shell::Shell;
use super::text::Lang;
use super::view::LeavingPage;

/// The cap of the wait.
const LEAVE: &str =
    "setTimeout(function(){location.replace(document.getElementById('next').href)},6000)";

static LEAVE_DIGEST: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(digest(&SHA256, LEAVE.as_bytes())));

/// The page; nothing but the frames' origins may be loaded in it.
pub(crate) fn page(headers: &HeaderMap, frames: &[String], next: Option<&str>) -> Response {
    let shell = Shell::bare(Lang::of(headers, None));
    let mut origins: Vec<String> = frames.iter().filter_map(|frame| origin(frame)).collect();
    origins.sort_unstable();
    origins.dedup();
    let page = LeavingPage {
        title: shell.t("signed-out-title"),
        frames: frames.to_vec(),
        next: next.map(str::to_owned),
        script: LEAVE,
        shell,
    };
    reply::page_with_frames(&origins, &LEAVE_DIGEST, &page)
}
