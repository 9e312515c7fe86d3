//! `/oauth2/end_session` (OpenID Connect RP-Initiated Logout §2, §3).
//!
//! Whoever is signed in is always asked: a hint says who a partner thinks is there, and partners'
//! pages are not the person (attacks row 19).

use axum::extract;
use axum::response::Response;
use http::{HeaderMap, Uri, header};
use idp_protocol::parameters::Parameters;
use idp_protocol::{end_session, hint};
use std::sync::Arc;

use super::authorize::answer::see_other;
use super::reply::Failure;
use super::request::{self, Body};
use crate::clients::Known;
use crate::{State, logout, pages, session};

/// Parameters that the confirmation carries.
const CARRIED: &[&str] = &["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

/// GET.
pub(crate) async fn by_get(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match Parameters::parse(uri.query().unwrap_or_default().as_bytes()) {
        Ok(parameters) => respond(&state, &headers, &parameters).await,
        Err(error) => Failure::from(error).page(&state, &headers),
    }
}

/// POST (RP-Initiated Logout §2).
pub(crate) async fn by_post(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match request::form(&headers, body) {
        Ok(parameters) => respond(&state, &headers, &parameters).await,
        Err(failure) => failure.page(&state, &headers),
    }
}

async fn respond(state: &State, headers: &HeaderMap, parameters: &Parameters) -> Response {
    match ask(state, headers, parameters).await {
        Ok(response) => response,
        Err(failure) => failure.page(state, headers),
    }
}

/// A request whose parameters fit together.
struct Wish {
    client: Option<Arc<Known>>,
    /// Registered, and named by a client that holds an ID token of ours.
    back: Option<String>,
}

/// The checks in order.
async fn wish(state: &State, parameters: &Parameters) -> Result<Wish, Failure> {
    let hinted = match parameters.get("id_token_hint") {
        Some(text) => {
            let ring = state.keys.ring(state).await?;
            // RP-Initiated Logout §2: issued by us, expired or not.
            Some(hint::check(text, &ring.public, &state.settings.issuer)?)
        }
        None => None,
    };
    let hinted = hinted.as_ref();
    let client = match end_session::client_id(parameters, hinted)? {
        Some(id) => state.clients.find(state, id).await?,
        None => None,
    };
    let known = client.as_ref().map(|known| known.client.as_ref());
    let back = end_session::back(parameters, hinted, known)?;
    Ok(Wish { client, back })
}

async fn ask(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let wish = wish(state, parameters).await?;
    if session::current(state, headers).await?.is_none() {
        return Ok(done(state, headers, &wish));
    }
    let fields: Vec<(String, String)> = parameters
        .iter()
        .filter(|(name, _)| CARRIED.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let name = wish.client.as_ref().map(|known| known.client.client_name.as_str());
    Ok(pages::confirm_logout(state, headers, name, &fields))
}

fn done(state: &State, headers: &HeaderMap, wish: &Wish) -> Response {
    match &wish.back {
        Some(back) => see_other(back),
        None => pages::signed_out(state, headers),
    }
}

/// POST of the confirmation page, from our own origin only.
pub(crate) async fn confirm(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let parameters = match request::form(&headers, body) {
        Ok(parameters) => parameters,
        Err(failure) => return failure.page(&state, &headers),
    };
    match confirmed(&state, &headers, &parameters).await {
        Ok(response) => response,
        Err(failure) => failure.page(&state, &headers),
    }
}

async fn confirmed(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    if parameters.get("logout") != Some("yes") {
        return Ok(see_other("/account"));
    }
    // What the page carried is checked again: the form is the browser's.
    let wish = wish(state, parameters).await?;
    let mut frames = Vec::new();
    if let Some(current) = session::current(state, headers).await? {
        let lease = Some(logout::LEASE);
        let ended = session::end_with(state, &current.id, &current.who, "sign_out", lease).await?;
        let ended = ended.unwrap_or_default();
        // Back-Channel Logout §2.7: before the browser goes back to who is told.
        ended.carry(state).await;
        frames = ended.frames(state);
    }
    let mut response = if frames.is_empty() {
        done(state, headers, &wish)
    } else {
        // Front-Channel Logout §2: the frames first, then where RP-Initiated Logout §3 leads.
        pages::leaving(state, headers, &frames, wish.back.as_deref())
    };
    for cookie in session::clear(state) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
