//! `/oauth2/revoke` (RFC 7009 §2).

use axum::extract;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use idp_domain::ambient::Token;
use idp_store::{StoreError, Tx};

use super::reply::Failure;
use super::request::{self, Body};
use super::sender::Sender;
use super::{bearer, client_auth};
use crate::State;

/// The endpoint.
pub(crate) async fn revoke(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &headers, &sender, body).await {
        // RFC 7009 §2.2: an unknown token is as revoked as it can be.
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => failure.body(&headers),
    }
}

async fn answer(
    state: &State,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<(), Failure> {
    let body = request::form(headers, body)?;
    let known = client_auth::client(state, headers, &body, sender).await?;
    let client_id = known.client.client_id.clone();
    let text = body.required("token", "The token is missing.")?;
    match Token::parse("tbr_", text) {
        Some(token) => refresh_token(state, client_id, token).await?,
        None => access_token(state, &client_id, text).await?,
    }
    Ok(())
}

/// RFC 7009 §2.1: with a refresh token, the access tokens of the same grant end.
async fn refresh_token(state: &State, client_id: String, token: Token) -> Result<(), StoreError> {
    let now = state.now();
    state
        .db
        .write("revoke_refresh", move |tx: &mut Tx| {
            let (client_id, token) = (client_id.clone(), token.clone());
            Box::pin(async move {
                let Some(family) = idp_store::refresh::find(tx, &token.id).await? else {
                    return Ok(());
                };
                let previous = family.previous_hash.as_deref();
                let known = token.matches(&family.secret_hash)
                    || previous.is_some_and(|hash| token.matches(hash));
                let grant = idp_store::grant::find(tx, &family.grant_id, now).await?;
                // RFC 7009 §2.1: issued to the client that asks.
                match grant.filter(|grant| known && grant.client_id == client_id) {
                    Some(grant) => idp_store::grant::revoke(tx, &grant.id, now).await.map(drop),
                    None => Ok(()),
                }
            })
        })
        .await
}

async fn access_token(state: &State, client_id: &str, text: &str) -> Result<(), StoreError> {
    let found = bearer::issued(state, text).await?;
    // RFC 7009 §2.1: issued to the client that asks.
    let Some(access) = found.filter(|access| access.client_id == client_id) else { return Ok(()) };
    state
        .db
        .write("revoke_access", move |tx: &mut Tx| {
            let access = access.clone();
            Box::pin(async move {
                let until = access.exp.saturating_mul(1000);
                idp_store::single_use::revoke_token(tx, &access.jti, until).await
            })
        })
        .await
}
