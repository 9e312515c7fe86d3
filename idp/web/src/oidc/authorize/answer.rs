//! The answer to a client through the browser (OpenID Connect Core §3.1.2.5, §3.1.2.6).

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idp_protocol::authorize::{AuthorizationRequest, Carrier, ResponseMode};
use idp_protocol::client::Client;
use idp_protocol::redirect_uri::with_query;
use idp_protocol::{ProtocolError, logout};
use serde_json::{Map, Value};

use crate::oidc::reply::Failure;
use crate::oidc::sealed::{self, Wish};
use crate::{State, pages, session};

/// Seconds for which a signed answer is believed.
const JARM_SECONDS: i64 = 120;

/// Where an answer goes: a registered address, always.
pub(super) struct Place<'a> {
    pub(super) client: &'a Client,
    pub(super) redirect_uri: &'a str,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<String>,
}

impl<'a> Place<'a> {
    pub(super) fn of(client: &'a Client, request: &'a AuthorizationRequest) -> Self {
        Self {
            client,
            redirect_uri: &request.redirect_uri,
            mode: request.response_mode,
            state: request.state.clone(),
        }
    }
}

/// Parameters of an answer, in order.
pub(super) type Fields = Vec<(String, String)>;

/// What was asked for.
pub(super) async fn success(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    mut fields: Fields,
    session_state: Option<String>,
) -> Result<Response, Failure> {
    // Session Management §2.
    fields.extend(session_state.map(|value| ("session_state".to_owned(), value)));
    send(state, headers, place, fields).await
}

/// `session_state` of a client in this session (Session Management §3); none for a client without
/// a web origin, and none for plain OAuth, which has no sessions.
pub(super) fn session_state(
    state: &State,
    request: &AuthorizationRequest,
    session_id: &str,
) -> Option<String> {
    if !request.scope.has("openid") {
        return None;
    }
    let browser = session::browser_state(state, session_id);
    let salt = state.ambient.secret();
    let salt = salt.get(..22).unwrap_or(&salt);
    logout::session_state(&request.client_id, &request.redirect_uri, &browser, salt)
}

/// An error for the client.
pub(super) async fn error(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    error: &ProtocolError,
) -> Result<Response, Failure> {
    let fields = vec![
        ("error".to_owned(), error.code.as_str().to_owned()),
        ("error_description".to_owned(), error.description.to_owned()),
    ];
    send(state, headers, place, fields).await
}

async fn send(
    state: &State,
    headers: &HeaderMap,
    place: &Place<'_>,
    mut fields: Fields,
) -> Result<Response, Failure> {
    // RFC 6749 §4.1.2: exactly as it was sent.
    fields.extend(place.state.clone().map(|value| ("state".to_owned(), value)));
    if place.mode.jwt {
        fields = vec![("response".to_owned(), signed(state, place.client, fields).await?)];
    } else {
        // RFC 9207 §2: in every response, errors included (attacks row 7).
        fields.push(("iss".to_owned(), state.settings.issuer.clone()));
    }
    Ok(match place.mode.carrier {
        Carrier::FormPost => pages::form_post(state, headers, place.redirect_uri, &fields),
        Carrier::Query => see_other(&with_query(place.redirect_uri, &fields)),
        Carrier::Fragment => see_other(&with_fragment(place.redirect_uri, &fields)),
    })
}

/// The answer as one JWT (JARM §2.1), for a redirect that happens now (JARM §5.1).
async fn signed(state: &State, client: &Client, fields: Fields) -> Result<String, Failure> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), state.settings.issuer.clone().into());
    claims.insert("aud".to_owned(), client.client_id.clone().into());
    claims.insert("exp".to_owned(), (state.now() / 1000 + JARM_SECONDS).into());
    claims.extend(fields.into_iter().map(|(name, value)| (name, Value::String(value))));
    // JARM §3: as registered, else what ID tokens are signed with.
    let named = client.authorization_signed_response_alg.as_ref();
    let wish = Wish {
        signed: Some(named.unwrap_or(&client.id_token_signed_response_alg)),
        alg: client.authorization_encrypted_response_alg.as_deref(),
        enc: client.authorization_encrypted_response_enc.as_deref(),
    };
    sealed::token(state, client, wish, "JWT", &claims).await
}

/// Adds parameters as the fragment, which a registered address does not have (RFC 6749 §3.1.2).
fn with_fragment(uri: &str, fields: &[(String, String)]) -> String {
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("{uri}#{text}")
}

/// A redirect that turns every method into GET: 307 would send a password on (attacks row 36).
pub(in crate::oidc) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
