//! `/device`: a person types the code that a device shows, sees what asks for what, and decides
//! (RFC 8628 §3.3). A code that is sent to somebody is how accounts are stolen across devices
//! (RFC 8628 §5.4, RFC 10027; attacks rows 31, 32): nothing is allowed without this page.

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use idp_protocol::device as rules;
use idp_store::device::Device;
use idp_store::{StoreError, Tx, throttle};

use super::consent::{self, flow_of, partner};
use super::form::{Field, Fields};
use super::page::{Form, Page};
use super::reply::{self, Forms, see_other, with_cookie};
use super::shell::Shell;
use super::text::Lang;
use super::view::{Button, DevicePage, Link, MessagePage, Notice};
use super::{limits, times};
use crate::flow::{self, Begun, Flow};
use crate::session::Who;

/// `/device`: a link with the code in it (RFC 8628 §3.3.1) fills the field, and the person still
/// compares and sends it.
pub(crate) async fn show(page: Page) -> Response {
    let code = page.query("user_code").and_then(|text| rules::typed(&text));
    let shown = code.map(|code| rules::shown(&code)).unwrap_or_default();
    form(&page, StatusCode::OK, &shown, None, None)
}

fn form(
    page: &Page,
    status: StatusCode,
    typed: &str,
    notice: Option<Notice>,
    error: Option<String>,
) -> Response {
    let mut field = Field::text("user_code", page.t("label-user-code"));
    field = field.hint(page.t("hint-user-code")).value(typed).error(error);
    (field.class, field.longest) = ("input-code input-user-code", 40);
    page.form(
        status,
        Form {
            title: page.t("device-title"),
            lead: Some(page.t("device-lead")),
            notice: Some(notice.unwrap_or_else(|| Notice::info(page.t("device-warning")))),
            action: "/device",
            fields: vec![field],
            submit: page.t("continue"),
            ..Form::default()
        },
    )
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    match take(&page, fields.get("user_code")).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

/// What came of a code.
enum Looked {
    Found(Box<Device>),
    Nobody,
    TooMany,
}

async fn take(page: &Page, text: &str) -> Result<Response, StoreError> {
    let wrong = |page: &Page| {
        let notice = Notice::error(page.t("correct-below"));
        let error = Some(page.t("device-code-wrong"));
        form(page, StatusCode::UNPROCESSABLE_ENTITY, text, Some(notice), error)
    };
    let Some(code) = rules::typed(text) else { return Ok(wrong(page)) };
    let device = match look_up(page, code).await? {
        Looked::Found(device) => device,
        Looked::Nobody => return Ok(wrong(page)),
        Looked::TooMany => {
            let notice = Notice::error(page.t("device-limited"));
            return Ok(form(page, StatusCode::TOO_MANY_REQUESTS, "", Some(notice), None));
        }
    };
    let Some(known) = page.state.clients.find(&page.state, &device.client_id).await? else {
        return Ok(wrong(page));
    };
    let asked = device.asked;
    let request = rules::request(&known.client, asked.scope, asked.targets, device.id);
    match flow::begin(&page.state, &page.headers, &page.network, request).await? {
        Begun::Kept(id, cookies) => {
            let onward = see_other(&format!("/oauth2/authorize/{id}"));
            Ok(cookies.into_iter().fold(onward, with_cookie))
        }
        Begun::Limited(_) => {
            let notice = Notice::error(page.t("device-limited"));
            Ok(form(page, StatusCode::TOO_MANY_REQUESTS, "", Some(notice), None))
        }
    }
}

/// Counts the try before it is judged, so that tries side by side cannot slip past (attacks
/// row 32); a right one is taken back.
async fn look_up(page: &Page, code: String) -> Result<Looked, StoreError> {
    let (limits, now) = (limits::user_code(&page.network), page.now());
    page.state
        .db
        .write("device_code", move |tx: &mut Tx| {
            let (limits, code) = (limits.clone(), code.clone());
            Box::pin(async move {
                if throttle::count(tx, &limits, now).await?.is_some() {
                    return Ok(Looked::TooMany);
                }
                let Some(device) = idp_store::device::find_by_code(tx, &code, now).await? else {
                    return Ok(Looked::Nobody);
                };
                throttle::release(tx, &limits, now).await?;
                Ok(Looked::Found(Box::new(device)))
            })
        })
        .await
}

/// The flow of this browser, and the device that it is about, if it still waits.
async fn standing(page: &mut Page) -> Result<(Flow, Device), Response> {
    let flow = flow_of(page).await?;
    let Some(id) = flow.request.device.clone() else { return Err(page.to_signin()) };
    let found = page
        .state
        .db
        .read::<_, StoreError, _>("device", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::device::find(tx, &id).await })
        })
        .await;
    let waits = |device: &Device| device.state == "waiting" && device.expires_at > page.now();
    match found {
        Ok(found) => match found.filter(waits) {
            Some(device) => Ok((flow, device)),
            None => {
                let notice = Notice::error(page.t("device-over"));
                let notice = notice.link(Link::new("/device", page.t("device-again")));
                let title = page.t("device-title");
                Err(page.message(StatusCode::BAD_REQUEST, title, notice, Vec::new()))
            }
        },
        Err(cause) => Err(page.failed(&cause)),
    }
}

pub(crate) async fn show_confirm(mut page: Page) -> Response {
    let (flow, device) = match standing(&mut page).await {
        Ok(both) => both,
        Err(answer) => return answer,
    };
    if citizen(&page).is_none() {
        return page.to_signin();
    }
    let name = partner(&flow, page.lang);
    let elsewhere = device.asked.network != page.network;
    let warning = if elsewhere { "device-elsewhere" } else { "device-warning" };
    let button =
        |value, key: &str, class| Button { name: "confirm", value, label: page.t(key), class };
    let view = DevicePage {
        shell: page.shell(),
        title: page.lang.with("device-confirm-title", &[("partner", &name)]),
        warning: page.t(warning),
        elsewhere,
        facts: vec![
            (page.t("device-fact-client"), name.clone()),
            (page.t("device-fact-begun"), times::local(device.created_at)),
            (page.t("device-fact-network"), place(&page, &device, elsewhere)),
        ],
        lead: page.lang.with("device-confirm-lead", &[("partner", &name)]),
        lines: consent::lines(&page, &flow).await,
        action: Page::address("/device/confirm", Some(&flow.id)),
        buttons: vec![
            button("yes", "device-yes", "button-primary"),
            button("no", "device-no", "button-quiet"),
        ],
        small: page.t("device-small"),
    };
    reply::page(StatusCode::OK, Forms::Onward, &view)
}

fn place(page: &Page, device: &Device, elsewhere: bool) -> String {
    let network = &device.asked.network;
    let key = if elsewhere { "device-network-other" } else { "device-network-same" };
    page.lang.with(key, &[("network", network)])
}

fn citizen(page: &Page) -> Option<String> {
    match page.signed_in.as_ref().map(|signed_in| &signed_in.who) {
        Some(Who::Citizen(person)) => Some(person.clone()),
        _ => None,
    }
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
    let Some(person) = citizen(&page) else { return page.to_signin() };
    let decided = match fields.get("confirm") {
        "yes" => flow::consent(&page.state, &flow, &person).await,
        "no" => flow::deny(&page.state, &flow).await,
        _ => return see_other(&Page::address("/device/confirm", Some(&flow.id))),
    };
    match decided {
        Ok(()) => see_other(&flow.resume()),
        Err(cause) => page.failed(&cause),
    }
}

/// After the decision: the device goes on by itself.
pub(crate) fn decided(headers: &HeaderMap, allowed: bool) -> Response {
    // Whoever decided is signed in.
    let shell = Shell { signed_in: true, ..Shell::bare(Lang::of(headers, None)) };
    let notice = if allowed {
        Notice::success(shell.t("device-allowed"))
    } else {
        Notice::info(shell.t("device-refused"))
    };
    let page = MessagePage {
        title: shell.t(if allowed { "device-allowed-title" } else { "device-refused-title" }),
        notice: notice.link(Link::new("/account", shell.t("back-account"))),
        code: String::new(),
        paragraphs: vec![shell.t(if allowed {
            "device-allowed-next"
        } else {
            "device-refused-next"
        })],
        shell,
    };
    reply::page(StatusCode::OK, Forms::Ours, &page)
}
