//! `/oauth2/device_authorization` (RFC 8628 §3.1): a device asks for a code that a person types
//! elsewhere.

use axum::Json;
use axum::extract;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use idp_protocol::scope::Scope;
use idp_protocol::target::Targets;
use idp_protocol::{ProtocolError, device as rules};
use idp_store::device::{Asked, Device};
use idp_store::{StoreError, Tx, throttle};
use serde_json::json;

use super::client_auth;
use super::reply::Failure;
use super::request::{self, Body};
use super::sender::Sender;
use crate::clients::Known;
use crate::network::Network;
use crate::{State, pages};

/// Prefix of a device code.
pub(super) const PREFIX: &str = "tbd_";
/// How long a person may take, milliseconds: short, because a code that is sent to somebody else
/// works for as long (RFC 8628 §5.4; attacks row 31).
pub(super) const LIFE: i64 = 10 * 60_000;
/// Milliseconds between two questions of a device.
pub(super) const INTERVAL: i64 = 5_000;
/// Tries to make a code that nobody has.
const TRIES: usize = 4;

/// The endpoint.
pub(crate) async fn begin(
    extract::State(state): extract::State<State>,
    Network(network): Network,
    headers: HeaderMap,
    sender: Sender,
    body: Body,
) -> Response {
    match answer(&state, &network, &headers, &sender, body).await {
        Ok(response) => response,
        Err(failure) => failure.body(&headers),
    }
}

async fn answer(
    state: &State,
    network: &str,
    headers: &HeaderMap,
    sender: &Sender,
    body: Body,
) -> Result<Response, Failure> {
    let body = request::form(headers, body)?;
    // RFC 8628 §3.1: the client authenticates as at the token endpoint.
    let known = client_auth::client(state, headers, &body, sender).await?;
    // RFC 6749 §5.2 unauthorized_client: registered for this grant.
    if !known.client.may(rules::GRANT) {
        return Err(ProtocolError::unauthorized_client("The client may not use this grant.").into());
    }
    // RFC 8628 §3.1 leaves room for other parameters: RFC 8707 §2, RFC 9396 §3.
    let targets = Targets::read(&known.client, &body, &state.settings.issuer)?;
    let scope = scope(&known, body.get("scope"), !targets.authorization_details.is_empty())?;
    let token = state.ambient.token(PREFIX);
    let device = Device {
        id: token.id.clone(),
        secret_hash: token.stored(),
        client_id: known.client.client_id.clone(),
        asked: Asked { scope, targets, network: network.to_owned() },
        state: String::new(),
        grant_id: None,
        created_at: state.now(),
        expires_at: state.now() + LIFE,
    };
    let code = keep(state, network, device).await?;
    let (at, shown) = (format!("{}/device", state.settings.issuer), rules::shown(&code));
    // RFC 8628 §3.2.
    Ok(Json(json!({
        "device_code": token.text(),
        "user_code": shown,
        "verification_uri": at,
        "verification_uri_complete": format!("{at}?user_code={shown}"),
        "expires_in": LIFE / 1000,
        "interval": INTERVAL / 1000,
    }))
    .into_response())
}

/// What may be asked for (RFC 6749 §3.3): nothing beyond the registration; without a wish, all of
/// it, or none beside authorization details, which are a wish of their own (RFC 9396 §3). An officer
/// is met at work, never at a device.
fn scope(known: &Known, asked: Option<&str>, detailed: bool) -> Result<Scope, Failure> {
    let registered = known.client.scopes().without("staff");
    let scope = match asked {
        Some(asked) => Scope::parse(asked)?.only(&registered),
        None if detailed => Scope::default(),
        None => registered,
    };
    if scope.is_empty() && !detailed {
        let text = "No scope that this client may ask for.";
        return Err(ProtocolError::invalid_scope(text).into());
    }
    Ok(scope)
}

/// Keeps the authorization under a code that nobody else has, if its network has not sent too many.
async fn keep(state: &State, network: &str, device: Device) -> Result<String, Failure> {
    let mut codes = Vec::new();
    for _ in 0..TRIES {
        let mut random = [0; 32];
        state.ambient.random.fill(&mut random);
        codes.extend(rules::user_code(&random));
    }
    let (limits, now) = (vec![pages::device_limit(network)], state.now());
    let kept: Result<String, i64> = state
        .db
        .write("device_begin", move |tx: &mut Tx| {
            let (codes, device, limits) = (codes.clone(), device.clone(), limits.clone());
            Box::pin(async move {
                if let Some(passed) = throttle::count(tx, &limits, now).await? {
                    return Ok(Err(passed.until - now));
                }
                for code in codes {
                    if idp_store::device::create(tx, &device, &code, INTERVAL).await? {
                        return Ok(Ok(code));
                    }
                }
                Err(StoreError::Data("no free user code was found".to_owned()))
            })
        })
        .await?;
    kept.map_err(|wait| Failure::Limited { wait })
}
