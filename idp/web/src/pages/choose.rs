//! `/signin/account?flow=`: goes on as whoever is signed in, or as somebody else (OpenID Connect
//! Core §3.1.2.1, `select_account`).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::phone::Phone;
use idp_store::{StoreError, person, staff};

use super::consent::{flow_of, partner};
use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other};
use super::view::{Button, ChoicePage};
use crate::flow;
use crate::session::{SignedIn, Who};

pub(crate) async fn show(mut page: Page) -> Response {
    let flow = match flow_of(&mut page).await {
        Ok(flow) => flow,
        Err(answer) => return answer,
    };
    let Some(signed_in) = page.signed_in.clone() else { return page.to_signin() };
    let name = match name(&page, &signed_in).await {
        Ok(Some(name)) => name,
        Ok(None) => return page.to_signin(),
        Err(cause) => return page.failed(&cause),
    };
    let partner = partner(&flow, page.lang);
    let choice = ChoicePage {
        shell: page.shell(),
        title: page.t("choose-title"),
        simulator: None,
        notice: None,
        lead: page.lang.with("choose-lead", &[("partner", &partner)]),
        lines: Vec::new(),
        action: Page::address("/signin/account", Some(&flow.id)),
        hidden: Vec::new(),
        buttons: vec![
            Button {
                name: "account",
                value: "current",
                label: page.lang.with("choose-current", &[("name", &name)]),
                class: "button-primary",
            },
            Button {
                name: "account",
                value: "other",
                label: page.t("choose-other"),
                class: "button-quiet",
            },
        ],
        small: Some(page.t("choose-small")),
    };
    reply::page(StatusCode::OK, Forms::Onward, &choice)
}

/// Enough of the name and the phone to know one's own account, and no more: others may look at the
/// screen.
async fn name(page: &Page, signed_in: &SignedIn) -> Result<Option<String>, StoreError> {
    let who = signed_in.who.clone();
    page.state
        .db
        .read("account_name", move |tx| {
            let who = who.clone();
            Box::pin(async move {
                Ok(match who {
                    Who::Staff(id) => staff::find(tx, &id).await?.map(|staff| staff.name),
                    Who::Citizen(id) => person::claims(tx, &id).await?.map(|claims| {
                        let name = PersonName::parse(&claims.name).map(|name| name.masked());
                        let phone =
                            claims.phone.as_deref().and_then(|phone| Phone::parse(phone).ok());
                        let parts = [name.ok(), phone.map(|phone| phone.masked())];
                        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
                    }),
                })
            })
        })
        .await
}

pub(crate) async fn submit(mut page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let flow = match flow_of(&mut page).await {
        Ok(flow) => flow,
        Err(answer) => return answer,
    };
    let current = match (&page.signed_in, fields.get("account")) {
        (Some(signed_in), "current") => signed_in.who.id().to_owned(),
        _ => return page.to_signin(),
    };
    match flow::choose(&page.state, &flow, &current).await {
        Ok(()) => see_other(&flow.resume()),
        Err(cause) => page.failed(&cause),
    }
}
