//! Signing in at the provider and coming back; signing out there.
//!
//! What a sign-in must remember until the answer comes (state, nonce, PKCE verifier, where to go)
//! travels in a sealed cookie that lives ten minutes: it is bound to this browser, a stranger costs
//! no row, and each tab has its own.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::frame::Frame;
use crate::provider::{ProviderError, Wish};
use crate::{State, cookies, local, session};

const PURPOSE: &str = "hall.signin";
/// How long a sign-in may take, milliseconds.
const PATIENCE: i64 = 600_000;

/// What a sign-in remembers.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    level: u8,
    staff: bool,
    at: i64,
}

/// Query of [`begin`].
#[derive(Debug, Deserialize)]
pub struct Begin {
    /// Local path to go to afterwards.
    pub next: Option<String>,
    /// Proofing level that the next page needs.
    pub level: Option<u8>,
}

/// The address of a sign-in for `next` at a level, 0 for none.
#[must_use]
pub fn address(next: &str, level: u8) -> String {
    let next = local::query(next);
    if level == 0 {
        format!("/hall/signin?next={next}")
    } else {
        format!("/hall/signin?level={level}&next={next}")
    }
}

/// `GET /hall/signin`: sends the browser to the provider.
///
/// # Errors
/// A [`Fault`] while the provider does not answer.
pub async fn begin(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    Query(query): Query<Begin>,
) -> Result<Response, Fault> {
    // Attacks row 18: only pages of this site.
    let next = query.next.as_deref().and_then(local::path).unwrap_or("/").to_owned();
    let level = query.level.unwrap_or(0).min(5);
    let staff = next.starts_with("/desk") || next.starts_with("/supervision");
    if let Some(visitor) = &frame.visitor
        && visitor.staff.is_some() == staff
        && visitor.proofing >= level
    {
        return Ok(Redirect::to(&next).into_response());
    }
    let pending = Pending {
        state: state.ambient.secret(),
        nonce: state.ambient.secret(),
        verifier: state.ambient.secret(),
        next,
        level,
        staff,
        at: state.ambient.now(),
    };
    let wish = Wish {
        state: &pending.state,
        nonce: &pending.nonce,
        verifier: &pending.verifier,
        level,
        staff,
        lang: frame.lang,
    };
    let there = state.provider.authorize(&wish).await.map_err(provider_fault)?;
    let cookie = remember(&state, &pending)?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to(there.as_str())).into_response())
}

fn provider_fault(cause: ProviderError) -> Fault {
    match cause {
        ProviderError::Away(cause) => {
            Fault::caused(StatusCode::SERVICE_UNAVAILABLE, "provider-away", cause)
        }
        ProviderError::Refused(cause) => {
            Fault::caused(StatusCode::BAD_REQUEST, "signin-refused", cause)
        }
    }
}

fn cookie_name(state: &State, oauth_state: &str) -> String {
    let tab: String = oauth_state.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("tongban_hall_signin_{}_{tab}", state.settings.port)
}

fn remember(state: &State, pending: &Pending) -> Result<HeaderValue, Fault> {
    let text = serde_json::to_vec(pending)
        .map_err(|cause| Fault::caused(StatusCode::INTERNAL_SERVER_ERROR, "internal", cause))?;
    let sealed = URL_SAFE_NO_PAD.encode(state.db.vault().seal(PURPOSE, text)?);
    let name = cookie_name(state, &pending.state);
    let seconds = u32::try_from(PATIENCE / 1000).unwrap_or_default();
    Ok(cookies::set(&name, &sealed, "/hall", seconds, state.settings.secure))
}

fn remembered(state: &State, headers: &HeaderMap, oauth_state: &str) -> Option<Pending> {
    let sealed = cookies::get(headers, &cookie_name(state, oauth_state))?;
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let text = state.db.vault().open(PURPOSE, &sealed).ok()?;
    let pending: Pending = serde_json::from_slice(&text).ok()?;
    let age = state.ambient.now() - pending.at;
    (pending.state == oauth_state && (0..PATIENCE).contains(&age)).then_some(pending)
}

/// Query of [`callback`] (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Deserialize)]
pub struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SigninPage<'a> {
    shell: &'a Frame,
    code: &'a str,
    sentence: String,
    again: String,
}

/// `GET /hall/callback`: the provider's answer.
///
/// # Errors
/// A [`Fault`] for an answer that this browser did not ask for or that does not hold.
pub async fn callback(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Fault> {
    // Login CSRF: an answer without this browser's own question is refused (attacks row 20).
    let oauth_state = answer.state.as_deref().unwrap_or_default();
    let Some(pending) = remembered(&state, &headers, oauth_state) else {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "signin-unknown"));
    };
    // Mix-up: the answer names who gives it (RFC 9207 §2.4; attacks row 7).
    if answer.iss.as_deref() != Some(state.settings.issuer.as_str()) {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "signin-unknown"));
    }
    let name = cookie_name(&state, oauth_state);
    let done = cookies::set(&name, "", "/hall", 0, state.settings.secure);
    if let Some(error) = &answer.error {
        return refused(&frame, &pending, error, done);
    }
    let Some(code) = &answer.code else { return Err(Fault::garbled()) };
    let identity = state
        .provider
        .redeem(code, &pending.verifier, &pending.nonce)
        .await
        .map_err(provider_fault)?;
    let enough = identity.claims.proofing_level >= pending.level;
    let cookie = session::start(&state, &headers, identity).await?;
    // A level is never silently lowered (design.md §3).
    let mut response = if enough {
        Redirect::to(&pending.next).into_response()
    } else {
        refused(&frame, &pending, "unmet_authentication_requirements", done.clone())?
    };
    response.headers_mut().append(SET_COOKIE, cookie);
    response.headers_mut().append(SET_COOKIE, done);
    Ok(response)
}

/// The person said no, or the level was not reached: a page that says so and how to go on.
fn refused(
    frame: &Frame,
    pending: &Pending,
    error: &str,
    done: HeaderValue,
) -> Result<Response, Fault> {
    // The provider's code is shown only if it is one: text from an address is not ours to print.
    let (code, key) = match error {
        "access_denied" => ("access_denied", "signin-denied"),
        "unmet_authentication_requirements" => {
            ("unmet_authentication_requirements", "signin-level")
        }
        "login_required" => ("login_required", "signin-denied"),
        "temporarily_unavailable" => ("temporarily_unavailable", "signin-failed"),
        "server_error" => ("server_error", "signin-failed"),
        _ => ("invalid_request", "signin-failed"),
    };
    let page = SigninPage {
        shell: frame,
        code,
        sentence: frame.t(key),
        again: address(&pending.next, pending.level),
    };
    let mut response = frame.page(StatusCode::FORBIDDEN, &page)?;
    response.headers_mut().append(SET_COOKIE, done);
    Ok(response)
}

/// `POST /hall/signout`: ends the hall's session here and the provider's there.
///
/// # Errors
/// A [`Fault`] if the database fails: a sign-out that did not happen must not look as if it had.
pub async fn signout(
    Shared(state): Shared<State>,
    Extension(frame): Extension<Arc<Frame>>,
) -> Result<Response, Fault> {
    let Some(visitor) = &frame.visitor else { return Ok(Redirect::to("/").into_response()) };
    session::end(&state, &visitor.session).await?;
    let there = state.provider.end_session(visitor.id_token(), frame.lang).await;
    let there = there.map_or_else(|| "/".to_owned(), |url| url.to_string());
    Ok(([(SET_COOKIE, session::forget(&state))], Redirect::to(&there)).into_response())
}
