//! `/consent?flow=`: what a partner asks for, one line a group, allow or deny.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_protocol::client::document;
use idp_protocol::details::{self, Reach};
use idp_protocol::redirect_uri;
use idp_store::StoreError;

use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other};
use super::text::Lang;
use super::view::{Button, ChoicePage, ClaimLine, Link, Notice};
use crate::flow::{self, Flow};
use crate::session::Who;

/// Name of a partner in the page's language.
pub(crate) fn partner(flow: &Flow, lang: Lang) -> String {
    let english = flow.client.client_name_en.clone().filter(|_| lang == Lang::English);
    let name = english.unwrap_or_else(|| flow.client.client_name.clone());
    let name = if name.is_empty() { flow.client.client_id.clone() } else { name };
    named(lang, name, document::host(&flow.client).as_deref())
}

/// A partner's name, with the host of one that describes itself: a name that nobody vouches for
/// never stands alone (CIMD §8).
pub(crate) fn named(lang: Lang, name: String, host: Option<&str>) -> String {
    match host {
        Some(host) => lang.with("partner-at-host", &[("partner", &name), ("host", host)]),
        None => name,
    }
}

/// The flow that a page is about, in its language (OpenID Connect Core §3.1.2.1 `ui_locales`).
pub(crate) async fn flow_of(page: &mut Page) -> Result<Flow, Response> {
    let Some(id) = page.flow() else { return Err(lost(page)) };
    match flow::load(&page.state, &page.headers, &id).await {
        Ok(Some(flow)) => Ok(flow),
        Ok(None) => Err(lost(page)),
        Err(cause) => Err(page.failed(&cause)),
    }
}

/// The page of a flow that has expired, was answered, or began in another browser.
fn lost(page: &Page) -> Response {
    let notice = Notice::error(page.t("flow-lost"));
    let notice = notice.link(Link::new("/account", page.t("nav-account")));
    page.message(StatusCode::BAD_REQUEST, page.t("flow-lost-title"), notice, Vec::new())
}

pub(crate) async fn show(mut page: Page) -> Response {
    let flow = match flow_of(&mut page).await {
        Ok(flow) => flow,
        Err(answer) => return answer,
    };
    if !citizen(&page) {
        return page.to_signin();
    }
    let name = partner(&flow, page.lang);
    let lines = lines(&page, &flow).await;
    let choice = ChoicePage {
        shell: page.shell(),
        title: page.lang.with("consent-title", &[("partner", &name)]),
        simulator: None,
        notice: listener(&page, &flow),
        lead: page.lang.with("consent-lead", &[("partner", &name)]),
        lines,
        action: Page::address("/consent", Some(&flow.id)),
        hidden: Vec::new(),
        buttons: vec![
            Button {
                name: "consent",
                value: "allow",
                label: page.t("consent-allow"),
                class: "button-primary",
            },
            Button { name: "consent", value: "deny", label: page.t("consent-deny"), class: "" },
        ],
        small: Some(page.t("consent-small")),
    };
    reply::page(StatusCode::OK, Forms::Onward, &choice)
}

/// What a page shows of a request before a person allows it.
pub(crate) async fn lines(page: &Page, flow: &Flow) -> Vec<ClaimLine> {
    let groups = flow.asks();
    let lines = groups.iter().map(|group| asked(page.lang, group, flow));
    let known = groups.is_empty().then(|| known_again(page.lang));
    let first = publisher(page.lang, flow).into_iter().chain(known);
    first.chain(lines).chain(acting(page, flow).await).collect()
}

/// What `openid` alone gives (OpenID Connect Core §2): a page that asked for nothing would say
/// neither that something is given nor how little.
fn known_again(lang: Lang) -> ClaimLine {
    let (title, text) = (lang.t("group-none"), lang.t("group-none-text"));
    ClaimLine { name: "openid".to_owned(), title, text }
}

/// At whose site the partner describes itself, first of all (CIMD §8; attacks row 34): its name is
/// its own choice.
fn publisher(lang: Lang, flow: &Flow) -> Option<ClaimLine> {
    let host = document::host(&flow.client)?;
    Some(ClaimLine {
        name: "publisher".to_owned(),
        title: lang.with("publisher-title", &[("host", &host)]),
        text: lang.t("publisher-text"),
    })
}

/// That the answer of one that describes itself goes to a program on this device: whoever gets a
/// program to run here can send the person with another's `client_id` and listen (CIMD §8;
/// RFC 8252 §8.6).
fn listener(page: &Page, flow: &Flow) -> Option<Notice> {
    let local = flow.client.published && redirect_uri::is_local(&flow.request.redirect_uri);
    local.then(|| Notice::warning(page.t("local-listener")))
}

/// Who may act with what the partner gets (RFC 8693 §4.4): the person does not meet them.
async fn acting(page: &Page, flow: &Flow) -> Option<ClaimLine> {
    let mut names = Vec::new();
    for id in &flow.client.may_act {
        // One that is gone cannot act.
        if let Ok(Some(known)) = page.state.clients.find(&page.state, id).await {
            let name = &known.client.client_name;
            names.push(if name.is_empty() { id.clone() } else { name.clone() });
        }
    }
    let list = names.join(&page.lang.t("list-comma"));
    (!names.is_empty()).then(|| ClaimLine {
        name: "may_act".to_owned(),
        title: page.lang.t("group-acting"),
        text: page.lang.with("group-acting-text", &[("list", &list)]),
    })
}

fn citizen(page: &Page) -> bool {
    matches!(page.signed_in.as_ref().map(|signed_in| &signed_in.who), Some(Who::Citizen(_)))
}

/// The line of a group; that of authorization details names what they open (RFC 9396 §3).
fn asked(lang: Lang, group: &str, flow: &Flow) -> ClaimLine {
    let shown = line(lang, group);
    if group != details::GROUP {
        return shown;
    }
    let Reach { items, cases } = details::reach(&flow.request.authorization_details);
    let comma = lang.t("list-comma");
    let mut parts = Vec::new();
    if !items.is_empty() {
        parts.push(lang.with("case-access-items", &[("list", &items.join(&comma))]));
    }
    if !cases.is_empty() {
        parts.push(lang.with("case-access-cases", &[("list", &cases.join(&comma))]));
    }
    ClaimLine { text: parts.join(&lang.t("list-semicolon")), ..shown }
}

/// The line of a group of claims; an unknown scope shows its own name.
pub(crate) fn line(lang: Lang, group: &str) -> ClaimLine {
    let (title, text) = match group_keys(group) {
        Some((title, text)) => (lang.t(title), lang.t(text)),
        None => (group.to_owned(), lang.t("group-other")),
    };
    ClaimLine { name: group.to_owned(), title, text }
}

/// Keys of a group's name and of what it holds.
pub(crate) fn group_keys(group: &str) -> Option<(&'static str, &'static str)> {
    Some(match group {
        "profile" => ("group-profile", "group-profile-text"),
        "email" => ("group-email", "group-email-text"),
        "address" => ("group-address", "group-address-text"),
        "phone" => ("group-phone", "group-phone-text"),
        "identity" => ("group-identity", "group-identity-text"),
        "cases" => ("group-cases", "group-cases-text"),
        idp_domain::consent::VERIFIED => ("group-verified", "group-verified-text"),
        details::GROUP => ("group-case-access", "group-case-access-text"),
        "offline_access" => ("group-offline", "group-offline-text"),
        _ => return None,
    })
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
    match decide(&page, &flow, fields.get("consent")).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn decide(page: &Page, flow: &Flow, choice: &str) -> Result<Response, StoreError> {
    let Some(Who::Citizen(person)) = page.signed_in.as_ref().map(|signed_in| &signed_in.who) else {
        return Ok(page.to_signin());
    };
    match choice {
        "allow" => flow::consent(&page.state, flow, person).await?,
        "deny" => flow::deny(&page.state, flow).await?,
        _ => return Ok(see_other(&Page::address("/consent", Some(&flow.id)))),
    }
    Ok(see_other(&flow.resume()))
}
