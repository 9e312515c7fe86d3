//! `/signin/sms`: a code to the account's phone signs in.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::account::Shut;
use idp_store::StoreError;
use idp_store::account;
use idp_store::journey::{self, Journey};

use super::codes::STEP;
use super::form::Fields;
use super::page::Page;
use super::reply::with_cookie;
use super::view::{Link, Notice};
use super::ways::SMS;
use super::{code_pages, signin};
use crate::session::Who;

pub(crate) async fn show(page: Page) -> Response {
    code_pages::phone_page(&page, &SMS, StatusCode::OK, "", None, None)
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    match Fields::read(request).await {
        Ok(fields) => code_pages::take_phone(&page, &SMS, &fields).await,
        Err(status) => page.status(status),
    }
}

pub(crate) async fn show_code(page: Page) -> Response {
    code_pages::show_code(&page, &SMS).await
}

pub(crate) async fn resend(page: Page) -> Response {
    code_pages::resend(&page, &SMS).await
}

pub(crate) async fn submit_code(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let journey = match code_pages::take_code(&page, &SMS, &fields).await {
        Ok(journey) => journey,
        Err(answer) => return answer,
    };
    match enter(&page, &journey).await {
        Ok(answer) => with_cookie(answer, page.cookie(STEP, "", 0)),
        Err(cause) => page.failed(&cause),
    }
}

async fn enter(page: &Page, journey: &Journey) -> Result<Response, StoreError> {
    let Some(person) = journey.person_id.clone() else { return Ok(page.to_signin()) };
    let (id, owner) = (journey.id.clone(), person.clone());
    let gate = page
        .state
        .db
        .write("sms_signin", move |tx| {
            let (id, owner) = (id.clone(), owner.clone());
            Box::pin(async move {
                journey::end(tx, &id).await?;
                account::gate_of(tx, &owner).await
            })
        })
        .await?;
    if let Err(shut) = gate {
        return Ok(shut_page(page, shut));
    }
    // A session of this very person that a password began is stronger with the code: two factors.
    let second = page.signed_in.as_ref().is_some_and(|signed_in| {
        signed_in.who == Who::Citizen(person.clone())
            && signed_in.amr.iter().any(|method| method == "pwd")
    });
    let (level, amr) =
        if second { (2, ["pwd", "sms", "mfa"].as_slice()) } else { (1, ["sms"].as_slice()) };
    signin::arrive(page, &person, level, amr, journey.flow.as_deref()).await
}

fn shut_page(page: &Page, shut: Shut) -> Response {
    let recover = Page::address("/recover", page.flow().as_deref());
    let mut notice = Notice::error(page.t(signin::shut_key(shut)));
    if shut == Shut::Frozen {
        notice = notice.link(Link::new(recover, page.t("to-recover")));
    }
    page.message(StatusCode::FORBIDDEN, page.t("sms-title"), notice, Vec::new())
}
