//! `/oauth2/token` (RFC 6749 §3.2).

mod asserted;
mod backchannel;
mod client_credentials;
mod code;
mod device;
mod exchange;
mod refresh;
mod wish;

use std::sync::Arc;

use axum::extract;
use axum::response::Response;
use http::HeaderMap;
use idp_protocol::ProtocolError;
use idp_protocol::token::Grant;
use idp_store::Tx;

use super::client_auth;
use super::issue::{Answer, Binding};
use super::reply::Failure;
use super::request::{self, Body};
use super::sender::{self, Sender};
use crate::State;
use crate::clients::Known;
use wish::Wish;

/// Who asks, and which key they proved.
pub(super) struct Asker {
    /// The client, authenticated.
    pub(super) known: Arc<Known>,
    /// What the tokens are bound to.
    pub(super) binding: Binding,
    /// What it wants of its grant.
    pub(super) wish: Wish,
}

impl Asker {
    /// RFC 9449 §5, RFC 8705 §4: the key to which the refresh tokens of a client without credentials
    /// are bound.
    fn keeps(&self) -> Option<String> {
        let key = self.binding.jkt.as_ref().or(self.binding.x5t.as_ref());
        key.cloned().filter(|_| self.known.client.is_public())
    }
}

/// The endpoint.
pub(crate) async fn token(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &headers, &sender, body).await {
        Ok(answer) => answer.response(),
        Err(failure) => failure.body(&headers),
    }
}

async fn answer(
    state: &State,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<Answer, Failure> {
    let body = request::form(headers, body)?;
    // RFC 6749 §3.2.1: who asks, before what is asked.
    let known = client_auth::client(state, headers, &body, sender).await?;
    let grant = Grant::read(&body)?;
    // RFC 6749 §5.2 unauthorized_client: registered for this grant.
    if !known.client.may(grant.name()) {
        return Err(ProtocolError::unauthorized_client("The client may not use this grant.").into());
    }
    // RFC 9449 §5, FAPI 2.0 §5.3.2.1: who holds which key.
    let binding = sender::proven(state, sender, None).await?;
    let binding = sender::demanded(&known.client.rules(), binding, sender.certificate.as_ref())?;
    // RFC 8707 §2, RFC 9396 §6.
    let wish = Wish::read(&known.client, &body, &state.settings.issuer)?;
    let asker = Asker { known, binding, wish };
    match grant {
        Grant::Code { code, redirect_uri, code_verifier } => {
            let jkt = asker.binding.jkt.clone();
            let wish = asker.wish.clone();
            let sent = code::Sent { code, redirect_uri, code_verifier, jkt, wish };
            code::redeem(state, &asker, sent).await
        }
        Grant::Refresh { refresh_token, scope } => {
            refresh::refresh(state, &asker, refresh_token, scope).await
        }
        Grant::Device { device_code } => device::redeem(state, &asker, &device_code).await,
        Grant::Backchannel { auth_req_id } => {
            backchannel::redeem(state, &asker, &auth_req_id).await
        }
        Grant::Exchange(sent) => exchange::exchange(state, &asker, sent).await,
        Grant::Assertion { assertion, scope } => {
            asserted::issue(state, &asker, sender, &assertion, scope).await
        }
        Grant::ClientCredentials { scope } => client_credentials::issue(state, &asker, scope).await,
    }
}

/// The one gate (attacks row 26): whether the person, or the officer, may receive a token now.
async fn gate(tx: &mut Tx, grant: &idp_store::grant::Grant) -> Result<bool, idp_store::StoreError> {
    if grant.kind == "staff" {
        let staff = idp_store::staff::find(tx, &grant.person_id).await?;
        return Ok(staff.is_some_and(|staff| staff.active));
    }
    Ok(idp_store::account::gate_of(tx, &grant.person_id).await?.is_ok())
}

/// Somebody showed a code or refresh token that was used: ends what came of it, and tells it once.
async fn reused(
    state: &State,
    grant: idp_store::grant::Grant,
    now: i64,
) -> Result<(), idp_store::StoreError> {
    let grant = std::sync::Arc::new(grant);
    state
        .db
        .write("token_reused", move |tx: &mut idp_store::Tx| {
            let grant = grant.clone();
            Box::pin(async move {
                if idp_store::grant::revoke(tx, &grant.id, now).await? {
                    tell_reuse(tx, &grant, now).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Raises the event of a reuse: somebody else may hold a copy, and the person whose data it opens
/// sees it in their trail (ASVS 10.4.5).
async fn tell_reuse(
    tx: &mut Tx,
    grant: &idp_store::grant::Grant,
    now: i64,
) -> Result<(), idp_store::StoreError> {
    let client_id = &grant.client_id;
    tracing::warn!(client_id, "a code or refresh token was used twice: its grant is revoked");
    if grant.kind != "citizen" {
        return Ok(());
    }
    let details = serde_json::json!({"client": client_id});
    let actor = client_id.clone();
    let line = idp_store::audit::Line { at: now, kind: "token_reused", actor, details };
    idp_store::audit::append(tx, &grant.person_id, line).await
}
