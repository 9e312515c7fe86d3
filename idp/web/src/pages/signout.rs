//! `/signout`: asks when it is visited, ends the session when its form is sent (attacks row 19:
//! the router refuses forms of other sites).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::form::Fields;
use super::leaving;
use super::page::Page;
use super::reply::{self, Forms, see_other, with_cookies};
use super::view::{Button, ChoicePage};
use crate::session::{self, SignedIn};

/// Where a browser that has signed out goes.
const NEXT: &str = "/signin?done=signed-out";

/// The two buttons of every confirmation (contract.md).
pub(crate) fn buttons(lang: super::text::Lang) -> Vec<Button> {
    let button =
        |value, key: &str, class| Button { name: "logout", value, label: lang.t(key), class };
    vec![button("yes", "logout-yes", "button-primary"), button("no", "logout-no", "button-quiet")]
}

pub(crate) async fn show(page: Page) -> Response {
    if page.signed_in.is_none() {
        return see_other("/signin?done=signed-out");
    }
    let choice = ChoicePage {
        shell: page.shell(),
        title: page.t("logout-title"),
        simulator: None,
        notice: None,
        lead: page.t("logout-lead"),
        lines: Vec::new(),
        action: "/signout".to_owned(),
        hidden: Vec::new(),
        buttons: buttons(page.lang),
        small: None,
    };
    reply::page(StatusCode::OK, Forms::Ours, &choice)
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    if fields.get("logout") == "no" {
        return see_other("/account");
    }
    match &page.signed_in {
        Some(signed_in) => leave(&page, signed_in, "sign_out").await,
        None => with_cookies(see_other(NEXT), session::clear(&page.state)),
    }
}

/// Ends the session of this browser, and signs it out at its partners. `kind` as
/// [`session::end`]'s.
pub(crate) async fn leave(page: &Page, signed_in: &SignedIn, kind: &'static str) -> Response {
    let ended = session::end_with(&page.state, &signed_in.id, &signed_in.who, kind, None).await;
    let ended = match ended {
        Ok(ended) => ended.unwrap_or_default(),
        Err(cause) => return page.failed(&cause),
    };
    page.state.outbox_wake.notify_one();
    let frames = ended.frames(&page.state);
    let answer = if frames.is_empty() {
        see_other(NEXT)
    } else {
        leaving::page(&page.headers, &frames, Some(NEXT))
    };
    with_cookies(answer, session::clear(&page.state))
}
