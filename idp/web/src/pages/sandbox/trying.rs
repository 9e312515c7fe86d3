//! "Try it here": the console is the client, so that a person without any code sees the way from
//! end to end. It asks the same endpoints in the same way as a program would, within the process.

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Method, StatusCode, header};
use idp_protocol::client::{AuthMethod, Client, Policy};
use serde_json::Value;
use tower::ServiceExt as _;

use super::recorder::{Attempt, Event, Line};
use super::{Sandbox, clients, read};
use crate::pages::form::Fields;
use crate::pages::page::Page;
use crate::pages::reply::see_other;
use crate::pages::view::Notice;
use crate::{State, oidc};

/// Bytes of an answer of ours.
const LONGEST: usize = 256 * 1024;

/// Where answers to the console come.
pub(super) fn address(state: &State) -> String {
    format!("{}/sandbox/callback", state.settings.issuer)
}

/// Whether the console can act as this client: it holds no key of a developer's.
pub(super) fn can(client: &Client) -> bool {
    client.policy == Policy::Openid
        && client.token_endpoint_auth_method != AuthMethod::PrivateKeyJwt
}

/// The address of a client's page.
pub(super) fn home(client: &str) -> String {
    format!("/sandbox/clients/{client}")
}

/// Begins a sign-in.
pub(crate) async fn begin(page: Page, Path(client): Path<String>, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    match clients(&page).await {
        Ok(own) if own.contains(&client) => {}
        Ok(_) => return page.status(StatusCode::NOT_FOUND),
        Err(cause) => return page.failed(&cause),
    }
    let Some(sandbox) = &page.state.sandbox else { return page.status(StatusCode::NOT_FOUND) };
    let ambient = &page.state.ambient;
    let attempt =
        Attempt { state: ambient.secret(), nonce: ambient.secret(), verifier: ambient.secret() };
    let challenge =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, attempt.verifier.as_bytes());
    let scope = fields.get("scope").trim();
    let mut query = vec![
        ("response_type", "code".to_owned()),
        ("client_id", client.clone()),
        ("redirect_uri", address(&page.state)),
        ("scope", if scope.is_empty() { "openid".to_owned() } else { scope.to_owned() }),
        ("state", attempt.state.clone()),
        ("nonce", attempt.nonce.clone()),
        ("code_challenge", URL_SAFE_NO_PAD.encode(challenge)),
        ("code_challenge_method", "S256".to_owned()),
    ];
    if fields.get("prompt") == "login" {
        query.push(("prompt", "login".to_owned()));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let mut recorder = sandbox.recorder();
    recorder.watch(&client);
    recorder.attempt(&client, attempt);
    see_other(&format!("/oauth2/authorize?{query}"))
}

/// Takes the answer, as a partner's callback does.
pub(crate) async fn callback(page: Page) -> Response {
    let own = match clients(&page).await {
        Ok(own) => own,
        Err(cause) => return page.failed(&cause),
    };
    let Some(sandbox) = &page.state.sandbox else { return page.status(StatusCode::NOT_FOUND) };
    // Attacks row 20: an attempt of this browser, and only once.
    let sent = page.query("state").unwrap_or_default();
    let found = own.into_iter().find_map(|client| {
        let attempt = sandbox.recorder().take_attempt(&client, &sent)?;
        Some((client, attempt))
    });
    let Some((client, attempt)) = found else {
        let notice = Notice::error(page.t("sandbox-stray"));
        return page.message(StatusCode::BAD_REQUEST, page.t("sandbox-title"), notice, Vec::new());
    };
    // Attacks row 7 (RFC 9207 §2.4): of the issuer that was asked.
    let ours = page.query("iss").as_deref() == Some(&page.state.settings.issuer);
    if let Some(code) = page.query("code").filter(|_| ours) {
        redeem(&page.state, sandbox, &client, &attempt, &code).await;
    }
    see_other(&format!("{}#timeline", home(&client)))
}

async fn redeem(state: &State, sandbox: &Sandbox, client: &str, attempt: &Attempt, code: &str) {
    let known = state.clients.find(state, client).await.unwrap_or_default();
    let Some(known) = known else { return };
    let (secret, back) = (sandbox.secret(client), address(state));
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &back),
        ("code_verifier", &attempt.verifier),
    ];
    let mut request = Request::builder().method(Method::POST).uri("/oauth2/token");
    match known.client.token_endpoint_auth_method {
        // RFC 6749 §2.3.1; neither holds a character that would have to be encoded.
        AuthMethod::ClientSecretBasic => {
            let value = format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")));
            request = request.header(header::AUTHORIZATION, value);
        }
        AuthMethod::ClientSecretPost => {
            fields.extend([("client_id", client), ("client_secret", secret.as_str())]);
        }
        _ => fields.push(("client_id", client)),
    }
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = "application/x-www-form-urlencoded";
    let request = request.header(header::CONTENT_TYPE, kind).body(Body::from(form));
    let Some(tokens) = ask(state, request).await else { return };
    let text = |name: &str| tokens.get(name).and_then(Value::as_str);
    if let Some(id_token) = text("id_token") {
        believe(state, sandbox, client, attempt, id_token);
    }
    if let Some(access) = text("access_token") {
        let request = Request::builder().uri("/oauth2/userinfo");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {access}"));
        ask(state, request.body(Body::empty())).await;
    }
}

/// One request to our own endpoints, through the layer that records; the answer, if it is JSON.
async fn ask(state: &State, request: Result<Request, http::Error>) -> Option<Value> {
    let router = oidc::router(state).with_state(state.clone());
    let response = router.oneshot(request.ok()?).await.ok()?;
    let body = to_bytes(response.into_body(), LONGEST).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// What a client has to compare (OpenID Connect Core §3.1.3.7), written down as it came out.
fn believe(state: &State, sandbox: &Sandbox, client: &str, attempt: &Attempt, id_token: &str) {
    let claims = read::claims(id_token).unwrap_or_default();
    let expected = [
        ("iss", state.settings.issuer.as_str()),
        ("aud", client),
        ("nonce", attempt.nonce.as_str()),
    ];
    let mut all = true;
    let mut lines: Vec<Line> = expected
        .into_iter()
        .map(|(name, expected)| {
            let same = claims.get(name).and_then(Value::as_str) == Some(expected);
            all &= same;
            let mark = if same { "✓" } else { "✗" };
            Line { name: name.to_owned(), value: format!("{mark} {expected}") }
        })
        .collect();
    let fresh =
        claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp * 1000 > state.now());
    let mark = if fresh { "✓" } else { "✗" };
    let exp = claims.get("exp").cloned().unwrap_or_default();
    lines.push(Line { name: "exp".to_owned(), value: format!("{mark} {exp}") });
    let event = Event {
        at: state.now(),
        title: "sandbox-event-checked",
        request: String::new(),
        status: if all && fresh { 200 } else { 400 },
        sent: Vec::new(),
        answered: lines,
        tokens: Vec::new(),
        cause: None,
    };
    sandbox.recorder().add(client, event);
}
