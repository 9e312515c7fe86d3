//! `/recover`: phone, code, evidence, a new password. Nothing sets a password but the machine's
//! edge from "evidence matched" (attacks row 23); afterwards every session and grant has ended.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::account::AccountState;
use idp_domain::citizen::journey::{Event, Purpose, State as At, step};
use idp_domain::citizen::password;
use idp_domain::citizen::phone::Phone;
use idp_store::audit::{self, Line};
use idp_store::journey::{self, Journey};
use idp_store::{StoreError, Tx, account, person};
use serde_json::json;

use super::code_pages;
use super::codes::STEP;
use super::faults::Told as _;
use super::form::Fields;
use super::identity::{self, Claimed, Compared, Typed};
use super::page::Page;
use super::register::password_form;
use super::reply::{see_other, with_cookie};
use super::view::Notice;
use super::ways::RECOVER;

const EVIDENCE: (&str, usize) = ("/recover/evidence", 2);
const PASSWORD: (&str, usize) = ("/recover/password", 3);

pub(crate) async fn show(page: Page) -> Response {
    code_pages::phone_page(&page, &RECOVER, StatusCode::OK, "", None, None)
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    match Fields::read(request).await {
        Ok(fields) => code_pages::take_phone(&page, &RECOVER, &fields).await,
        Err(status) => page.status(status),
    }
}

pub(crate) async fn show_code(page: Page) -> Response {
    code_pages::show_code(&page, &RECOVER).await
}

pub(crate) async fn resend(page: Page) -> Response {
    code_pages::resend(&page, &RECOVER).await
}

pub(crate) async fn submit_code(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    match code_pages::take_code(&page, &RECOVER, &fields).await {
        Ok(_) => see_other(&Page::address(RECOVER.next, page.flow().as_deref())),
        Err(answer) => answer,
    }
}

pub(crate) async fn show_evidence(page: Page) -> Response {
    match code_pages::at(&page, &RECOVER, At::PhoneVerified).await {
        Ok(_) => {
            identity::form(&page, &RECOVER, EVIDENCE, &Typed::default(), (StatusCode::OK, None))
        }
        Err(answer) => answer,
    }
}

pub(crate) async fn submit_evidence(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let journey = match code_pages::at(&page, &RECOVER, At::PhoneVerified).await {
        Ok(journey) => journey,
        Err(answer) => return answer,
    };
    let claimed = match identity::read(&page, &fields) {
        Ok(claimed) => claimed,
        Err(typed) => {
            let notice = Some(Notice::error(page.t("correct-below")));
            let refused = (StatusCode::UNPROCESSABLE_ENTITY, notice);
            return identity::form(&page, &RECOVER, EVIDENCE, &typed, refused);
        }
    };
    match prove(&page, &journey, &claimed).await {
        Ok(Compared::Matched(_)) => see_other(&Page::address(PASSWORD.0, page.flow().as_deref())),
        Ok(other) => {
            let refused = identity::refusal(&page, &other);
            identity::form(&page, &RECOVER, EVIDENCE, &Typed::again(&fields), refused)
        }
        Err(cause) => page.failed(&cause),
    }
}

/// The register must know the person, and the person must be the one whose phone it is.
async fn prove(page: &Page, journey: &Journey, claimed: &Claimed) -> Result<Compared, StoreError> {
    let compared = identity::compare(page, claimed).await?;
    let Compared::Matched(facts) = compared else { return Ok(compared) };
    let Ok(to) = step(Purpose::Recovery, journey.state, Event::MatchedExisting) else {
        return Ok(Compared::No);
    };
    let (journey, number, now) = (journey.clone(), claimed.number.as_str().to_owned(), page.now());
    let moved = page
        .state
        .db
        .write("prove_recovery", move |tx| {
            let (journey, number) = (journey.clone(), number.clone());
            Box::pin(async move {
                let owner = person::id_by_number(tx, &number).await?;
                if owner.is_none() || owner != journey.person_id {
                    return Ok::<_, StoreError>(false);
                }
                journey::advance(tx, &journey.id, (At::PhoneVerified, to), None, now).await
            })
        })
        .await?;
    Ok(if moved { Compared::Matched(facts) } else { Compared::No })
}

pub(crate) async fn show_password(page: Page) -> Response {
    match code_pages::at(&page, &RECOVER, At::EvidenceMatched).await {
        Ok(_) => password_form(&page, &RECOVER, PASSWORD, None),
        Err(answer) => answer,
    }
}

pub(crate) async fn submit_password(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let journey = match code_pages::at(&page, &RECOVER, At::EvidenceMatched).await {
        Ok(journey) => journey,
        Err(answer) => return answer,
    };
    match renew(&page, &journey, fields.get("new_password")).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn renew(page: &Page, journey: &Journey, chosen: &str) -> Result<Response, StoreError> {
    let Some(owner) = journey.person_id.clone() else { return Ok(page.to_signin()) };
    let number = number_of(page, &owner).await?;
    let phone = Phone::parse(&journey.phone).map(|phone| phone.national().to_owned());
    let personal = [number.as_deref().unwrap_or_default(), phone.as_deref().unwrap_or_default()];
    if let Err(fault) = password::check(chosen, &personal) {
        return Ok(password_form(page, &RECOVER, PASSWORD, Some(page.t(fault.key()))));
    }
    let Ok(hash) = page.state.passwords.hash(chosen, page.salt()).await else {
        return Ok(page.busy());
    };
    let (journey, now) = (journey.clone(), page.now());
    page.state
        .db
        .write("recover", move |tx| {
            let (journey, owner, hash) = (journey.clone(), owner.clone(), hash.clone());
            Box::pin(async move { renew_unit(tx, &journey, &owner, &hash, now).await })
        })
        .await?;
    let to = match page.flow() {
        Some(flow) => format!("/signin?flow={flow}&done=recovered"),
        None => "/signin?done=recovered".to_owned(),
    };
    Ok(with_cookie(see_other(&to), page.cookie(STEP, "", 0)))
}

async fn number_of(page: &Page, owner: &str) -> Result<Option<String>, StoreError> {
    let owner = owner.to_owned();
    page.state
        .db
        .read("number", move |tx| {
            let owner = owner.clone();
            Box::pin(async move {
                Ok(person::find(tx, &owner).await?.map(|person| person.record.number))
            })
        })
        .await
}

async fn renew_unit(
    tx: &mut Tx,
    journey: &Journey,
    owner: &str,
    hash: &str,
    now: i64,
) -> Result<(), StoreError> {
    let Ok(to) = step(Purpose::Recovery, journey.state, Event::PasswordChosen) else {
        return Ok(());
    };
    if !journey::advance(tx, &journey.id, (At::EvidenceMatched, to), None, now).await? {
        return Ok(());
    }
    account::set_password(tx, owner, hash, now).await?;
    // Who froze the account themselves opens it by proving all of it again.
    account::set_state(tx, owner, AccountState::Frozen, AccountState::Active).await?;
    crate::session::end_all_in(tx, owner, now).await?;
    let line = Line { at: now, kind: "recovered", actor: "self".to_owned(), details: json!({}) };
    audit::append(tx, owner, line).await?;
    journey::end(tx, &journey.id).await
}
