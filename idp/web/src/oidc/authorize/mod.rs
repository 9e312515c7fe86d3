//! `/oauth2/authorize` (OpenID Connect Core §3.1.2, RFC 6749 §4.1.1): checks the request, keeps
//! it, and sends the browser to its resumption.

pub(in crate::oidc) mod answer;
mod backchannel;
mod device;
pub(in crate::oidc) mod object;
pub(crate) mod reference;
pub(crate) mod resume;

use axum::extract;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use idp_protocol::authorize::{self, Arrival, AuthorizationRequest, Refusal, ResponseMode};
use idp_protocol::client::Client;
use idp_protocol::parameters::Parameters;
use idp_protocol::{ProtocolError, hint};

use super::reply::Failure;
use super::request::{self, Body};
use super::{client_documents, par};
use crate::State;
use crate::clients::Known;
use crate::flow::{self, Begun};
use crate::network::Network;

/// GET, with the parameters in the query.
pub(crate) async fn by_get(
    extract::State(state): extract::State<State>,
    Network(network): Network,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query = uri.query().unwrap_or_default();
    match Parameters::parse(query.as_bytes()) {
        Ok(parameters) => respond(&state, &headers, &network, &parameters).await,
        Err(error) => unread(&state, &headers, query.as_bytes(), error).await,
    }
}

/// POST, with the parameters in the body; a partner's page may send it, so that no cookie of ours
/// comes with it, and none is needed (OpenID Connect Core §3.1.2.1).
pub(crate) async fn by_post(
    extract::State(state): extract::State<State>,
    Network(network): Network,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let sent = body.as_ref().map(Bytes::clone).unwrap_or_default();
    match request::form(&headers, body) {
        Ok(parameters) => respond(&state, &headers, &network, &parameters).await,
        Err(Failure::Protocol(error)) => unread(&state, &headers, &sent, error).await,
        Err(failure) => failure.page(&state, &headers),
    }
}

/// RFC 6749 §4.1.2.1: told to the client, where client and address are beyond doubt (attacks row
/// 18). Nothing is fetched for it.
async fn unread(state: &State, headers: &HeaderMap, sent: &[u8], error: ProtocolError) -> Response {
    let told = async {
        let parameters = Parameters::answerable(sent)?;
        let known = state.clients.find(state, parameters.get("client_id")?).await.ok()??;
        let client = &known.client;
        let redirect_uri = authorize::redirect_uri(client, &parameters).ok()?;
        let (mode, given) = (ResponseMode::guessed(&parameters), parameters.get("state"));
        let given = given.map(str::to_owned);
        let place = answer::Place { client, redirect_uri: &redirect_uri, mode, state: given };
        answer::error(state, headers, &place, &error).await.ok()
    };
    match told.await {
        Some(response) => response,
        None => Failure::from(error).page(state, headers),
    }
}

async fn respond(
    state: &State,
    headers: &HeaderMap,
    network: &str,
    parameters: &Parameters,
) -> Response {
    match begin(state, headers, network, parameters).await {
        Ok(response) => response,
        Err(failure) => failure.page(state, headers),
    }
}

async fn begin(
    state: &State,
    headers: &HeaderMap,
    network: &str,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    // RFC 6749 §4.1.2.1: without a client that is known, nobody is redirected (attacks row 18).
    let client_id = parameters.required("client_id", "The client_id is missing.")?;
    let known = client_documents::client(state, network, client_id).await?;
    let known = known.ok_or(ProtocolError::invalid_request("The client_id is not registered."))?;
    let request = match wanted(state, &known, network, parameters).await? {
        Ok(request) => request,
        Err(Refusal::Page(error)) => return Err(error.into()),
        Err(Refusal::Redirect { error, redirect_uri, mode, state: given }) => {
            let client = &known.client;
            let place = answer::Place { client, redirect_uri: &redirect_uri, mode, state: given };
            return answer::error(state, headers, &place, &error).await;
        }
    };
    let (id, cookies) = match flow::begin(state, headers, network, request).await? {
        Begun::Kept(id, cookies) => (id, cookies),
        Begun::Limited(wait) => return Err(Failure::Limited { wait }),
    };
    let mut response = answer::see_other(&format!("/oauth2/authorize/{id}"));
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The request, wherever it came from: pushed before, in an object, or as parameters.
async fn wanted(
    state: &State,
    known: &Known,
    network: &str,
    parameters: &Parameters,
) -> Result<Result<AuthorizationRequest, Refusal>, Failure> {
    let client = &known.client;
    // RFC 9126 §4: checked when it was pushed; what stands beside the reference is not looked at.
    if let Some(pushed) = par::taken(state, known, parameters).await? {
        return Ok(Ok(pushed));
    }
    let (parameters, signed) = match object::open(state, known, network, parameters).await {
        Ok(opened) => opened,
        // RFC 9101 §7: told to the client where its address is beyond doubt.
        Err(Failure::Protocol(error)) => {
            let Ok(redirect_uri) = authorize::redirect_uri(client, parameters) else {
                return Err(error.into());
            };
            let (mode, given) = (ResponseMode::guessed(parameters), parameters.get("state"));
            let given = given.map(str::to_owned);
            return Ok(Err(Refusal::Redirect { error, redirect_uri, mode, state: given }));
        }
        Err(failure) => return Err(failure),
    };
    let front = state.settings.implicit_and_hybrid;
    let issuer = &state.settings.issuer;
    let arrival = Arrival { pushed: false, signed, front, issuer };
    match authorize::check(client, &parameters, arrival) {
        Ok(request) => hinted(state, client, request).await,
        refused => Ok(refused),
    }
}

/// Replaces the hint by the subject that it names: an ID token of ours, expired or not (OpenID
/// Connect Core §3.1.2.1), for this client.
pub(in crate::oidc) async fn hinted(
    state: &State,
    client: &Client,
    mut request: AuthorizationRequest,
) -> Result<Result<AuthorizationRequest, Refusal>, Failure> {
    let Some(text) = request.id_token_hint.take() else { return Ok(Ok(request)) };
    let ring = state.keys.ring(state).await?;
    let refuse = |error| Refusal::Redirect {
        error,
        redirect_uri: request.redirect_uri.clone(),
        mode: request.response_mode,
        state: request.state.clone(),
    };
    let hint = match hint::check(&text, &ring.public, &state.settings.issuer) {
        Ok(hint) if hint.client_id == client.client_id => hint,
        Ok(_) => {
            let text = "The id_token_hint was issued to another client.";
            return Ok(Err(refuse(ProtocolError::invalid_request(text))));
        }
        Err(error) => return Ok(Err(refuse(error))),
    };
    request.id_token_hint = Some(hint.subject);
    Ok(Ok(request))
}

/// The page for a flow that cannot go on: unknown, answered, expired, or another browser's.
fn gone(state: &State, headers: &HeaderMap) -> Response {
    let text = "This sign-in has expired, is finished, or was begun in another browser.";
    let error = ProtocolError::invalid_request(text);
    Failure::Status(StatusCode::BAD_REQUEST, error).page(state, headers)
}
