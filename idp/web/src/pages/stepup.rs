//! `/stepup?flow=`: a higher proofing level by the face check, or a second factor. A level that
//! cannot be reached here gets a page with the way out, never a circle.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::phone::Phone;
use idp_domain::citizen::proofing::{Proofing, WayUp, way_up};
use idp_store::StoreError;
use idp_store::person::{self, Person};

use super::code_pages::COOKIE_LIFE;
use super::codes::{self, Asked, STEP};
use super::consent::{flow_of, partner};
use super::face;
use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other, with_cookie};
use super::view::{Button, ChoicePage, Notice};
use super::ways::SMS;
use crate::flow::{self, Flow};
use crate::session::{SignedIn, Who};

/// What stands between a person and what a flow asks for.
enum Missing {
    Nothing,
    /// The face check.
    Face,
    /// A code to the phone.
    SecondFactor,
    /// Something that this page cannot give; the key of its sentence.
    NotHere(&'static str),
}

/// What is missing. Proofing comes first: it lasts.
fn missing(flow: &Flow, person: &Person, signed_in: &SignedIn) -> Missing {
    let wanted = flow.wanted_proofing().and_then(|level| Proofing::from_level(i64::from(level)));
    match wanted.map(|wanted| way_up(person.proofing, wanted)) {
        Some(WayUp::FaceCheck) => return Missing::Face,
        Some(WayUp::CounterOnly) => return Missing::NotHere("stepup-counter"),
        Some(WayUp::Evidence) => return Missing::NotHere("stepup-evidence"),
        Some(WayUp::Reached) | None => {}
    }
    match flow.wanted_auth() {
        Some(wanted) if wanted > signed_in.auth_level && wanted > 2 => {
            Missing::NotHere("stepup-passkey")
        }
        Some(wanted) if wanted > signed_in.auth_level => Missing::SecondFactor,
        _ => Missing::Nothing,
    }
}

/// Flow, session and person of a step-up.
async fn standing(page: &mut Page) -> Result<(Flow, SignedIn, Person), Response> {
    let flow = flow_of(page).await?;
    let Some(signed_in) = page.signed_in.clone() else { return Err(page.to_signin()) };
    let Who::Citizen(id) = &signed_in.who else { return Err(page.to_signin()) };
    match find(page, id).await {
        Ok(Some(person)) => Ok((flow, signed_in, person)),
        Ok(None) => Err(page.to_signin()),
        Err(cause) => Err(page.failed(&cause)),
    }
}

async fn find(page: &Page, id: &str) -> Result<Option<Person>, StoreError> {
    let id = id.to_owned();
    page.state
        .db
        .read("person", move |tx| {
            let id = id.clone();
            Box::pin(async move { person::find(tx, &id).await })
        })
        .await
}

pub(crate) async fn show(mut page: Page) -> Response {
    let (flow, signed_in, person) = match standing(&mut page).await {
        Ok(standing) => standing,
        Err(answer) => return answer,
    };
    let notice = match page.query("face").as_deref() {
        Some("mismatch") => Some(Notice::error(page.t("face-mismatch"))),
        Some("pending") => Some(Notice::info(page.t("face-pending"))),
        Some("expired") => Some(Notice::error(page.t("face-expired"))),
        Some("unavailable") => Some(Notice::error(page.t("face-unavailable"))),
        _ => None,
    };
    match missing(&flow, &person, &signed_in) {
        Missing::Nothing => see_other(&flow.resume()),
        Missing::Face => choice(&page, &flow, notice, "stepup-face", Some("face-begin")),
        Missing::SecondFactor => choice(&page, &flow, notice, "stepup-code", Some("send-code")),
        Missing::NotHere(key) => choice(&page, &flow, notice, key, None),
    }
}

/// The page: what is asked for, the way, and the way out.
fn choice(
    page: &Page,
    flow: &Flow,
    notice: Option<Notice>,
    lead: &str,
    way: Option<&str>,
) -> Response {
    let name = partner(flow, page.lang);
    let mut buttons = Vec::new();
    if let Some(key) = way {
        let label = page.t(key);
        buttons.push(Button { name: "step", value: "go", label, class: "button-primary" });
    }
    buttons.push(Button {
        name: "step",
        value: "stop",
        label: page.lang.with("stepup-stop", &[("partner", &name)]),
        class: if way.is_some() { "button-quiet" } else { "button-primary" },
    });
    let simulated = lead == "stepup-face" && page.state.settings.simulator_notice;
    let choice = ChoicePage {
        shell: page.shell(),
        title: page.t("stepup-title"),
        simulator: simulated.then(|| page.t("face-simulator")),
        notice,
        lead: page.lang.with(lead, &[("partner", &name)]),
        lines: Vec::new(),
        action: Page::address("/stepup", Some(&flow.id)),
        hidden: Vec::new(),
        buttons,
        small: None,
    };
    // The face counterpart's page is another site, and so is the partner's.
    reply::page(StatusCode::OK, Forms::Onward, &choice)
}

pub(crate) async fn submit(mut page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let (flow, signed_in, person) = match standing(&mut page).await {
        Ok(standing) => standing,
        Err(answer) => return answer,
    };
    let answer = if fields.get("step") == "stop" {
        flow::give_up(&page.state, &flow).await.map(|()| see_other(&flow.resume()))
    } else {
        match missing(&flow, &person, &signed_in) {
            Missing::Face => face::begin(&page, &person, &flow).await,
            Missing::SecondFactor => second_factor(&page, &person, &flow).await,
            _ => Ok(see_other(&Page::address("/stepup", Some(&flow.id)))),
        }
    };
    answer.unwrap_or_else(|cause| page.failed(&cause))
}

/// Sends a code to the account's phone; the code page raises the session.
async fn second_factor(page: &Page, person: &Person, flow: &Flow) -> Result<Response, StoreError> {
    let id = person.id.clone();
    let contacts = page
        .state
        .db
        .read::<_, StoreError, _>("contacts", move |tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::account::contacts(tx, &id).await })
        })
        .await?;
    let phone = contacts.phone.as_deref().and_then(|phone| Phone::parse(phone).ok());
    let Some(phone) = phone else {
        return Ok(choice(page, flow, None, "stepup-no-phone", None));
    };
    match codes::begin(page, &SMS, &phone, Some(flow.id.clone())).await? {
        Asked::Begun(secret) => {
            let to = Page::address(SMS.code, Some(&flow.id));
            Ok(with_cookie(see_other(&to), page.cookie(STEP, &secret, COOKIE_LIFE)))
        }
        Asked::Limited => {
            let notice = Some(Notice::error(page.t("codes-limited")));
            Ok(choice(page, flow, notice, "stepup-code", Some("send-code")))
        }
    }
}
