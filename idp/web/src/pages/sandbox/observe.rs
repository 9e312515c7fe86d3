//! The seam: one layer around the protocol endpoints, there only where a sandbox is. It copies what
//! goes in and what comes out, changes neither, and writes down what concerns a watched client.

use axum::body::{Body, to_bytes};
use axum::extract::{self, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use idp_protocol::ProtocolError;
use serde_json::Value;

use super::cause;
use super::read;
use super::recorder::{Asked, Decoded, Event, Issued, Line};
use crate::clients::Known;
use crate::oidc::reply::Failure;
use crate::{State, cookie};

/// What a `request_uri` of ours and a flow are remembered under.
const FLOW: &str = "/oauth2/authorize/";
/// Bytes of an answer that are read.
const LONGEST_ANSWER: usize = 256 * 1024;

/// A request, as far as it is looked at.
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    /// Parameters of query and form.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) proof: Option<String>,
}

/// An answer, as far as it is looked at.
#[derive(Default)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// Where it sends the browser.
    pub(super) location: Option<String>,
    /// Parameters of that address.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: Value,
    /// The protocol error of a page.
    pub(super) error: Option<ProtocolError>,
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(text).into_owned()
}

impl Seen {
    fn read(parts: &http::request::Parts, body: &[u8]) -> Self {
        let form = cookie::header(&parts.headers, header::CONTENT_TYPE).unwrap_or_default();
        let form = form.starts_with("application/x-www-form-urlencoded");
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let sent = if form { body } else { &[] };
        let text = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            parameters: pairs(query).chain(pairs(sent)).take(64).collect(),
            authorization: text("authorization"),
            proof: text("dpop"),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        let header = self.authorization.as_deref().and_then(crate::oidc::bearer::presented);
        header.map(|(_, token)| token)
    }

    fn flow(&self) -> Option<&str> {
        self.path.strip_prefix(FLOW)
    }

    /// Whom it says to be of. Nothing is believed: it decides only whose developer sees it.
    fn client(&self, state: &State) -> Option<String> {
        let told = |claims: Option<Value>, name: &str| {
            claims.and_then(|claims| claims.get(name)?.as_str().map(str::to_owned))
        };
        if let Some(flow) = self.flow() {
            return state.sandbox.as_ref()?.recorder().flow(flow);
        }
        let basic = self.authorization.as_deref().and_then(read::basic).map(|(id, _)| id);
        let assertion = self.get("client_assertion").and_then(read::claims);
        let token = self.bearer().or(self.get("access_token")).and_then(read::claims);
        basic
            .or_else(|| self.get("client_id").map(str::to_owned))
            .or_else(|| told(assertion, "sub"))
            .or_else(|| told(token, "client_id"))
    }

    fn title(&self) -> &'static str {
        match self.path.as_str() {
            "/oauth2/authorize" => "sandbox-event-authorize",
            "/oauth2/par" => "sandbox-event-par",
            "/oauth2/token" => "sandbox-event-token",
            "/oauth2/userinfo" => "sandbox-event-userinfo",
            _ => "sandbox-event-other",
        }
    }

    fn asked(&self) -> Asked {
        let claims = self.get("request").and_then(read::claims).unwrap_or_default();
        let value = |name: &str| {
            let within = claims.get(name).and_then(Value::as_str);
            self.get(name).or(within).map(str::to_owned)
        };
        Asked { redirect_uri: value("redirect_uri"), challenge: value("code_challenge") }
    }

    fn sent(&self) -> Vec<Line> {
        let mut sent = read::lines(&self.parameters);
        if let Some((id, secret)) = self.authorization.as_deref().and_then(read::basic) {
            let hidden = read::line("client_secret", &secret).value;
            let value = format!("Basic {id}:{hidden}");
            sent.push(Line { name: "Authorization".to_owned(), value });
        } else if let Some(token) = self.bearer() {
            sent.push(Line {
                name: "Authorization".to_owned(),
                value: format!("Bearer {}", read::line("access_token", token).value),
            });
        }
        sent
    }
}

impl Answered {
    fn read(parts: &http::response::Parts, body: &[u8]) -> Self {
        let location = cookie::header(&parts.headers, header::LOCATION).map(str::to_owned);
        let query = location.as_deref().and_then(|to| to.split_once(['?', '#']));
        Self {
            status: parts.status.as_u16(),
            parameters: query
                .map(|(_, query)| pairs(query.as_bytes()).collect())
                .unwrap_or_default(),
            location: location
                .as_deref()
                .and_then(|to| to.split(['?', '#']).next())
                .map(Into::into),
            body: serde_json::from_slice(body).unwrap_or_default(),
            error: parts.extensions.get::<ProtocolError>().cloned(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let sent = self.parameters.iter().find(|(known, _)| known == name);
        sent.map(|(_, value)| value.as_str())
            .or_else(|| self.body.get(name).and_then(Value::as_str))
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.code.as_str()).or_else(|| self.get("error"))
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(location) = &self.location {
            let value = if location.starts_with(FLOW) { FLOW } else { location };
            lines.push(read::line("Location", value));
        }
        lines.extend(read::lines(&self.parameters).into_iter().filter(|line| line.name != "flow"));
        lines.extend(read::members(&self.body));
        if let Some(error) = &self.error {
            lines.push(read::line("error", error.code.as_str()));
            lines.push(read::line("error_description", error.description));
        }
        lines
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    cookie::header(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.contains("json"))
}

/// The layer. While nobody is watched it costs nothing, and its state stays small: what a layer's
/// future holds is moved with each request.
pub(crate) async fn observe(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    if state.sandbox.as_ref().is_some_and(|sandbox| sandbox.recorder().watches_somebody()) {
        return Box::pin(observed(state, request, next)).await;
    }
    next.run(request).await
}

async fn observed(state: State, request: Request, next: Next) -> Response {
    let Some(sandbox) = &state.sandbox else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    // Attacks row 42: not more than the endpoint would read.
    let Ok(body) = to_bytes(body, state.settings.max_body_bytes).await else {
        let error = ProtocolError::invalid_request("The request is too large or broke off.");
        return Failure::Status(StatusCode::PAYLOAD_TOO_LARGE, error).body(&parts.headers);
    };
    let seen = Seen::read(&parts, &body);
    let client = seen.client(&state).filter(|client| sandbox.recorder().watches(client));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let Some(client) = client else { return response };
    let (parts, body) = response.into_parts();
    if !is_json(&parts.headers) {
        note(&state, &client, &seen, &Answered::read(&parts, &[])).await;
        return Response::from_parts(parts, body);
    }
    let Ok(body) = to_bytes(body, LONGEST_ANSWER).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    note(&state, &client, &seen, &Answered::read(&parts, &body)).await;
    Response::from_parts(parts, Body::from(body))
}

async fn note(state: &State, client: &str, seen: &Seen, answered: &Answered) {
    let Some(sandbox) = &state.sandbox else { return };
    let known = state.clients.find(state, client).await.unwrap_or_default();
    let tokens = tokens(state, known.as_deref(), seen, answered).await;
    let now = state.now();
    let mut recorder = sandbox.recorder();
    let cause = known.and_then(|known| cause::of(&recorder, &known, seen, answered, now));
    let mut title = seen.title();
    if let Some(flow) = seen.flow() {
        let outside = answered.location.as_deref().is_none_or(|to| !to.starts_with('/'));
        title = if outside { "sandbox-event-answer" } else { "sandbox-event-step" };
        if let Some(code) = answered.get("code") {
            let asked = recorder.asked(client, flow).unwrap_or_default();
            recorder.issue(client, code, Issued { at: now, used_at: None, asked });
        }
    }
    // What a later request of this client is compared with.
    if let Some(flow) = answered.location.as_deref().and_then(|to| to.strip_prefix(FLOW)) {
        let pushed = seen.get("request_uri").and_then(|uri| recorder.asked(client, uri));
        recorder.ask(client, flow, pushed.unwrap_or_else(|| seen.asked()));
        recorder.begin_flow(flow, client);
    }
    if let Some(uri) = answered.body.get("request_uri").and_then(Value::as_str) {
        recorder.ask(client, uri, seen.asked());
    }
    if let Some(code) = seen.get("code").filter(|_| answered.status == 200) {
        recorder.redeem(client, code, now);
    }
    let request = match seen.flow() {
        Some(_) => format!("{} {FLOW}…", seen.method),
        None => format!("{} {}", seen.method, seen.path),
    };
    let (sent, lines) = (seen.sent(), answered.lines());
    let event = Event {
        at: now,
        title,
        request: request.chars().take(80).collect(),
        status: answered.status,
        sent,
        answered: lines,
        tokens,
        cause,
    };
    recorder.add(client, event);
}

/// Every token that went in or out, decoded; ours against our keys, the client's against its own.
async fn tokens(
    state: &State,
    known: Option<&Known>,
    seen: &Seen,
    answered: &Answered,
) -> Vec<Decoded> {
    let ours = state.keys.ring(state).await.map(|ring| ring.public.clone()).unwrap_or_default();
    let theirs = known.and_then(|known| known.client.jwks.as_ref()?.get("keys")?.as_array());
    let theirs = theirs.map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for name in read::TOKENS {
        let keys = if matches!(*name, "client_assertion" | "request" | "assertion") {
            theirs
        } else {
            &ours
        };
        let sent = if *name == "access_token" { seen.bearer() } else { None };
        let sent = sent.or(seen.get(name));
        found.extend(sent.and_then(|token| read::decoded(name, token, keys)));
        found.extend(answered.get(name).and_then(|token| read::decoded(name, token, &ours)));
    }
    if let Some(proof) = seen.proof.as_deref() {
        let key = idp_protocol::jose::Unverified::parse(proof).ok();
        let key = key.and_then(|read| read.jwk().cloned());
        found.extend(read::decoded("DPoP", proof, &Vec::from_iter(key)));
    }
    found
}
