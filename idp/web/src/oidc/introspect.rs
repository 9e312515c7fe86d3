//! `/oauth2/introspect` (RFC 7662 §2).

use axum::response::{IntoResponse as _, Response};
use axum::{Json, extract};
use http::{HeaderMap, HeaderValue, header};
use idp_domain::ambient::Token;
use idp_protocol::ProtocolError;
use idp_protocol::client::Client;
use idp_store::StoreError;
use idp_store::refresh::Standing;
use serde_json::{Value, json};

use super::bearer::{self, Stands};
use super::issue::Binding;
use super::reply::Failure;
use super::request::{self, Body};
use super::sealed::{self, Wish};
use super::sender::Sender;
use super::{client_auth, subject};
use crate::session::Who;
use crate::{State, cookie};

/// Media type of an answer as a token (RFC 9701 §4).
const TOKEN_KIND: &str = "application/token-introspection+jwt";

/// The endpoint.
pub(crate) async fn introspect(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &headers, &sender, body).await {
        Ok(response) => response,
        Err(failure) => failure.body(&headers),
    }
}

/// RFC 9701 §4: whoever asks for it gets the answer as a token, for their own evidence.
async fn in_form(
    state: &State,
    headers: &HeaderMap,
    client: &Client,
    answer: Value,
) -> Result<Response, Failure> {
    let accept = cookie::header(headers, header::ACCEPT).unwrap_or_default();
    let asked = accept.split(',').any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(TOKEN_KIND)
    });
    if !asked {
        return Ok(Json(answer).into_response());
    }
    // RFC 9701 §5: typed as what it is, and nothing in it that makes it look like another token.
    let claims = json!({
        "iss": state.settings.issuer,
        "aud": client.client_id,
        "iat": state.now() / 1000,
        "token_introspection": answer,
    });
    let wish = Wish {
        signed: client.introspection_signed_response_alg.as_deref(),
        alg: client.introspection_encrypted_response_alg.as_deref(),
        enc: client.introspection_encrypted_response_enc.as_deref(),
    };
    let text = sealed::token(state, client, wish, "token-introspection+jwt", &claims).await?;
    let kind = HeaderValue::from_static(TOKEN_KIND);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

async fn answer(
    state: &State,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<Response, Failure> {
    let body = request::form(headers, body)?;
    let known = client_auth::client(state, headers, &body, sender).await?;
    // RFC 7662 §4: a caller without credentials could test stolen tokens.
    if known.client.is_public() {
        return Err(ProtocolError::invalid_client("The client has no credentials.").into());
    }
    let token = body.required("token", "The token is missing.")?;
    // RFC 7662 §2.2: of whatever may not be told, the answer is that it is not active.
    let found = match Token::parse("tbr_", token) {
        Some(token) => refresh_token(state, &known.client, token).await?,
        None => access_token(state, &known.client, token).await?,
    };
    let found = found.unwrap_or_else(|| json!({"active": false}));
    in_form(state, headers, &known.client, found).await
}

async fn access_token(
    state: &State,
    caller: &Client,
    text: &str,
) -> Result<Option<Value>, StoreError> {
    let Some(access) = bearer::issued(state, text).await? else { return Ok(None) };
    // RFC 7662 §4: a client sees its own tokens. Another's would tell it the subject by which the
    // other knows the person, and two partners could join their lists. An interface sees those that
    // are for it: it reads all of them anyway, and can learn here alone that one was taken back.
    let issuer = &state.settings.issuer;
    let its = |resource: &String| resource != issuer && access.aud.has(resource);
    if access.client_id != caller.client_id && !caller.introspects.iter().any(its) {
        return Ok(None);
    }
    if matches!(bearer::stands(state, &access).await?, Stands::No) {
        return Ok(None);
    }
    let mut answer = json!({
        "active": true,
        "token_type": access.cnf.as_ref().map_or("Bearer", Binding::token_type),
        "client_id": access.client_id,
        "sub": access.sub,
        "iss": access.iss,
        "aud": access.aud,
        "exp": access.exp,
        "iat": access.iat,
        "jti": access.jti,
    });
    if let Some(members) = answer.as_object_mut() {
        if !access.scope.is_empty() {
            members.insert("scope".to_owned(), access.scope.clone().into());
        }
        // RFC 9449 §6.2, RFC 8705 §3.2: whoever is shown the token must ask for its key.
        if let Some(cnf) = &access.cnf {
            members.insert("cnf".to_owned(), json!(cnf));
        }
        // RFC 8693 §4.1, §4.4.
        for (name, actor) in [("act", &access.act), ("may_act", &access.may_act)] {
            if let Some(actor) = actor {
                members.insert(name.to_owned(), json!(actor));
            }
        }
        // RFC 9396 §9.2.
        if !access.authorization_details.is_empty() {
            let details = access.authorization_details.clone();
            members.insert("authorization_details".to_owned(), details.into());
        }
    }
    Ok(Some(answer))
}

async fn refresh_token(
    state: &State,
    caller: &Client,
    token: Token,
) -> Result<Option<Value>, StoreError> {
    let now = state.now();
    let found = idp_store::refresh::standing(&state.db, &token.id, now).await?;
    let current = found.filter(|Standing { family, .. }| {
        token.matches(&family.secret_hash) && family.expires_at > now
    });
    // Its subject is the one that its own client knows: only that client is told.
    let own = current.filter(|found| found.grant.client_id == caller.client_id);
    let Some(Standing { family, grant, .. }) = own else { return Ok(None) };
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let mut answer = json!({
        "active": true,
        "client_id": grant.client_id,
        "sub": subject::of(state, caller, &who),
        "scope": grant.detail.scope,
        "iss": state.settings.issuer,
        "exp": family.expires_at / 1000,
        "iat": grant.created_at / 1000,
    });
    let details = grant.detail.authorization_details;
    if let Some(members) = answer.as_object_mut().filter(|_| !details.is_empty()) {
        members.insert("authorization_details".to_owned(), details.into());
    }
    Ok(Some(answer))
}
