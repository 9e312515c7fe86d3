//! `/account`: who I am, my sessions and consents, and who looked at my data.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::phone::Phone;
use idp_domain::consent::Asked;
use idp_protocol::client::document::Address;
use idp_protocol::scope::Scope;
use idp_store::audit::{self, Shown};
use idp_store::consent::{self, Consent};
use idp_store::person::{self, PersonClaims};
use idp_store::{StoreError, account, staff};
use serde_json::json;

use super::consent::{group_keys, named};
use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other, with_cookie};
use super::text::Lang;
use super::view::{AccountPage, ConsentView, SessionView, StaffPage, WhoView};
use super::{signout, times, trail};
use crate::session::{self, SignedIn, Who};

/// Lines of the trail on the first page.
const FEW: u32 = 6;

/// The signed-in citizen, or the answer that leads to signing in.
pub(crate) fn citizen(page: &Page) -> Result<String, Response> {
    match page.signed_in.as_ref().map(|signed_in| &signed_in.who) {
        Some(Who::Citizen(person)) => Ok(person.clone()),
        Some(Who::Staff(_)) => Err(see_other("/account")),
        None => Err(page.to_signin()),
    }
}

pub(crate) async fn show(page: Page) -> Response {
    let Some(signed_in) = page.signed_in.clone() else { return page.to_signin() };
    let shown = match &signed_in.who {
        Who::Citizen(person) => citizen_page(&page, person, &signed_in).await,
        Who::Staff(id) => staff_page(&page, id).await,
    };
    shown.unwrap_or_else(|cause| page.failed(&cause))
}

async fn staff_page(page: &Page, id: &str) -> Result<Response, StoreError> {
    let id = id.to_owned();
    let found = page
        .state
        .db
        .read::<_, StoreError, _>("staff", move |tx| {
            let id = id.clone();
            Box::pin(async move { staff::find(tx, &id).await })
        })
        .await?;
    let Some(found) = found else { return Ok(page.to_signin()) };
    let role = match found.role.as_str() {
        "officer" => page.t("role-officer"),
        "supervisor" => page.t("role-supervisor"),
        "administrator" => page.t("role-administrator"),
        other => other.to_owned(),
    };
    let view = StaffPage { shell: page.shell(), name: found.name, role };
    Ok(reply::page(StatusCode::OK, Forms::Ours, &view))
}

type Everything = (Option<PersonClaims>, Vec<Consent>, Vec<Shown>, usize);

async fn citizen_page(
    page: &Page,
    person: &str,
    signed_in: &SignedIn,
) -> Result<Response, StoreError> {
    let owner = person.to_owned();
    let now = page.now();
    let (claims, consents, lines, waiting) = page
        .state
        .db
        .read::<Everything, StoreError, _>("account_page", move |tx| {
            let owner = owner.clone();
            Box::pin(async move {
                Ok((
                    person::claims(tx, &owner).await?,
                    consent::list(tx, &owner).await?,
                    audit::list(tx, &owner, i64::MAX, FEW).await?,
                    idp_store::backchannel::waiting_of(tx, &owner, now).await?.len(),
                ))
            })
        })
        .await?;
    let Some(claims) = claims else { return Ok(page.to_signin()) };
    let sessions = session::of_person(&page.state, person).await?;
    let lang = page.lang;
    let mut shown = Vec::with_capacity(consents.len());
    for consent in &consents {
        let host = host(page, &consent.client_id).await?;
        shown.push(consent_view(lang, consent, host.as_deref()));
    }
    let view = AccountPage {
        shell: page.shell(),
        done: page.query("done").and_then(|done| done_key(&done)).map(|key| page.t(key)),
        waiting,
        who: who(lang, &claims),
        sessions: sessions.iter().map(|session| session_view(lang, session, signed_in)).collect(),
        consents: shown,
        lines: lines.iter().map(|line| trail::line(lang, line)).collect(),
    };
    Ok(reply::page(StatusCode::OK, Forms::Ours, &view))
}

fn done_key(done: &str) -> Option<&'static str> {
    Some(match done {
        "password" => "done-password",
        "session" => "done-session",
        "consent" => "done-consent",
        "language" => "done-language",
        _ => return None,
    })
}

fn who(lang: Lang, claims: &PersonClaims) -> WhoView {
    let name = PersonName::parse(&claims.name).map(|name| name.masked());
    let phone = claims.phone.as_deref().and_then(|phone| Phone::parse(phone).ok());
    let level_key = match claims.proofing {
        1 => "level-1",
        2 => "level-2",
        3 => "level-3",
        4 => "level-4",
        _ => "level-5",
    };
    WhoView {
        name: name.unwrap_or_default(),
        number: claims.number_masked.clone(),
        phone: phone.map_or_else(|| lang.t("phone-none"), |phone| phone.masked()),
        level: claims.proofing,
        level_name: lang.t(level_key),
        proofed_at: lang.with("proofed-at", &[("day", &times::day(claims.updated_at))]),
    }
}

fn session_view(lang: Lang, session: &SignedIn, current: &SignedIn) -> SessionView {
    let (from, seen) = (times::local(session.created_at), times::local(session.seen_at));
    SessionView {
        id: session.id.clone(),
        device: trail::device_name(lang, &session.device),
        since: lang.with("session-since", &[("from", &from), ("seen", &seen)]),
        current: session.id == current.id,
    }
}

/// The host of a partner that describes itself. What stands registered is no such partner; of one
/// that is gone or kept out, the id says enough.
async fn host(page: &Page, client_id: &str) -> Result<Option<String>, StoreError> {
    let Ok(address) = Address::parse(client_id) else { return Ok(None) };
    let known = page.state.clients.find(&page.state, client_id).await?;
    let registered = known.is_some_and(|known| !known.client.published);
    Ok((!registered).then(|| address.host().to_owned()))
}

fn consent_view(lang: Lang, consent: &Consent, host: Option<&str>) -> ConsentView {
    let allowed = Asked {
        scope: Scope::parse(&consent.scope).unwrap_or_default(),
        claims: consent.claims.split_whitespace().map(str::to_owned).collect(),
    };
    let groups = allowed.groups();
    let titles = groups.iter().filter_map(|group| group_keys(group).map(|keys| lang.t(keys.0)));
    let mut what: Vec<String> = titles.collect();
    if groups.is_empty() {
        what.push(lang.t("group-none"));
    }
    // The name is kept in both languages, one a line, as the person saw it.
    let mut names = consent.client_name.lines();
    let (chinese, english) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let name = if lang == Lang::English && !english.is_empty() { english } else { chinese };
    let name = if name.is_empty() { &consent.client_id } else { name };
    ConsentView {
        client_id: consent.client_id.clone(),
        client_name: named(lang, name.to_owned(), host),
        what: what.join(&lang.t("list-comma")),
        since: lang.with("consent-since", &[("day", &times::day(consent.granted_at))]),
    }
}

pub(crate) async fn end_session(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let Some(signed_in) = page.signed_in.clone() else { return page.to_signin() };
    let ended = fields.get("session");
    if ended == signed_in.id {
        return signout::leave(&page, &signed_in, "session_ended").await;
    }
    match session::end(&page.state, ended, &signed_in.who, "session_ended").await {
        Ok(_) => see_other("/account?done=session"),
        Err(cause) => page.failed(&cause),
    }
}

pub(crate) async fn withdraw(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    let (client, now) = (fields.get("client_id").to_owned(), page.now());
    let withdrawn = page
        .state
        .db
        .write::<_, StoreError, _>("withdraw_consent", move |tx| {
            let (person, client) = (person.clone(), client.clone());
            Box::pin(async move {
                let known = consent::find(tx, &person, &client).await?;
                if !consent::withdraw(tx, &person, &client, now).await? {
                    return Ok(());
                }
                let name = known.map(|known| known.client_name).unwrap_or_default();
                let name = name.lines().next().unwrap_or_default();
                let details = json!({ "client": client, "name": name });
                let line = audit::Line {
                    at: now,
                    kind: "consent_withdrawn",
                    actor: "self".to_owned(),
                    details,
                };
                audit::append(tx, &person, line).await
            })
        })
        .await;
    match withdrawn {
        Ok(()) => {
            page.state.outbox_wake.notify_one();
            see_other("/account?done=consent")
        }
        Err(cause) => page.failed(&cause),
    }
}

pub(crate) async fn set_language(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    let Some(lang) = Lang::from_tag(fields.get("language")) else {
        return page.status(StatusCode::BAD_REQUEST);
    };
    let kept = page
        .state
        .db
        .write::<_, StoreError, _>("set_language", move |tx| {
            let person = person.clone();
            Box::pin(async move { account::set_language(tx, &person, lang.tag()).await })
        })
        .await;
    match kept {
        Ok(()) => with_cookie(see_other("/account?done=language"), super::language_cookie(lang)),
        Err(cause) => page.failed(&cause),
    }
}
