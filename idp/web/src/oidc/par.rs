//! `/oauth2/par` (RFC 9126): a client pushes its authorization request before it sends the browser.

use axum::response::{IntoResponse as _, Response};
use axum::{Json, extract};
use http::{HeaderMap, StatusCode};
use idp_domain::ambient::Token;
use idp_protocol::authorize::{self, Arrival, AuthorizationRequest, Refusal};
use idp_protocol::parameters::Parameters;
use idp_protocol::{ErrorCode, ProtocolError};
use idp_store::pushed::Pushed;
use idp_store::throttle::{self, Passed};
use idp_store::{StoreError, Tx};
use serde_json::{Value, json};

use super::authorize::{hinted, object};
use super::reply::Failure;
use super::request::{self, Body};
use super::sender::{self, Sender};
use super::{client_auth, client_documents};
use crate::clients::Known;
use crate::network::Network;
use crate::{State, pages};

/// What a `request_uri` of ours begins with (RFC 9126 §2.2).
pub(crate) const URN: &str = "urn:ietf:params:oauth:request_uri:";
/// The token within.
const PREFIX: &str = "tbp_";
/// Seconds from the answer to the browser's arrival: short, because it is a redirect away.
const LIFETIME: i64 = 90;

/// The endpoint.
pub(crate) async fn push(
    extract::State(state): extract::State<State>,
    Network(network): Network,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &network, &headers, &sender, body).await {
        // RFC 9126 §2.2.
        Ok(body) => (StatusCode::CREATED, Json(body)).into_response(),
        Err(failure) => failure.body(&headers),
    }
}

async fn answer(
    state: &State,
    network: &str,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<Value, Failure> {
    let body = request::form(headers, body)?;
    // CIMD §5: one that nobody knows yet, or that has changed, is read before it is authenticated.
    client_documents::met(state, network, headers, &body).await?;
    // RFC 9126 §2.1: the client authenticates as at the token endpoint.
    let known = client_auth::client(state, headers, &body, sender).await?;
    // RFC 9126 §2.1, item 1: no reference within (attacks row 14).
    if body.get("request_uri").is_some() {
        let text = "A pushed request holds no request_uri.";
        return Err(ProtocolError::invalid_request(text).into());
    }
    // RFC 9126 §3: a request object may be pushed.
    let (parameters, signed) = object::open(state, &known, network, &body).await?;
    // RFC 9126 §2.1, item 3: checked as the authorization endpoint would.
    let front = state.settings.implicit_and_hybrid;
    let issuer = &state.settings.issuer;
    let arrival = Arrival { pushed: true, signed, front, issuer };
    let checked = match authorize::check(&known.client, &parameters, arrival) {
        Ok(request) => hinted(state, &known.client, request).await?,
        refused => refused,
    };
    let request = match checked {
        Ok(request) => bound(state, sender, request).await?,
        // RFC 9126 §2.3: nobody is redirected from here.
        Err(Refusal::Page(error) | Refusal::Redirect { error, .. }) => return Err(error.into()),
    };
    let token = keep(state, network, &known, request).await?;
    Ok(json!({"request_uri": format!("{URN}{}", token.text()), "expires_in": LIFETIME}))
}

/// RFC 9449 §10.1: the code is bound to the key that was proven here.
async fn bound(
    state: &State,
    sender: &Sender,
    mut request: AuthorizationRequest,
) -> Result<AuthorizationRequest, Failure> {
    let Some(jkt) = sender::proven(state, sender, None).await?.jkt else { return Ok(request) };
    if request.dpop_jkt.as_ref().is_some_and(|named| *named != jkt) {
        let text = "The dpop_jkt is not the thumbprint of the DPoP proof's key.";
        return Err(ProtocolError::new(ErrorCode::InvalidDpopProof, text).into());
    }
    request.dpop_jkt = Some(jkt);
    Ok(request)
}

async fn keep(
    state: &State,
    network: &str,
    known: &Known,
    request: AuthorizationRequest,
) -> Result<Token, Failure> {
    let (token, now) = (state.ambient.token(PREFIX), state.now());
    let (id, pushed) = (token.id.clone(), Pushed { secret_hash: token.stored(), request });
    let expires_at = now + LIFETIME * 1000;
    // Anybody can push in the name of a client without credentials.
    let public = known.client.is_public();
    let limits = Vec::from_iter(pages::authorization_limit(state, network).filter(|_| public));
    if limits.is_empty() {
        idp_store::pushed::keep(&state.db, &id, &pushed, expires_at).await?;
        return Ok(token);
    }
    let passed: Option<Passed> = state
        .db
        .write("push", move |tx: &mut Tx| {
            let (id, pushed, limits) = (id.clone(), pushed.clone(), limits.clone());
            Box::pin(async move {
                let passed = throttle::count(tx, &limits, now).await?;
                if passed.is_none() {
                    idp_store::pushed::create(tx, &id, &pushed, expires_at).await?;
                }
                Ok::<_, StoreError>(passed)
            })
        })
        .await?;
    match passed {
        Some(passed) => Err(Failure::Limited { wait: passed.until - now }),
        None => Ok(token),
    }
}

/// The request behind a `request_uri` of ours.
///
/// # Errors
/// `invalid_request_uri` if it is unknown, expired, answered or another client's.
pub(super) async fn taken(
    state: &State,
    known: &Known,
    parameters: &Parameters,
) -> Result<Option<AuthorizationRequest>, Failure> {
    let text = parameters.get("request_uri").and_then(|uri| uri.strip_prefix(URN));
    let Some(text) = text else { return Ok(None) };
    let told = "The request_uri is unknown, expired, used or another client's.";
    let refused = ProtocolError::new(ErrorCode::InvalidRequestUri, told);
    let token = Token::parse(PREFIX, text).ok_or(refused.clone())?;
    let (id, client, now) = (token.id.clone(), known.client.client_id.clone(), state.now());
    let found: Option<Pushed> = state
        .db
        .read("pushed", move |tx: &mut Tx| {
            let (id, client) = (id.clone(), client.clone());
            Box::pin(async move { idp_store::pushed::find(tx, &id, &client, now).await })
        })
        .await?;
    let pushed = found.filter(|pushed| token.matches(&pushed.secret_hash)).ok_or(refused)?;
    Ok(Some(AuthorizationRequest { pushed: Some(token.id), ..pushed.request }))
}
