//! What a person sees: signing in, registering, recovering, consent, step-up, the account centre.

mod account;
mod assets;
mod audit_pages;
mod choose;
mod code_pages;
mod codes;
mod consent;
mod device;
mod devices;
mod enrol;
mod face;
mod faults;
mod form;
mod identifier;
mod identity;
mod leaving;
mod limits;
mod missing;
mod page;
mod partner_card;
mod passwords;
mod recover;
mod register;
mod render;
mod reply;
mod sandbox;
mod second_factor;
mod security;
mod shell;
mod signin;
mod signout;
mod sms;
mod stepup;
#[cfg(test)]
mod tests;
mod text;
mod times;
mod trail;
mod view;
mod waiting;
mod ways;

use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, extract};
use http::{HeaderMap, StatusCode};

use crate::State;

pub use assets::{mark_address, stylesheet_address};
pub use form::Fields;
pub use passwords::{Busy, Hasher, Hashing};
pub use sandbox::{Sandbox, TestPerson};
pub use text::Lang;

pub(crate) use identifier::read as identifier;
pub(crate) use limits::authorization as authorization_limit;
pub(crate) use limits::backchannel as backchannel_limits;
pub(crate) use limits::device as device_limit;
pub(crate) use limits::registration as registration_limit;
pub(crate) use partner_card::Logos;
pub(crate) use passwords::hash as hash_password;
pub(crate) use sandbox::observe;
pub(crate) use security::freeze;
pub(crate) use waiting::message as backchannel_message;

/// Seconds that a chosen language is kept.
const YEAR: i64 = 365 * 86_400;

/// A form: shown by GET, taken by POST.
fn form<H, T, I, U>(show: H, submit: I) -> MethodRouter<State>
where
    H: Handler<T, State>,
    T: 'static,
    I: Handler<U, State>,
    U: 'static,
{
    get(show).post(submit)
}

/// The pages' routes.
pub fn router(state: &State) -> Router<State> {
    let signing_in = Router::new()
        .route("/signin", form(signin::show, signin::submit))
        .route("/signin/logo", get(partner_card::logo))
        .route("/signin/account", form(choose::show, choose::submit))
        .route("/account/requests", form(waiting::show, waiting::open))
        .route("/account/requests/confirm", form(waiting::show_confirm, waiting::submit_confirm))
        .route("/device", form(device::show, device::submit))
        .route("/device/confirm", form(device::show_confirm, device::submit_confirm))
        .route("/signin/code", form(second_factor::show, second_factor::submit))
        .route("/signin/sms", form(sms::show, sms::submit))
        .route("/signin/sms/code", form(sms::show_code, sms::submit_code))
        .route("/signin/sms/resend", post(sms::resend))
        .route("/signout", form(signout::show, signout::submit))
        .route("/consent", form(consent::show, consent::submit))
        .route("/stepup", form(stepup::show, stepup::submit))
        .route("/stepup/return", get(face::show_return));
    let joining = Router::new()
        .route("/register", form(register::show, register::submit))
        .route("/register/code", form(register::show_code, register::submit_code))
        .route("/register/resend", post(register::resend))
        .route("/register/password", form(register::show_password, register::submit_password))
        .route("/register/identity", form(register::show_identity, register::submit_identity))
        .route("/register/exists", get(register::show_exists))
        .route("/recover", form(recover::show, recover::submit))
        .route("/recover/code", form(recover::show_code, recover::submit_code))
        .route("/recover/resend", post(recover::resend))
        .route("/recover/evidence", form(recover::show_evidence, recover::submit_evidence))
        .route("/recover/password", form(recover::show_password, recover::submit_password));
    let account = Router::new()
        .route("/account", get(account::show))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/consents/withdraw", post(account::withdraw))
        .route("/account/language", post(account::set_language))
        .route("/account/audit", get(audit_pages::show))
        .route("/account/audit.json", get(audit_pages::export))
        .route("/account/password", form(security::show_password, security::submit_password))
        .route("/account/freeze", form(security::show_freeze, security::submit_freeze))
        .route("/account/frozen", get(security::show_frozen));
    signing_in
        .merge(joining)
        .merge(account)
        .merge(sandbox::router(state))
        .method_not_allowed_fallback(missing::wrong_method)
        .layer(middleware::from_fn(keep_language))
        .route("/static/tongban.css", get(assets::stylesheet))
        .route("/static/mark.svg", get(assets::mark))
        .route("/favicon.ico", get(assets::mark))
}

/// What answers addresses that neither half knows; the server mounts it.
pub async fn not_found(state: extract::State<State>, request: Request) -> Response {
    use axum::extract::FromRequestParts as _;
    let (mut parts, _) = request.into_parts();
    match page::Page::from_request_parts(&mut parts, &state).await {
        Ok(page) => missing::not_found(page).await,
        Err(never) => match never {},
    }
}

/// A `?lang=` link keeps its choice.
async fn keep_language(request: Request, next: Next) -> Response {
    let chosen = request.uri().query().and_then(Lang::chosen);
    let response = next.run(request).await;
    match chosen {
        Some(lang) => reply::with_cookie(response, language_cookie(lang)),
        None => response,
    }
}

/// No secret: both halves read it, so its name has no port.
fn language_cookie(lang: Lang) -> http::HeaderValue {
    let text =
        format!("{}={}; Path=/; Max-Age={YEAR}; SameSite=Lax", text::LANGUAGE_COOKIE, lang.tag());
    http::HeaderValue::from_str(&text).unwrap_or_else(|_| http::HeaderValue::from_static(""))
}

/// A protocol error shown to a person.
pub(crate) fn protocol_error(
    _state: &State,
    headers: &HeaderMap,
    status: StatusCode,
    code: &str,
    description: &str,
) -> Response {
    render::protocol_error(headers, status, code, description)
}

/// A page that posts `fields` to `redirect_uri` (OAuth 2.0 Form Post Response Mode §2).
pub(crate) fn form_post(
    _state: &State,
    headers: &HeaderMap,
    redirect_uri: &str,
    fields: &[(String, String)],
) -> Response {
    render::form_post(headers, redirect_uri, fields)
}

/// Asks whether to sign out.
pub(crate) fn confirm_logout(
    _state: &State,
    headers: &HeaderMap,
    client_name: Option<&str>,
    fields: &[(String, String)],
) -> Response {
    render::confirm_logout(headers, client_name, fields)
}

/// Holds partners' frames while the browser signs out, then goes on to `next`.
pub(crate) fn leaving(
    _state: &State,
    headers: &HeaderMap,
    frames: &[String],
    next: Option<&str>,
) -> Response {
    leaving::page(headers, frames, next)
}

/// Says what a person decided about a request over the back channel.
pub(crate) fn backchannel_decided(_state: &State, headers: &HeaderMap, allowed: bool) -> Response {
    waiting::decided(headers, allowed)
}

/// Says what a person decided about a device.
pub(crate) fn device_decided(_state: &State, headers: &HeaderMap, allowed: bool) -> Response {
    device::decided(headers, allowed)
}

/// Says that nobody is signed in any more.
pub(crate) fn signed_out(_state: &State, headers: &HeaderMap) -> Response {
    render::signed_out(headers)
}
