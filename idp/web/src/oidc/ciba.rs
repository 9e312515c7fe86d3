//! `/oauth2/ciba` (CIBA Core §7): a client asks, and the person decides on a device of their own.
//!
//! Whether a hint means anybody is never told: a request that means nobody waits like any other
//! until it expires (attacks rows 29, 30).

use axum::response::{IntoResponse as _, Response};
use axum::{Json, extract};
use http::HeaderMap;
use idp_domain::citizen::phone::Phone;
use idp_protocol::ciba::{self as rules, Hint, Request};
use idp_protocol::parameters::Parameters;
use idp_protocol::{ProtocolError, hint};
use idp_store::account::Identifier;
use idp_store::backchannel::{Asked, Backchannel, Ping};
use idp_store::throttle;
use idp_store::{StoreError, Tx, outbox};
use serde_json::{Value, json};

use super::reply::Failure;
use super::request::{self, Body};
use super::sender::Sender;
use super::{client_auth, client_keys, subject};
use crate::clients::Known;
use crate::{State, pages};

pub(crate) use crate::backchannel::PREFIX;
/// Milliseconds between two questions of a client.
pub(super) const INTERVAL: i64 = 5_000;

/// The endpoint.
pub(crate) async fn ask(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &headers, &sender, body).await {
        Ok(body) => Json(body).into_response(),
        Err(failure) => failure.body(&headers),
    }
}

async fn answer(
    state: &State,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<Value, Failure> {
    let body = request::form(headers, body)?;
    // CIBA Core §7.1: the client authenticates as at the token endpoint.
    let known = client_auth::client(state, headers, &body, sender).await?;
    // CIBA Core §13 unauthorized_client: registered for this grant.
    if !known.client.may(rules::GRANT) {
        return Err(ProtocolError::unauthorized_client("The client may not use this grant.").into());
    }
    // CIBA Core §7.1.1: what counts, and whether the client has signed it.
    let parameters = opened(state, &known, &body).await?;
    // CIBA Core §7.1, §7.2.
    let asked = rules::check(&known.client, &parameters, &state.settings.issuer)?;
    let person = meant(state, &known, &asked.hint).await?;
    let (token, life) = (state.ambient.token(PREFIX), asked.life);
    let row = Backchannel {
        id: token.id.clone(),
        secret_hash: token.stored(),
        client_id: known.client.client_id.clone(),
        person_id: person.unwrap_or_default(),
        asked: remembered(asked, token.text()),
        state: String::new(),
        grant_id: None,
        created_at: state.now(),
        expires_at: state.now() + life * 1000,
    };
    keep(state, &known, row).await?;
    // CIBA Core §7.3.
    Ok(json!({
        "auth_req_id": token.text(), "expires_in": life, "interval": INTERVAL / 1000,
    }))
}

fn remembered(asked: Request, auth_req_id: String) -> Asked {
    Asked {
        scope: asked.scope,
        targets: asked.targets,
        acr: asked.acr,
        binding_message: asked.binding_message,
        ping: asked.notification_token.map(|token| Ping { token, auth_req_id }),
    }
}

async fn opened(state: &State, known: &Known, body: &Parameters) -> Result<Parameters, Failure> {
    let client = &known.client;
    let signs = client.rules().signed_backchannel
        || client.backchannel_authentication_request_signing_alg.is_some();
    let Some(text) = body.get("request") else {
        // CIBA Core §4: a client that registered an algorithm signs; FAPI-CIBA §5.2.2: all do.
        if signs {
            return Err(ProtocolError::invalid_request("The request is not signed.").into());
        }
        return Ok(body.clone());
    };
    let keys = client_keys::for_jwt(state, client, text).await;
    let (issuer, now) = (&state.settings.issuer, state.now() / 1000);
    let signed = rules::open(client, text, &keys, issuer, now)?;
    let until = signed.expires.saturating_mul(1000);
    let (id, jti) = (&client.client_id, format!("ciba {}", signed.jti));
    let first = idp_store::single_use::assertion(&state.db, id, &jti, until).await?;
    if !first {
        return Err(ProtocolError::invalid_request("The request was sent before.").into());
    }
    Ok(signed.parameters)
}

/// Whom a hint means: the subject that this client knows, what the person signs in with (never the
/// document's number: attacks row 30), or an ID token of ours for this client.
async fn meant(state: &State, known: &Known, hint: &Hint) -> Result<Option<String>, Failure> {
    let client = &known.client;
    let text = match hint {
        Hint::Login(text) => text.clone(),
        Hint::IdToken(text) => {
            let ring = state.keys.ring(state).await?;
            let hint = hint::check(text, &ring.public, &state.settings.issuer)?;
            if hint.client_id != client.client_id {
                let text = "The id_token_hint was issued to another client.";
                return Err(ProtocolError::invalid_request(text).into());
            }
            hint.subject
        }
    };
    let identifier = match Phone::parse(&text) {
        Ok(phone) => Some(Identifier::Phone(phone)),
        Err(_) if text.contains('@') => Some(Identifier::Email(text.clone())),
        Err(_) => None,
    };
    let (sector, by_login) = (subject::sector(client), matches!(hint, Hint::Login(_)));
    let found: Option<String> = state
        .db
        .read("ciba_meant", move |tx: &mut Tx| {
            let (sector, text, identifier) = (sector.clone(), text.clone(), identifier.clone());
            Box::pin(async move {
                if let Some(person) = idp_store::subject::person(tx, &sector, &text).await? {
                    return Ok::<_, StoreError>(Some(person));
                }
                let Some(identifier) = identifier.filter(|_| by_login) else { return Ok(None) };
                let account = idp_store::account::find_by(tx, &identifier).await?;
                Ok(account.map(|account| account.person_id))
            })
        })
        .await?;
    Ok(found)
}

/// Keeps the request and tells the person, unless they are asked too often: then it waits, unseen,
/// until it expires (attacks row 33).
async fn keep(state: &State, known: &Known, row: Backchannel) -> Result<(), Failure> {
    let (client, now) = (known.client.clone(), state.now());
    let limits = pages::backchannel_limits(&row.person_id);
    let message = outbox::Entry {
        id: state.ambient.id(),
        key: format!("ciba.{}", row.id),
        interface: "sms",
        subject: None,
        arguments: Value::Null,
        at: now,
    };
    let issuer = state.settings.issuer.clone();
    state
        .db
        .write("ciba_begin", move |tx: &mut Tx| {
            let (mut row, client, [shown, told]) = (row.clone(), client.clone(), limits.clone());
            let (message, issuer) = (message.clone(), issuer.clone());
            Box::pin(async move {
                let open = !row.person_id.is_empty()
                    && idp_store::account::gate_of(tx, &row.person_id).await?.is_ok();
                let seen = open && throttle::count(tx, &[shown], now).await?.is_none();
                if !seen {
                    row.person_id = String::new();
                    return idp_store::backchannel::create(tx, &row, INTERVAL).await;
                }
                idp_store::backchannel::create(tx, &row, INTERVAL).await?;
                let contacts = idp_store::account::contacts(tx, &row.person_id).await?;
                let account = idp_store::account::find(tx, &row.person_id).await?;
                let language = account.and_then(|account| account.language);
                let Some(phone) = contacts.phone else { return Ok(()) };
                if throttle::count(tx, &[told], now).await?.is_some() {
                    return Ok(());
                }
                let text = pages::backchannel_message(language.as_deref(), &client, &issuer);
                let arguments = json!({ "to": phone, "text": text });
                outbox::enqueue(tx, outbox::Entry { arguments, ..message }).await
            })
        })
        .await?;
    state.outbox_wake.notify_one();
    Ok(())
}
