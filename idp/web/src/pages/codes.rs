//! The first two steps of every way that begins with a phone: the code goes out, the code comes
//! back. Whether an account has the phone shows nowhere (attacks row 29).

use idp_domain::ambient::Token;
use idp_domain::citizen::account::AccountState;
use idp_domain::citizen::journey::{Event, Purpose, State as At, step};
use idp_domain::citizen::phone::Phone;
use idp_store::account::{self, Identifier};
use idp_store::journey::{self, Journey};
use idp_store::otp::{self, Redeemed};
use idp_store::throttle::{self, Limit, Passed};
use idp_store::{StoreError, Tx, outbox};
use serde_json::json;

use super::limits;
use super::page::Page;
use super::ways::Way;

/// The cookie that holds the secret of a journey.
pub(crate) const STEP: &str = "tongban_step";
const PREFIX: &str = "tbj_";
/// How long a code serves, milliseconds.
const CODE_LIFE: i64 = 5 * 60_000;
/// How long a journey may take, milliseconds.
const JOURNEY_LIFE: i64 = 45 * 60_000;
/// How long to wait between two codes, milliseconds.
const GAP: i64 = 30_000;
/// Codes of one journey.
const SENDS: i64 = 5;

/// What came of asking for a code.
pub(crate) enum Asked {
    /// The journey goes on; the text of its cookie.
    Begun(String),
    /// Too many codes.
    Limited,
}

/// What came of asking for a further code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// On its way.
    Sent,
    /// Not yet, or too many.
    Wait,
}

/// A code that is to go out.
#[derive(Clone)]
struct Outgoing {
    otp: String,
    code: String,
    entry: outbox::Entry,
    until: i64,
}

fn outgoing(page: &Page, way: &Way, phone: &str) -> Outgoing {
    let ambient = &page.state.ambient;
    let (otp, code) = (ambient.id(), ambient.digits());
    let text = page.lang.with(way.message, &[("code", &code)]);
    let entry = outbox::Entry {
        id: ambient.id(),
        key: format!("code.{otp}"),
        interface: "sms",
        subject: None,
        arguments: json!({ "to": phone, "text": text }),
        at: page.now(),
    };
    Outgoing { otp, code, entry, until: page.now() + CODE_LIFE }
}

/// Keeps the code, and sends it where there is somebody to send it to: nobody's code is kept
/// too, so that tries run out for it like for any other (attacks row 29).
async fn send(tx: &mut Tx, outgoing: &Outgoing, somebody: bool) -> Result<(), StoreError> {
    otp::issue(tx, &outgoing.otp, &outgoing.code, outgoing.until).await?;
    if somebody {
        outbox::enqueue(tx, outgoing.entry.clone()).await?;
    }
    Ok(())
}

fn somebody(journey: &Journey) -> bool {
    journey.purpose == Purpose::Registration || journey.person_id.is_some()
}

/// Begins a journey: counts, sends where there is somebody to send to, keeps the state.
pub(crate) async fn begin(
    page: &Page,
    way: &Way,
    phone: &Phone,
    flow: Option<String>,
) -> Result<Asked, StoreError> {
    let (token, now) = (page.state.ambient.token(PREFIX), page.now());
    let outgoing = outgoing(page, way, phone.e164());
    let limits = limits::code(&page.state, phone.e164(), &page.network);
    let fresh = Journey {
        id: token.id.clone(),
        secret: token.stored(),
        purpose: way.purpose,
        state: At::CodeSent,
        phone: phone.e164().to_owned(),
        otp_id: None,
        sends: 1,
        sent_at: now,
        password: None,
        person_id: None,
        flow,
    };
    let phone = phone.clone();
    let passed = page
        .state
        .db
        .write("begin_journey", move |tx| {
            let (fresh, outgoing) = (fresh.clone(), outgoing.clone());
            let (limits, phone) = (limits.clone(), phone.clone());
            Box::pin(async move { begin_unit(tx, fresh, &outgoing, &limits, phone, now).await })
        })
        .await?;
    if passed.is_some() {
        return Ok(Asked::Limited);
    }
    page.state.outbox_wake.notify_one();
    Ok(Asked::Begun(token.text()))
}

async fn begin_unit(
    tx: &mut Tx,
    mut fresh: Journey,
    outgoing: &Outgoing,
    limits: &[Limit],
    phone: Phone,
    now: i64,
) -> Result<Option<Passed>, StoreError> {
    let passed = throttle::count(tx, limits, now).await?;
    if passed.is_some() {
        return Ok(passed);
    }
    if fresh.purpose != Purpose::Registration {
        let found = account::find_by(tx, &Identifier::Phone(phone)).await?;
        let ended = |state| matches!(state, AccountState::Disabled | AccountState::Closed);
        let found = found.filter(|found| !ended(found.state));
        fresh.person_id = found.map(|found| found.person_id);
    }
    send(tx, outgoing, somebody(&fresh)).await?;
    fresh.otp_id = Some(outgoing.otp.clone());
    journey::create(tx, &fresh, now + JOURNEY_LIFE).await?;
    Ok(None)
}

/// The journey that this browser holds the secret of.
pub(crate) async fn current(page: &Page, way: &Way) -> Result<Option<Journey>, StoreError> {
    let Some(token) = page.token(STEP, PREFIX) else { return Ok(None) };
    let (id, now) = (token.id.clone(), page.now());
    let found = page
        .state
        .db
        .read("journey", move |tx| {
            let id = id.clone();
            Box::pin(async move { journey::find(tx, &id, now).await })
        })
        .await?;
    Ok(found.filter(|found| belongs(found, &token, way.purpose)))
}

fn belongs(journey: &Journey, token: &Token, purpose: Purpose) -> bool {
    token.matches(&journey.secret) && journey.purpose == purpose
}

/// Tries a code; an accepted one moves the journey in the same unit.
pub(crate) async fn redeem(
    page: &Page,
    journey: &Journey,
    code: &str,
) -> Result<Redeemed, StoreError> {
    let Ok(to) = step(journey.purpose, journey.state, Event::CodeAccepted) else {
        return Ok(Redeemed::Dead);
    };
    let (journey, code, now) = (journey.clone(), code.to_owned(), page.now());
    page.state
        .db
        .write("redeem_code", move |tx| {
            let (journey, code) = (journey.clone(), code.clone());
            Box::pin(async move {
                let Some(id) = &journey.otp_id else { return Ok(Redeemed::Dead) };
                let redeemed = otp::redeem(tx, id, &code, now).await?;
                if redeemed != Redeemed::Accepted {
                    return Ok(redeemed);
                }
                let moved = somebody(&journey)
                    && journey::advance(tx, &journey.id, (At::CodeSent, to), None, now).await?;
                Ok(if moved { redeemed } else { Redeemed::Dead })
            })
        })
        .await
}

/// Sends a further code and ends the one before.
pub(crate) async fn again(page: &Page, way: &Way, journey: &Journey) -> Result<Again, StoreError> {
    let now = page.now();
    let due = step(journey.purpose, journey.state, Event::SendCode).is_ok();
    if !due || journey.sends >= SENDS || now < journey.sent_at + GAP {
        return Ok(Again::Wait);
    }
    let outgoing = outgoing(page, way, &journey.phone);
    let limits = limits::code(&page.state, &journey.phone, &page.network);
    let journey = journey.clone();
    let sent = page
        .state
        .db
        .write("resend_code", move |tx| {
            let (journey, outgoing, limits) = (journey.clone(), outgoing.clone(), limits.clone());
            Box::pin(async move { again_unit(tx, &journey, &outgoing, &limits, now).await })
        })
        .await?;
    page.state.outbox_wake.notify_one();
    Ok(sent)
}

async fn again_unit(
    tx: &mut Tx,
    journey: &Journey,
    outgoing: &Outgoing,
    limits: &[Limit],
    now: i64,
) -> Result<Again, StoreError> {
    if throttle::count(tx, limits, now).await?.is_some() {
        return Ok(Again::Wait);
    }
    if !journey::resent(tx, journey, Some(&outgoing.otp), now).await? {
        return Ok(Again::Wait);
    }
    if let Some(old) = &journey.otp_id {
        otp::kill(tx, old, now).await?;
    }
    send(tx, outgoing, somebody(journey)).await?;
    Ok(Again::Sent)
}

/// The digits of what a person typed as a code.
pub(crate) fn digits(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c {
            '０'..='９' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
            other => other,
        })
        .take(12)
        .collect()
}
