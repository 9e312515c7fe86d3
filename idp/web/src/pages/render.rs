//! Pages that the protocol endpoints show.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};

use super::reply::{self, Forms};
use super::shell::Shell;
use super::signout;
use super::text::Lang;
use super::view::{ChoicePage, FormPostPage, Link, MessagePage, Notice};

/// The one line of script of this half: it presses the button of the form_post page.
const SUBMIT: &str = "document.forms[0].submit()";

static SUBMIT_DIGEST: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(digest(&SHA256, SUBMIT.as_bytes())));

fn shell(headers: &HeaderMap) -> Shell {
    Shell::bare(Lang::of(headers, None))
}

/// A protocol error shown to a person: the OAuth error code, a sentence in the page's language,
/// and what the endpoint says of it.
pub(crate) fn protocol_error(
    headers: &HeaderMap,
    status: StatusCode,
    code: &str,
    description: &str,
) -> Response {
    let shell = shell(headers);
    let sentence = match code {
        _ if status == StatusCode::TOO_MANY_REQUESTS => "error-limited",
        "login_required" | "interaction_required" | "consent_required" => "error-interaction",
        "access_denied" => "error-denied",
        "server_error" | "temporarily_unavailable" => "error-server",
        _ => "error-request",
    };
    let page = MessagePage {
        title: shell.t("error-title"),
        notice: Notice::error(shell.t(sentence)).link(Link::new("/", shell.t("back-home"))),
        code: code.to_owned(),
        paragraphs: if description.is_empty() { Vec::new() } else { vec![description.to_owned()] },
        shell,
    };
    reply::page(status, Forms::Ours, &page)
}

/// A page that posts `fields` to `redirect_uri` (OAuth 2.0 Form Post Response Mode §2): by its
/// script, or by its button where scripts are off.
pub(crate) fn form_post(
    headers: &HeaderMap,
    redirect_uri: &str,
    fields: &[(String, String)],
) -> Response {
    let page = FormPostPage {
        shell: shell(headers),
        redirect_uri: redirect_uri.to_owned(),
        fields: fields.to_vec(),
        script: SUBMIT,
    };
    reply::page_with_script(&SUBMIT_DIGEST, &page)
}

/// Asks whether to sign out (RP-Initiated Logout §2); posts to `/oauth2/end_session/confirm`.
pub(crate) fn confirm_logout(
    headers: &HeaderMap,
    client_name: Option<&str>,
    fields: &[(String, String)],
) -> Response {
    let shell = shell(headers);
    let lead = match client_name.filter(|name| !name.is_empty()) {
        Some(name) => shell.lang.with("logout-lead-partner", &[("partner", name)]),
        None => shell.t("logout-lead"),
    };
    let page = ChoicePage {
        title: shell.t("logout-title"),
        simulator: None,
        notice: None,
        lead,
        lines: Vec::new(),
        action: "/oauth2/end_session/confirm".to_owned(),
        hidden: fields.to_vec(),
        buttons: signout::buttons(shell.lang),
        small: None,
        shell,
    };
    // The answer redirects to the partner's post_logout_redirect_uri.
    reply::page(StatusCode::OK, Forms::Onward, &page)
}

/// Says that nobody is signed in any more.
pub(crate) fn signed_out(headers: &HeaderMap) -> Response {
    let shell = shell(headers);
    let notice = Notice::success(shell.t("signed-out"));
    let page = MessagePage {
        title: shell.t("signed-out-title"),
        notice: notice
            .link(Link::new("/", shell.t("back-home")))
            .link(Link::new("/signin", shell.t("signin")).action("signin")),
        code: String::new(),
        paragraphs: Vec::new(),
        shell,
    };
    reply::page(StatusCode::OK, Forms::Ours, &page)
}
