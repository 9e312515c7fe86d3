//! `/oauth2/register` (RFC 7591 §3, OpenID Connect Registration §3): a partner registers itself.

mod manage;
mod sector;
mod told;

pub(crate) use manage::{delete, read, replace};

use axum::extract;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use idp_domain::ambient::{self, Token};
use idp_protocol::client::registration::{self, Standing};
use idp_protocol::client::{AuthMethod, Client};
use idp_protocol::jose::Algorithm;
use idp_protocol::{ErrorCode, ProtocolError};
use idp_store::client::Registered;
use idp_store::registration::{self as store, Managed};
use idp_store::{StoreError, Tx, throttle};
use serde_json::Value;

use super::reply::Failure;
use super::request::Body;
use crate::network::Network;
use crate::state::Registration;
use crate::{State, cookie, pages};
use told::{Made, Refused};

/// Prefix of an initial access token.
pub(crate) const INITIAL: &str = "tbi_";
/// Prefix of a registration access token (RFC 7592 §3).
const MANAGEMENT: &str = "tbm_";

/// The endpoint.
pub(crate) async fn register(
    extract::State(state): extract::State<State>,
    Network(network): Network,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match answer(&state, &network, &headers, body).await {
        Ok(made) => made.response(&state, StatusCode::CREATED),
        Err(refused) => refused.response(&headers),
    }
}

async fn answer(
    state: &State,
    network: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Made, Refused> {
    if state.settings.registration == Registration::Off {
        let text = "Partners are registered by the operator.";
        let error = ProtocolError::new(ErrorCode::AccessDenied, text);
        return Err(Failure::Status(StatusCode::FORBIDDEN, error).into());
    }
    // Attacks rows 28, 42: a row for each.
    within_limit(state, network).await?;
    // RFC 7591 §3: with a token of the operator's, or openly.
    let initial = initial(state, headers).await?;
    let sent = json(headers, body)?;
    let standing = Standing { vouched: initial.is_some(), before: None };
    let mut client = checked(state, &sent, standing).await?;
    client.client_id = state.ambient.id();
    let made = Made::new(state, client, true);
    keep(state, &made, initial).await?;
    Ok(made)
}

/// The client that was sent, if it may be registered here.
async fn checked(state: &State, sent: &Value, standing: Standing<'_>) -> Result<Client, Refused> {
    let client = registration::read(sent, standing)?;
    offered(state, &client, standing.before)?;
    sector::check(state, &client).await?;
    Ok(client)
}

/// A client that a form of ours sends for somebody whom nobody vouches for: the same limit, the
/// same checks. It has no id yet and is not written; the error is a sentence for the sender.
pub(crate) async fn by_form(state: &State, network: &str, sent: &Value) -> Result<Client, String> {
    let made = async {
        within_limit(state, network).await?;
        checked(state, sent, Standing::default()).await
    };
    made.await.map_err(Refused::sentence)
}

/// A registration is a row, and may make us fetch.
async fn within_limit(state: &State, network: &str) -> Result<(), Refused> {
    let Some(limit) = pages::registration_limit(state, network) else { return Ok(()) };
    let now = state.now();
    let passed = state
        .db
        .write::<_, StoreError, _>("register_count", move |tx: &mut Tx| {
            let limit = limit.clone();
            Box::pin(async move { throttle::count(tx, &[limit], now).await })
        })
        .await?;
    match passed {
        Some(passed) => Err(Failure::Limited { wait: passed.until - now }.into()),
        None => Ok(()),
    }
}

/// The token of a `Bearer` header (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = cookie::header(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The initial access token (RFC 7591 §3.1), found and believed; it is used up with the write.
async fn initial(state: &State, headers: &HeaderMap) -> Result<Option<Token>, Refused> {
    let Some(text) = bearer(headers) else {
        let open = state.settings.registration == Registration::Open;
        return if open { Ok(None) } else { Err(Refused::Token) };
    };
    let token = Token::parse(INITIAL, text).ok_or(Refused::Token)?;
    let (id, now) = (token.id.clone(), state.now());
    let found = state
        .db
        .read::<_, StoreError, _>("initial_token", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { store::find_token(tx, &id, now).await })
        })
        .await?;
    let good = found.is_some_and(|found| token.matches(&found.secret_hash));
    if good { Ok(Some(token)) } else { Err(Refused::Token) }
}

/// A JSON body (RFC 7591 §3.1).
fn json(headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
    let kind = cookie::header(headers, header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let error = ProtocolError::invalid_request("The body must be application/json.");
        return Err(Failure::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE, error).into());
    }
    let body = body.map_err(|cause| {
        let error = ProtocolError::invalid_request("The body is too large or broke off.");
        Failure::Status(cause.status(), error)
    })?;
    serde_json::from_slice(&body)
        .map_err(|_| registration::Refusal::because("The body is not JSON.").into())
}

/// What this deployment does not offer cannot be registered. `before` is what a client replaces: SM2
/// that it has since the operator offered it keeps nothing else from being changed.
pub(in crate::oidc) fn offered(
    state: &State,
    client: &Client,
    before: Option<&Client>,
) -> Result<(), registration::Refusal> {
    let front = |kind: &String| kind != "code";
    if !state.settings.implicit_and_hybrid
        && (client.may("implicit") || client.response_types.iter().any(front))
    {
        let text = "`response_types`: only `code` is offered.";
        return Err(registration::Refusal::because(text));
    }
    let anew = client.names_anew(Algorithm::Sm2, before);
    if !state.settings.sm2 && !anew.is_empty() {
        let members = anew.join("`, `");
        let text = format!("SM2 is not offered: `{members}` must name another algorithm.");
        return Err(registration::Refusal::because(&text));
    }
    let certificate = matches!(
        client.token_endpoint_auth_method,
        AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth
    ) || client.tls_client_certificate_bound_access_tokens;
    if certificate && !state.settings.certificates.asked {
        let text = "Client certificates do not reach this provider.";
        return Err(registration::Refusal::because(text));
    }
    Ok(())
}

/// Writes the client, and uses the initial token up in the same unit: of two that come with its
/// last use, one wins.
async fn keep(state: &State, made: &Made, initial: Option<Token>) -> Result<(), Refused> {
    let (client, secret) = (made.client.clone(), made.secret.clone());
    let by = Managed {
        secret_hash: ambient::hash(&made.management.secret),
        vouched: initial.is_some(),
        created_at: state.now(),
    };
    let now = state.now();
    let kept: bool = state
        .db
        .write::<_, StoreError, _>("register", move |tx: &mut Tx| {
            let (client, secret) = (client.clone(), secret.clone());
            let (by, initial) = (by.clone(), initial.clone());
            Box::pin(async move {
                if let Some(token) = &initial
                    && !store::use_token(tx, &token.id, &token.stored(), now).await?
                {
                    return Ok(false);
                }
                let id = client.client_id.clone();
                let secret_hash =
                    secret.as_deref().map(|secret| idp_store::client::secret_hash(tx, secret));
                let registered =
                    Registered { client, secret_hash, disabled: false, document: None };
                idp_store::client::create(tx, &registered, now).await?;
                store::manage(tx, &id, &by).await?;
                Ok(true)
            })
        })
        .await?;
    if kept { Ok(()) } else { Err(Refused::Token) }
}
