//! `/signout`: asks when it is visited, ends the session when its form is sent (attacks row 19:
//! the router refuses forms of other sites).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other, with_cookie};
use super::view::{Button, ChoicePage};
use crate::session;

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
    if let Some(signed_in) = &page.signed_in {
        let ended = session::end(&page.state, &signed_in.id, &signed_in.who, "sign_out");
        if let Err(cause) = ended.await {
            return page.failed(&cause);
        }
    }
    with_cookie(see_other("/signin?done=signed-out"), session::clear(&page.state))
}
