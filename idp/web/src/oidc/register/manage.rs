//! `/oauth2/register/{client_id}` (RFC 7592): a partner that registered itself reads, replaces and
//! removes its registration.
//!
//! The registration access token stays the same for as long as the client exists: a client whose
//! answer was lost on the way would otherwise lose itself (RFC 7592 §3 leaves the choice).

use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use idp_domain::ambient::Token;
use idp_protocol::client::Client;
use idp_protocol::client::registration::{self, Refusal, Standing};
use idp_protocol::compare;
use idp_store::client::Registered;
use idp_store::registration::{self as store, Managed};
use idp_store::{StoreError, Tx};
use serde_json::Value;

use super::told::{Made, Refused, wants_secret};
use super::{MANAGEMENT, bearer, json, offered, sector, within_limit};
use crate::State;
use crate::network::Network;
use crate::oidc::request::Body;

/// A client and the token that manages it.
struct Holder {
    registered: Registered,
    managed: Managed,
    token: Token,
}

/// Who holds the token of this client. Nobody learns whether a client exists, or was disabled by
/// the operator (attacks row 38): RFC 7592 §2.1 has one answer for all of it.
async fn holder(state: &State, headers: &HeaderMap, id: &str) -> Result<Holder, Refused> {
    let token = bearer(headers).and_then(|text| Token::parse(MANAGEMENT, text));
    let token = token.ok_or(Refused::Token)?;
    let id = id.to_owned();
    let found = state
        .db
        .read::<_, StoreError, _>("client_managed", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move {
                let Some(managed) = store::managed(tx, &id).await? else { return Ok(None) };
                let registered = idp_store::client::find(tx, &id).await?;
                Ok(registered.map(|registered| (registered, managed)))
            })
        })
        .await?;
    let (registered, managed) = found.ok_or(Refused::Token)?;
    // Attacks row 44.
    if !token.matches(&managed.secret_hash) {
        return Err(Refused::Token);
    }
    Ok(Holder { registered, managed, token })
}

/// What is registered (RFC 7592 §2.1).
pub(crate) async fn read(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match holder(&state, &headers, &id).await {
        Ok(holder) => {
            let issued_at = holder.managed.created_at;
            let client = holder.registered.client;
            let made = Made { client, secret: None, management: holder.token, issued_at };
            made.response(&state, StatusCode::OK)
        }
        Err(refused) => refused.response(&headers),
    }
}

/// Replaces it as a whole (RFC 7592 §2.2).
pub(crate) async fn replace(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    Network(network): Network,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match replaced(&state, &id, &network, &headers, body).await {
        Ok(made) => made.response(&state, StatusCode::OK),
        Err(refused) => refused.response(&headers),
    }
}

async fn replaced(
    state: &State,
    id: &str,
    network: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Made, Refused> {
    let holder = holder(state, headers, id).await?;
    within_limit(state, network).await?;
    let sent = json(headers, body)?;
    let before = &holder.registered;
    same(state, &sent, before)?;
    // Attacks row 38: all of it is checked again, against what the operator has said.
    let standing = Standing { vouched: holder.managed.vouched, before: Some(&before.client) };
    let client = registration::read(&sent, standing)?;
    offered(state, &client, standing.before)?;
    sector::check(state, &client).await?;
    let stays = before.secret_hash.clone().filter(|_| wants_secret(&client));
    let mut made = Made::new(state, client, stays.is_none());
    made.management = holder.token;
    made.issued_at = holder.managed.created_at;
    overwrite(state, &made, before.client.clone(), stays).await?;
    state.clients.forget_one(id);
    Ok(made)
}

/// RFC 7592 §2.2: the client that is meant, and its secret, if it names one.
fn same(state: &State, sent: &Value, before: &Registered) -> Result<(), Refused> {
    let text = |name: &str| sent.get(name).and_then(Value::as_str);
    if text("client_id") != Some(&before.client.client_id) {
        return Err(Refusal::because("`client_id` must be the client's own.").into());
    }
    let Some(secret) = text("client_secret") else { return Ok(()) };
    let digest = state.db.vault().blind("client.secret", secret);
    if before.secret_hash.as_deref().is_some_and(|stored| compare::same(stored, &digest)) {
        return Ok(());
    }
    Err(Refusal::because("`client_secret` is chosen by the provider.").into())
}

/// Writes it, if the client is still what it was measured against: an operator may have changed or
/// disabled it meanwhile.
async fn overwrite(
    state: &State,
    made: &Made,
    before: Client,
    stays: Option<String>,
) -> Result<(), Refused> {
    let (client, secret, now) = (made.client.clone(), made.secret.clone(), state.now());
    let done: bool = state
        .db
        .write::<_, StoreError, _>("register_update", move |tx: &mut Tx| {
            let (client, secret) = (client.clone(), secret.clone());
            let (before, stays) = (before.clone(), stays.clone());
            Box::pin(async move {
                let id = &client.client_id;
                let managed = store::managed(tx, id).await?.is_some();
                let found = idp_store::client::find(tx, id).await?;
                if !managed || found.is_none_or(|found| found.client != before) {
                    return Ok(false);
                }
                let made = secret.as_deref();
                let made = made.map(|secret| idp_store::client::secret_hash(tx, secret));
                let secret_hash = stays.or(made);
                let new = Registered { client, secret_hash, disabled: false, document: None };
                idp_store::client::update(tx, &new, now).await
            })
        })
        .await?;
    if done { Ok(()) } else { Err(Refused::Token) }
}

/// Removes the client and ends what it holds (RFC 7592 §2.3).
pub(crate) async fn delete(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let removed = async {
        holder(&state, &headers, &id).await?;
        crate::clients::delete(&state.db, &state.ambient, &id).await?;
        state.clients.forget_one(&id);
        Ok::<_, Refused>(())
    };
    match removed.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused.response(&headers),
    }
}
