//! The face check (实人): opened and asked for server to server; what the browser brings back is
//! only an id of ours.

use axum::response::Response;
use idp_domain::citizen::port::{FaceRequest, FaceResult};
use idp_domain::citizen::proofing::Proofing;
use idp_store::StoreError;
use idp_store::audit::{self, Line};
use idp_store::face::{self, FaceCheck};
use idp_store::person::{self, Person, Proof};
use serde_json::json;

use super::page::Page;
use super::reply::{see_other, with_cookie};
use crate::flow::Flow;
use crate::session::{self, Who};

/// How long a check may take, milliseconds.
const LIFE: i64 = 15 * 60_000;

/// Opens a check and sends the browser to its page.
pub(crate) async fn begin(
    page: &Page,
    person: &Person,
    flow: &Flow,
) -> Result<Response, StoreError> {
    let reference = page.state.ambient.id();
    let return_url =
        format!("{}/stepup/return?check={reference}&flow={}", page.state.settings.issuer, flow.id);
    let request = FaceRequest {
        reference: reference.clone(),
        name: person.record.name.clone(),
        number: person.record.number.clone(),
        return_url,
    };
    let created = match page.state.face.create(request).await {
        Ok(created) => created,
        Err(cause) => {
            tracing::warn!(reason = cause.reason, "the face counterpart did not answer");
            return Ok(back(flow.id.as_str(), "unavailable"));
        }
    };
    let check = FaceCheck {
        id: reference,
        person_id: person.id.clone(),
        counterpart_id: created.check,
        flow: Some(flow.id.clone()),
    };
    let now = page.now();
    page.state
        .db
        .write::<_, StoreError, _>("face_begin", move |tx| {
            let check = check.clone();
            Box::pin(async move { face::create(tx, &check, now, now + LIFE).await })
        })
        .await?;
    Ok(see_other(&created.page))
}

fn back(flow: &str, outcome: &str) -> Response {
    see_other(&format!("/stepup?flow={flow}&face={outcome}"))
}

/// `/stepup/return?check=&flow=`: the browser is back; the counterpart is asked.
pub(crate) async fn show_return(page: Page) -> Response {
    let Some(Who::Citizen(person)) = page.signed_in.as_ref().map(|who| who.who.clone()) else {
        return page.to_signin();
    };
    match settle(&page, person).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn settle(page: &Page, person: String) -> Result<Response, StoreError> {
    let (wanted, owner, now) =
        (page.query("check").unwrap_or_default(), person.clone(), page.now());
    let found = page
        .state
        .db
        .read::<_, StoreError, _>("face_check", move |tx| {
            let (wanted, owner) = (wanted.clone(), owner.clone());
            Box::pin(async move { face::find(tx, &wanted, &owner, now).await })
        })
        .await?;
    // Used, expired or another's: the flow knows what is still missing.
    let Some(check) = found else { return Ok(Page::onward(page.flow().as_deref())) };
    let flow = check.flow.clone().unwrap_or_default();
    match page.state.face.result(&check.counterpart_id).await {
        Ok(FaceResult::Match) => raise(page, check).await,
        Ok(FaceResult::Pending) => Ok(back(&flow, "pending")),
        Ok(FaceResult::Mismatch) => fail(page, check, "mismatch").await,
        Ok(FaceResult::Expired) => fail(page, check, "expired").await,
        Err(cause) => {
            tracing::warn!(reason = cause.reason, "the face counterpart did not answer");
            Ok(back(&flow, "unavailable"))
        }
    }
}

async fn fail(page: &Page, check: FaceCheck, outcome: &str) -> Result<Response, StoreError> {
    let ended = check.clone();
    page.state
        .db
        .write::<_, StoreError, _>("face_fail", move |tx| {
            let check = ended.clone();
            Box::pin(async move { face::settle(tx, &check.id, &check.person_id, false).await })
        })
        .await?;
    Ok(back(&check.flow.unwrap_or_default(), outcome))
}

/// Raises the level once per check, and gives the session a new secret (attacks row 20).
async fn raise(page: &Page, check: FaceCheck) -> Result<Response, StoreError> {
    let (matched, now) = (check.clone(), page.now());
    page.state
        .db
        .write::<_, StoreError, _>("face_match", move |tx| {
            let check = matched.clone();
            Box::pin(async move {
                if !face::settle(tx, &check.id, &check.person_id, true).await? {
                    return Ok(());
                }
                person::raise(tx, &check.person_id, Proofing::RealPerson, now).await?;
                let (kind, source) = ("face".to_owned(), "face_check".to_owned());
                let proof = Proof { kind, source, level: 4, at: now };
                person::add_proof(tx, &check.person_id, &proof).await?;
                let details = json!({ "proofing": 4, "evidence": ["face"] });
                let actor = "self".to_owned();
                let line = Line { at: now, kind: "proofing_raised", actor, details };
                audit::append(tx, &check.person_id, line).await
            })
        })
        .await?;
    let answer = Page::onward(check.flow.as_deref());
    Ok(match session::rotate(&page.state, &page.headers).await? {
        Some(cookie) => with_cookie(answer, cookie),
        None => answer,
    })
}
