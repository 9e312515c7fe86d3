//! `/oauth2/userinfo` (OpenID Connect Core §5.3).

use axum::response::{IntoResponse as _, Response};
use axum::{Json, extract};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idp_protocol::claims::{for_userinfo, group};
use idp_protocol::client::Client;
use idp_protocol::scope::Scope;
use idp_protocol::verified;
use idp_protocol::{ErrorCode, ProtocolError};
use idp_store::StoreError;
use idp_store::grant::Grant;
use serde_json::{Map, Value};

use super::bearer::{self, Scheme, Stands};
use super::reply::Failure;
use super::request::{self, Body};
use super::sealed::{self, Wish};
use super::sender::Sender;
use super::{claims, subject};
use crate::session::Who;
use crate::{State, cookie};

const REFUSED: ProtocolError =
    ProtocolError::invalid_token("The access token is expired, revoked or malformed.");

/// Claims, in the form that the client registered.
enum Released {
    Plain(Map<String, Value>),
    Token(String),
}

/// A token as it was presented.
struct Shown {
    scheme: Scheme,
    token: String,
}

/// GET: the token in the header (RFC 6750 §2.1).
pub(crate) async fn by_get(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
) -> Response {
    let shown = in_header(&headers);
    let scheme = shown.as_ref().map(|shown| shown.scheme);
    respond(answer(&state, &sender, shown).await, scheme, &headers)
}

/// POST: the token in the header or in the body (RFC 6750 §2.1, §2.2).
pub(crate) async fn by_post(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    let sent = match in_body(&headers, body) {
        Ok(sent) => sent,
        Err(failure) => return failure.body(&headers),
    };
    let shown = match (in_header(&headers), sent) {
        // RFC 6750 §2: not more than one method in a request.
        (Some(shown), Some(_)) => {
            let text = "The access token stands in the header and in the body.";
            let refused = Err(Some(ProtocolError::invalid_request(text).into()));
            return respond(refused, Some(shown.scheme), &headers);
        }
        (header, body) => header.or(body),
    };
    let scheme = shown.as_ref().map(|shown| shown.scheme);
    respond(answer(&state, &sender, shown).await, scheme, &headers)
}

fn in_body(headers: &HeaderMap, body: Body) -> Result<Option<Shown>, Failure> {
    let empty = body.as_ref().is_ok_and(bytes::Bytes::is_empty);
    if empty && !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(None);
    }
    let form = request::form(headers, body)?;
    let token = form.get("access_token").map(str::to_owned);
    Ok(token.map(|token| Shown { scheme: Scheme::Bearer, token }))
}

fn in_header(headers: &HeaderMap) -> Option<Shown> {
    let value = cookie::header(headers, header::AUTHORIZATION)?;
    let (scheme, token) = bearer::presented(value)?;
    Some(Shown { scheme, token: token.to_owned() })
}

fn respond(
    answer: Result<Released, Option<Failure>>,
    scheme: Option<Scheme>,
    headers: &HeaderMap,
) -> Response {
    let (mut response, error) = match answer {
        Ok(Released::Plain(claims)) => return Json(claims).into_response(),
        // OpenID Connect Core §5.3.2.
        Ok(Released::Token(text)) => {
            let kind = HeaderValue::from_static("application/jwt");
            return ([(header::CONTENT_TYPE, kind)], text).into_response();
        }
        // RFC 6750 §3.1: a call without a token is told the schemes and no error.
        Err(None) => (StatusCode::UNAUTHORIZED.into_response(), None),
        Err(Some(Failure::Protocol(error))) => {
            let code = error.code;
            let failure = match code {
                // RFC 9449 §7.1: at a resource a refused proof is a 401, as a refused token is.
                ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce => {
                    Failure::Status(StatusCode::UNAUTHORIZED, error)
                }
                _ => Failure::Protocol(error),
            };
            (failure.body(headers), Some(code.as_str()))
        }
        Err(Some(failure)) => return failure.body(headers),
    };
    for challenge in bearer::challenges(error, scheme) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

async fn answer(
    state: &State,
    sender: &Sender,
    shown: Option<Shown>,
) -> Result<Released, Option<Failure>> {
    let Shown { scheme, token } = shown.ok_or(None)?;
    let told = |failure: Failure| Some(failure);
    let failed = |cause: StoreError| Some(Failure::from(cause));
    let access = bearer::believe(state, &token).await.map_err(failed)?;
    let access = access.ok_or(told(REFUSED.into()))?;
    // RFC 9449 §7.1, RFC 8705 §3: the key that goes with it.
    bearer::held(state, sender, scheme, &token, &access).await.map_err(told)?;
    let grant = match bearer::stands(state, &access).await.map_err(failed)? {
        Stands::Grant(grant) => grant,
        Stands::No | Stands::Client => return Err(told(REFUSED.into())),
    };
    let scope = Scope::parse(&access.scope).unwrap_or_default();
    // OpenID Connect Core §5.3: a token of an OpenID Connect request.
    if !scope.has("openid") {
        let text = "The access token does not carry the scope openid.";
        return Err(told(ProtocolError::new(ErrorCode::InsufficientScope, text).into()));
    }
    let known = state.clients.find(state, &grant.client_id).await.map_err(failed)?;
    let known = known.ok_or(told(REFUSED.into()))?;
    let mut names = for_userinfo(&scope, &grant.detail.claims);
    let mut proven = grant.detail.claims.userinfo_verified.clone();
    // A token that was narrowed at a refresh is narrow for claims asked for by name, too.
    let granted = Scope::parse(&grant.detail.scope).unwrap_or_default();
    if !granted.within(&scope) {
        names.retain(|name| group(name).is_some_and(|word| scope.has(word)));
        proven = grant.detail.claims.clone().only(&scope).userinfo_verified;
    }
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let mut released = Map::new();
    // OpenID Connect Core §5.3.2: sub always, the ID token's.
    released.insert("sub".to_owned(), subject::of(state, &known.client, &who).into());
    released.extend(facts(state, &grant, names, proven).await?);
    as_registered(state, &known.client, released).await.map_err(told)
}

/// As JSON, or as the token that the client registered (OpenID Connect Registration §2).
async fn as_registered(
    state: &State,
    client: &Client,
    mut released: Map<String, Value>,
) -> Result<Released, Failure> {
    let signed = client.userinfo_signed_response_alg.as_deref();
    let alg = client.userinfo_encrypted_response_alg.as_deref();
    if signed.is_none() && alg.is_none() {
        return Ok(Released::Plain(released));
    }
    let enc = client.userinfo_encrypted_response_enc.as_deref();
    let wish = Wish { signed, alg, enc };
    // OpenID Connect Registration §2: who registered no signature gets none inside.
    if signed.is_none() {
        return Ok(Released::Token(sealed::claims(state, client, wish, &released).await?));
    }
    // OpenID Connect Core §5.3.2: a signed answer names its issuer and its audience.
    released.insert("iss".to_owned(), state.settings.issuer.clone().into());
    released.insert("aud".to_owned(), client.client_id.clone().into());
    Ok(Released::Token(sealed::token(state, client, wish, "JWT", &released).await?))
}

async fn facts(
    state: &State,
    grant: &Grant,
    names: Vec<String>,
    proven: Vec<verified::Request>,
) -> Result<Map<String, Value>, Option<Failure>> {
    let failed = |cause: StoreError| Some(Failure::from(cause));
    let id = &grant.person_id;
    if grant.kind == "staff" {
        let found = claims::staff(state, id).await.map_err(failed)?;
        let active = found.filter(|staff| staff.active).ok_or(Some(REFUSED.into()))?;
        return Ok(claims::of_staff(&names, &active));
    }
    let found = idp_store::person::claims_of(&state.db, id).await.map_err(failed)?;
    // The gate (attacks rows 26, 51).
    let open = found.filter(|person| {
        idp_domain::citizen::account::gate(person.account_state, person.person_status).is_ok()
    });
    let person = open.ok_or(Some(REFUSED.into()))?;
    Ok(claims::of_person(&names, &proven, &person, state.now()))
}
