//! `/signin`: one form for citizens and staff. The same page, the same words and about the same
//! time for a wrong password and for nobody of that name (attacks row 29).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::account::Shut;
use idp_store::StoreError;
use idp_store::account::{self, Account, Identifier};
use idp_store::audit::{self, Line};
use idp_store::staff::{self, Staff};
use idp_store::throttle::{self, Limit};
use serde_json::json;

use super::form::{Field, Fields};
use super::page::{Form, Page};
use super::partner_card::{self, PartnerCard};
use super::reply::{with_cookie, with_cookies};
use super::view::{Link, Notice};
use super::{devices, identifier, limits, second_factor};
use crate::flow::{self, Flow};
use crate::session::{self, NewSession, Who};

/// Longest identifier that the form takes, bytes.
const LONGEST_IDENTIFIER: usize = 254;
/// Longest password that is looked at (attacks row 42); a new one is bounded to 128 characters.
const LONGEST_PASSWORD: usize = 1024;

/// Whom an identifier names.
enum Found {
    Citizen(Account),
    Staff(Staff),
    Nobody,
}

impl Found {
    fn password(&self) -> Option<&str> {
        match self {
            Self::Citizen(account) => Some(&account.password),
            Self::Staff(staff) => Some(&staff.password),
            Self::Nobody => None,
        }
    }
}

/// The flow on whose way the page stands, if it can be read.
async fn on_the_way(page: &Page) -> Option<Flow> {
    let id = page.flow()?;
    flow::load(&page.state, &page.headers, &id).await.unwrap_or_else(|cause| {
        // The page serves without what the partner wished.
        tracing::error!(%cause, "a flow cannot be read");
        None
    })
}

/// Whom the person is signing in to: told as long as the page is there, whatever she types.
async fn partner(page: &Page) -> Option<PartnerCard> {
    partner_card::of(page, &on_the_way(page).await?)
}

pub(crate) async fn show(page: Page) -> Response {
    let flow = on_the_way(&page).await;
    let notice = match page.query("done").as_deref() {
        Some("recovered") => Some(Notice::success(page.t("recovered"))),
        Some("signed-out") => Some(Notice::success(page.t("signed-out"))),
        // A person who was sent a code learns before anything else what it is for (attacks row 31).
        _ if flow.as_ref().is_some_and(|flow| flow.request.device.is_some()) => {
            Some(Notice::info(page.t("device-warning")))
        }
        _ => None,
    };
    let partner = flow.as_ref().and_then(|flow| partner_card::of(&page, flow));
    // OpenID Connect Core §3.1.2.1: login_hint fills the field, and proves nothing.
    let hint = flow.and_then(|flow| flow.request.login_hint).unwrap_or_default();
    let hint = if hint.len() <= LONGEST_IDENTIFIER { hint } else { String::new() };
    form(&page, StatusCode::OK, &hint, notice, partner)
}

fn form(
    page: &Page,
    status: StatusCode,
    typed: &str,
    notice: Option<Notice>,
    partner: Option<PartnerCard>,
) -> Response {
    let flow = page.flow();
    let link = |path: &str, key: &str| Link::new(Page::address(path, flow.as_deref()), page.t(key));
    let mut identifier = Field::text("identifier", page.t("label-identifier"));
    identifier = identifier.hint(page.t("hint-identifier")).value(typed);
    identifier.autocomplete = "username";
    identifier.longest = 254;
    let password = Field::password("password", page.t("label-password"), "current-password");
    page.form(
        status,
        Form {
            title: page.t("signin-title"),
            lead: Some(page.t("signin-lead")),
            notice,
            partner,
            action: "/signin",
            fields: vec![identifier, password],
            submit: page.t("signin"),
            others: vec![link("/signin/sms", "sms-signin-link").action("sms-signin")],
            links: vec![
                link("/register", "to-register").action("register"),
                link("/recover", "to-recover").action("recover"),
            ],
            flow: flow.clone(),
            ..Form::default()
        },
    )
}

async fn refused(page: &Page, typed: &str) -> Response {
    let notice = Notice::error(page.t("signin-refused"));
    form(page, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(notice), partner(page).await)
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let (typed, password) = (fields.get("identifier"), fields.get("password"));
    let Some(who) = identifier::read(typed, page.now()) else { return refused(&page, typed).await };
    if password.is_empty() || password.len() > LONGEST_PASSWORD {
        return refused(&page, typed).await;
    }
    match attempt(&page, typed, password, who).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn attempt(
    page: &Page,
    typed: &str,
    password: &str,
    who: Identifier,
) -> Result<Response, StoreError> {
    let (found, counted) = look_up(page, &who).await?;
    let Some(counted) = counted else {
        let mut notice = Notice::error(page.t("signin-limited"));
        let sms = Page::address("/signin/sms", page.flow().as_deref());
        notice = notice.link(Link::new(sms, page.t("sms-signin-link")));
        let partner = partner(page).await;
        return Ok(form(page, StatusCode::TOO_MANY_REQUESTS, typed, Some(notice), partner));
    };
    let Ok(fits) = page.state.passwords.verify(password, found.password()).await else {
        release(page, &counted, false).await?;
        return Ok(page.busy());
    };
    match found {
        Found::Citizen(account) if fits => citizen(page, typed, &account, &counted).await,
        Found::Staff(staff) if fits && staff.active => {
            release(page, &counted, true).await?;
            second_factor::begin(page, &staff).await
        }
        Found::Citizen(account) => {
            note_failure(page, account.person_id);
            Ok(refused(page, typed).await)
        }
        _ => Ok(refused(page, typed).await),
    }
}

/// Finds who is named and counts the try, in one unit and before any hashing, so that tries side
/// by side cannot slip past the limit (attacks row 28). No limits back: too many tries.
async fn look_up(page: &Page, who: &Identifier) -> Result<(Found, Option<Vec<Limit>>), StoreError> {
    let (who, state, network) = (who.clone(), page.state.clone(), page.network.clone());
    let (device, now) = (devices::presented(page), page.now());
    page.state
        .db
        .write("signin_try", move |tx| {
            let (who, state) = (who.clone(), state.clone());
            let (network, device) = (network.clone(), device.clone());
            Box::pin(async move {
                let mut found = match account::find_by(tx, &who).await? {
                    Some(account) => Found::Citizen(account),
                    None => Found::Nobody,
                };
                if let (Found::Nobody, Identifier::UserName(name)) = (&found, &who) {
                    found = staff::find_by_name(tx, name).await?.map_or(found, Found::Staff);
                }
                let known = match (&found, &device) {
                    (Found::Citizen(account), Some(device)) => {
                        account::knows_device(tx, &account.person_id, device).await?
                    }
                    _ => false,
                };
                let device = device.as_deref().filter(|_| known);
                let subject = identifier::canonical(&who);
                let limits = limits::signin(&state, &subject, &network, device);
                let passed = throttle::count(tx, &limits, now).await?;
                Ok((found, passed.is_none().then_some(limits)))
            })
        })
        .await
}

/// Takes the try back: it was right, or never judged. A right one clears its own counter.
async fn release(page: &Page, counted: &[Limit], right: bool) -> Result<(), StoreError> {
    let (counted, now) = (counted.to_vec(), page.now());
    page.state
        .db
        .write("signin_release", move |tx| {
            let counted = counted.clone();
            Box::pin(async move {
                throttle::release(tx, &counted, now).await?;
                match counted.first() {
                    Some(own) if right => throttle::clear(tx, own).await,
                    _ => Ok(()),
                }
            })
        })
        .await
}

async fn citizen(
    page: &Page,
    typed: &str,
    account: &Account,
    counted: &[Limit],
) -> Result<Response, StoreError> {
    release(page, counted, true).await?;
    if let Err(shut) = account.gate() {
        return Ok(shut_page(page, typed, shut));
    }
    arrive(page, &account.person_id, 1, &["pwd"], page.flow().as_deref()).await
}

/// Only who had the right password, or the phone, learns that the account is shut.
fn shut_page(page: &Page, typed: &str, shut: Shut) -> Response {
    let mut notice = Notice::error(page.t(shut_key(shut)));
    if shut == Shut::Frozen {
        let recover = Page::address("/recover", page.flow().as_deref());
        notice = notice.link(Link::new(recover, page.t("to-recover")));
    }
    form(page, StatusCode::FORBIDDEN, typed, Some(notice), None)
}

/// The sentence of a shut gate.
pub(crate) fn shut_key(shut: Shut) -> &'static str {
    match shut {
        Shut::Frozen => "shut-frozen",
        Shut::NotInUse => "shut-not-in-use",
        Shut::PersonEnded => "shut-person-ended",
    }
}

/// Starts a citizen's session (a new id, attacks row 20), remembers the device, and goes on.
pub(crate) async fn arrive(
    page: &Page,
    person: &str,
    auth_level: u8,
    amr: &[&str],
    flow: Option<&str>,
) -> Result<Response, StoreError> {
    let device = devices::remember(page, person).await?;
    let new = NewSession {
        who: Who::Citizen(person.to_owned()),
        auth_level,
        amr: amr.iter().map(|method| (*method).to_owned()).collect(),
    };
    let cookies = session::start(&page.state, &page.headers, new).await?;
    Ok(with_cookie(with_cookies(Page::onward(flow), cookies), device))
}

/// The person's own trail tells them of it; written aside, so that time does not tell others that
/// the account exists.
fn note_failure(page: &Page, person: String) {
    let (state, now, network) = (page.state.clone(), page.now(), page.network.clone());
    tokio::spawn(async move {
        let written = state
            .db
            .write::<_, StoreError, _>("signin_failed", move |tx| {
                let (person, details) = (person.clone(), json!({ "network": network }));
                Box::pin(async move {
                    let actor = "unknown".to_owned();
                    let line = Line { at: now, kind: "sign_in_failed", actor, details };
                    audit::append(tx, &person, line).await
                })
            })
            .await;
        if let Err(cause) = written {
            tracing::error!(%cause, "a failed sign-in could not be noted");
        }
    });
}
