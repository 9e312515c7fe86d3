//! `/account/requests`: what partners ask over the back channel (CIBA), and the person's answer.
//!
//! Whoever is asked again and again says yes in the end, and whoever is asked by a stranger may take
//! them for the office in front of them (RFC 10027; attacks row 33): the page names who asks and
//! shows the message that the other screen shows, and nothing is allowed anywhere else.

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use idp_protocol::ciba as rules;
use idp_protocol::client::Client;
use idp_store::backchannel::Backchannel;
use idp_store::{StoreError, Tx};

use super::account::citizen;
use super::consent::{self, flow_of, partner};
use super::form::Fields;
use super::page::Page;
use super::reply::{self, Forms, see_other, with_cookie};
use super::shell::Shell;
use super::text::Lang;
use super::times;
use super::view::{Button, DevicePage, Link, MessagePage, Notice, WaitingPage, WaitingView};
use crate::flow::{self, Begun, Flow};
use crate::oidc::subject;
use crate::session::Who;

/// The message that tells a person that something waits: who asks, and where to look; no link,
/// because messages with links are what thieves send.
pub(crate) fn message(language: Option<&str>, client: &Client, _issuer: &str) -> String {
    let lang = language.and_then(Lang::from_tag).unwrap_or_default();
    lang.with("ciba-sms", &[("partner", client.name(lang.tag()))])
}

pub(crate) async fn show(page: Page) -> Response {
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    match list(&page, &person).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn list(page: &Page, person: &str) -> Result<Response, StoreError> {
    let (owner, now) = (person.to_owned(), page.now());
    let found: Vec<Backchannel> = page
        .state
        .db
        .read("waiting", move |tx: &mut Tx| {
            let owner = owner.clone();
            Box::pin(async move { idp_store::backchannel::waiting_of(tx, &owner, now).await })
        })
        .await?;
    let mut requests = Vec::new();
    for asked in found {
        let Some(known) = page.state.clients.find(&page.state, &asked.client_id).await? else {
            continue;
        };
        requests.push(WaitingView {
            partner: known.client.name(page.lang.tag()).to_owned(),
            message: asked.asked.binding_message.unwrap_or_default(),
            begun: times::local(asked.created_at),
            id: asked.id,
        });
    }
    let view = WaitingPage { shell: page.shell(), requests };
    Ok(reply::page(StatusCode::OK, Forms::Ours, &view))
}

/// Begins the person's decision: a flow of this browser, as any sign-in is.
pub(crate) async fn open(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    match begin(&page, &person, fields.get("request")).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn begin(page: &Page, person: &str, id: &str) -> Result<Response, StoreError> {
    let asked = find(page, id).await?;
    // Another's request is not there (attacks row 53).
    let Some(asked) = asked.filter(|asked| asked.person_id == person) else {
        return Ok(over(page));
    };
    let Some(known) = page.state.clients.find(&page.state, &asked.client_id).await? else {
        return Ok(over(page));
    };
    let who = Who::Citizen(person.to_owned());
    let sub = subject::of(&page.state, &known.client, &who);
    let wanted = (asked.asked.scope, asked.asked.targets);
    let request = rules::request(&known.client, wanted, asked.asked.acr, sub, asked.id);
    match flow::begin(&page.state, &page.headers, &page.network, request).await? {
        Begun::Kept(id, cookies) => {
            let onward = see_other(&format!("/oauth2/authorize/{id}"));
            Ok(cookies.into_iter().fold(onward, with_cookie))
        }
        Begun::Limited(_) => Ok(page.status(StatusCode::TOO_MANY_REQUESTS)),
    }
}

/// A request that waits.
async fn find(page: &Page, id: &str) -> Result<Option<Backchannel>, StoreError> {
    let (id, now) = (id.to_owned(), page.now());
    let found: Option<Backchannel> = page
        .state
        .db
        .read("waiting_one", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::backchannel::find(tx, &id).await })
        })
        .await?;
    Ok(found.filter(|asked| asked.state == "waiting" && asked.expires_at > now))
}

fn over(page: &Page) -> Response {
    let notice = Notice::error(page.t("ciba-over"));
    let notice = notice.link(Link::new("/account/requests", page.t("ciba-title")));
    page.message(StatusCode::BAD_REQUEST, page.t("ciba-title"), notice, Vec::new())
}

/// The flow of this browser, and the request that it is about, if it still waits.
async fn standing(page: &mut Page) -> Result<(Flow, Backchannel), Response> {
    let flow = flow_of(page).await?;
    let Some(id) = flow.request.backchannel.clone() else { return Err(page.to_signin()) };
    match find(page, &id).await {
        Ok(Some(asked)) => Ok((flow, asked)),
        Ok(None) => Err(over(page)),
        Err(cause) => Err(page.failed(&cause)),
    }
}

pub(crate) async fn show_confirm(mut page: Page) -> Response {
    let (flow, asked) = match standing(&mut page).await {
        Ok(both) => both,
        Err(answer) => return answer,
    };
    if let Err(answer) = citizen(&page) {
        return answer;
    }
    let name = partner(&flow, page.lang);
    let button =
        |value, key: &str, class| Button { name: "consent", value, label: page.t(key), class };
    let mut facts = vec![
        (page.t("device-fact-client"), name.clone()),
        (page.t("device-fact-begun"), times::local(asked.created_at)),
    ];
    if let Some(message) = asked.asked.binding_message {
        facts.insert(1, (page.t("ciba-fact-message"), message));
    }
    let view = DevicePage {
        shell: page.shell(),
        title: page.lang.with("ciba-confirm-title", &[("partner", &name)]),
        warning: page.t("ciba-warning"),
        elsewhere: false,
        facts,
        lead: page.lang.with("ciba-confirm-lead", &[("partner", &name)]),
        lines: consent::lines(&page, &flow).await,
        action: Page::address("/account/requests/confirm", Some(&flow.id)),
        buttons: vec![
            button("allow", "ciba-yes", "button-primary"),
            button("deny", "ciba-no", "button-quiet"),
        ],
        small: page.t("device-small"),
    };
    reply::page(StatusCode::OK, Forms::Onward, &view)
}

pub(crate) async fn submit_confirm(mut page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let (flow, _) = match standing(&mut page).await {
        Ok(both) => both,
        Err(answer) => return answer,
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    let decided = match fields.get("consent") {
        "allow" => flow::consent(&page.state, &flow, &person).await,
        "deny" => flow::deny(&page.state, &flow).await,
        _ => return see_other(&Page::address("/account/requests/confirm", Some(&flow.id))),
    };
    match decided {
        Ok(()) => see_other(&flow.resume()),
        Err(cause) => page.failed(&cause),
    }
}

/// After the decision: the partner goes on by itself.
pub(crate) fn decided(headers: &HeaderMap, allowed: bool) -> Response {
    let shell = Shell::bare(Lang::of(headers, None));
    let notice = if allowed {
        Notice::success(shell.t("ciba-allowed"))
    } else {
        Notice::info(shell.t("ciba-refused"))
    };
    let page = MessagePage {
        title: shell.t("ciba-title"),
        notice: notice.link(Link::new("/account", shell.t("back-account"))),
        code: String::new(),
        paragraphs: vec![shell.t(if allowed { "ciba-allowed-next" } else { "ciba-refused-next" })],
        shell,
    };
    reply::page(StatusCode::OK, Forms::Ours, &page)
}
