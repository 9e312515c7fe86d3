//! An authorization request that waits for its person, as pages see it.
//!
//! The request lives in the database; the address carries its id, and a cookie a secret, so that a
//! link alone does not carry on somebody's flow (attacks rows 20, 22).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use idp_domain::ambient;
use idp_domain::consent::{Asked, Given};
use idp_protocol::ErrorCode;
use idp_protocol::authorize::AuthorizationRequest;
use idp_protocol::client::{ApplicationType, Client};
use idp_protocol::redirect_uri;
use idp_store::consent::Consent;
use idp_store::flow::Stored;
use idp_store::throttle::{self, Passed};
use idp_store::{StoreError, Tx, audit};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::{State, cookie, pages};

const STEM: &str = "tongban_flow";
/// Flows that one browser may have open; older ones are forgotten.
const MOST: usize = 10;

/// A request that is neither answered nor expired, of this browser.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its id, as in addresses.
    pub id: String,
    /// The checked request.
    pub request: AuthorizationRequest,
    /// Who asks.
    pub client: Arc<Client>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// The person who allowed it in this flow.
    pub consented: Option<String>,
    /// The person who chose, in this flow, to go on as themselves.
    pub chosen: Option<String>,
    /// The error code with which the person ended it.
    pub denied: Option<String>,
}

impl Flow {
    /// Groups of the consent page, one line each: `profile`, `email`, `address`, `phone`,
    /// `identity`, `cases`, `offline_access`.
    #[must_use]
    pub fn asks(&self) -> Vec<String> {
        self.asked().groups()
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked::new(&self.request.scope, &self.request.claims)
            .with_details(&self.request.authorization_details)
    }

    /// Whether any program on the person's device may stand behind the request: one without
    /// credentials that is answered where any of them may listen (RFC 8252 §8.6).
    pub(crate) fn anybodys(&self) -> bool {
        let (uri, client) = (&self.request.redirect_uri, &self.client);
        let native = client.application_type == ApplicationType::Native;
        client.is_public()
            && (redirect_uri::is_private_use(uri) || native && redirect_uri::is_local(uri))
    }

    /// Where a page goes when it is done.
    #[must_use]
    pub fn resume(&self) -> String {
        format!("/oauth2/authorize/{}", self.id)
    }

    /// The proofing level that the request asks for, 1 to 5.
    #[must_use]
    pub fn wanted_proofing(&self) -> Option<u8> {
        Some(self.request.acr.proofing).filter(|level| *level > 0)
    }

    /// The authentication level that the request asks for, 1 to 3.
    #[must_use]
    pub fn wanted_auth(&self) -> Option<u8> {
        Some(self.request.acr.auth).filter(|level| *level > 0)
    }
}

fn cookie_name(state: &State, id: &str) -> String {
    format!("{}_{}", cookie::name(state, STEM), id.replace('-', ""))
}

/// What came of an authorization request.
pub(crate) enum Begun {
    /// Kept: its id, and the cookies that bind it to the browser.
    Kept(String, Vec<HeaderValue>),
    /// Too many from this network; milliseconds until the next is taken.
    Limited(i64),
}

/// Keeps a request, if its network has not sent too many.
pub(crate) async fn begin(
    state: &State,
    headers: &HeaderMap,
    network: &str,
    request: AuthorizationRequest,
) -> Result<Begun, StoreError> {
    let (id, secret, now) = (state.ambient.id(), state.ambient.secret(), state.now());
    let lifetime = state.settings.lifetimes.flow_ms;
    let stored = Stored {
        id: id.clone(),
        browser_hash: ambient::hash(&secret),
        request,
        created_at: now,
        consented: None,
        chosen: None,
        denied: None,
    };
    let limits = Vec::from_iter(pages::authorization_limit(state, network));
    if limits.is_empty() {
        idp_store::flow::keep(&state.db, &stored, now + lifetime).await?;
        return Ok(Begun::Kept(id.clone(), cookies(state, headers, &id, &secret)));
    }
    let passed: Option<Passed> = state
        .db
        .write("flow_begin", move |tx: &mut Tx| {
            let (stored, limits) = (stored.clone(), limits.clone());
            Box::pin(async move {
                let passed = throttle::count(tx, &limits, now).await?;
                if passed.is_none() {
                    idp_store::flow::create(tx, &stored, now + lifetime).await?;
                }
                Ok::<_, StoreError>(passed)
            })
        })
        .await?;
    if let Some(passed) = passed {
        return Ok(Begun::Limited(passed.until - now));
    }
    Ok(Begun::Kept(id.clone(), cookies(state, headers, &id, &secret)))
}

/// `Set-Cookie` values that bind a flow to this browser.
fn cookies(state: &State, headers: &HeaderMap, id: &str, secret: &str) -> Vec<HeaderValue> {
    let lifetime = state.settings.lifetimes.flow_ms;
    // A cookie for each flow, because tabs are signed in side by side, and a POST from another
    // site arrives without the cookies that it must not overwrite.
    let mut cookies =
        vec![cookie::set(state, &cookie_name(state, id), secret, Some(lifetime / 1000))];
    let stem = format!("{}_", cookie::name(state, STEM));
    let mut open: Vec<&str> =
        cookie::all(headers).map(|(name, _)| name).filter(|name| name.starts_with(&stem)).collect();
    open.sort_unstable();
    let excess = open.len().saturating_sub(MOST - 1);
    cookies.extend(open.into_iter().take(excess).map(|name| cookie::clear(state, name)));
    cookies
}

/// `Set-Cookie` that unbinds an answered flow.
pub(crate) fn forget(state: &State, id: &str) -> HeaderValue {
    cookie::clear(state, &cookie_name(state, id))
}

/// A flow of this browser; none if it is unknown, answered, expired or another browser's.
///
/// # Errors
/// As the database says.
pub async fn load(
    state: &State,
    headers: &HeaderMap,
    id: &str,
) -> Result<Option<Flow>, StoreError> {
    let Some(secret) = cookie::get(headers, &cookie_name(state, id)) else { return Ok(None) };
    let found = idp_store::flow::find(&state.db, id, state.now()).await?;
    let bound = |stored: &Stored| {
        let sent = ambient::hash(secret);
        bool::from(sent.as_bytes().ct_eq(stored.browser_hash.as_bytes()))
    };
    let Some(stored) = found.filter(bound) else { return Ok(None) };
    let Some(registered) = state.clients.find(state, &stored.request.client_id).await? else {
        return Ok(None);
    };
    Ok(Some(Flow {
        id: stored.id,
        request: stored.request,
        client: registered.client.clone(),
        created_at: stored.created_at,
        consented: stored.consented,
        chosen: stored.chosen,
        denied: stored.denied,
    }))
}

/// Remembers that this person allows what the flow asks for, now and in later requests.
///
/// # Errors
/// As the database says.
pub async fn consent(state: &State, flow: &Flow, person: &str) -> Result<(), StoreError> {
    let (now, person, id) = (state.now(), person.to_owned(), flow.id.clone());
    let (asked, client) = (flow.asked(), flow.client.clone());
    state
        .db
        .write("consent", move |tx: &mut Tx| {
            let (person, id) = (person.clone(), id.clone());
            let (asked, client) = (asked.clone(), client.clone());
            Box::pin(async move {
                if !idp_store::flow::consented(tx, &id, &person, now).await? {
                    return Ok(());
                }
                let earlier = idp_store::consent::find(tx, &person, &client.client_id).await?;
                // What was allowed to another name is not allowed to this one (attacks row 34).
                let name = face(&client);
                let given =
                    earlier.as_ref().filter(|earlier| earlier.client_name == name).map(given);
                let (scope, claims) = asked.with(given.as_ref());
                let consent = Consent {
                    client_id: client.client_id.clone(),
                    scope,
                    claims,
                    client_name: name,
                    granted_at: now,
                };
                idp_store::consent::allow(tx, &person, &consent).await?;
                let details = json!({"client": client.client_id, "name": client.client_name,
                    "groups": asked.groups()});
                let line =
                    audit::Line { at: now, kind: "consent", actor: "self".to_owned(), details };
                audit::append(tx, &person, line).await
            })
        })
        .await
}

pub(crate) fn given(consent: &Consent) -> Given<'_> {
    Given { scope: &consent.scope, claims: &consent.claims, client_name: &consent.client_name }
}

/// What a person saw of the partner when they consented, a line each: its names, and the address
/// of its picture where it has one (attacks row 34). Nobody vouches for one that describes itself:
/// there everything that it says counts, such as where it is answered.
pub(crate) fn face(client: &Client) -> String {
    let english = client.client_name_en.as_deref().unwrap_or_default();
    let logo = client.logo_uri.as_ref().map(|logo| format!("\n{logo}")).unwrap_or_default();
    let said = client.published.then(|| serde_json::to_string(client).unwrap_or_default());
    let said = said.map(|said| format!("\n{}", ambient::hash(&said))).unwrap_or_default();
    format!("{}\n{english}{logo}{said}", client.client_name)
}

/// Remembers that this person goes on as themselves (OpenID Connect Core §3.1.2.1,
/// `select_account`).
///
/// # Errors
/// As the database says.
pub async fn choose(state: &State, flow: &Flow, person: &str) -> Result<(), StoreError> {
    let (now, person, id) = (state.now(), person.to_owned(), flow.id.clone());
    state
        .db
        .write("flow_choose", move |tx: &mut Tx| {
            let (person, id) = (person.clone(), id.clone());
            Box::pin(async move { idp_store::flow::choose(tx, &id, &person, now).await.map(drop) })
        })
        .await
}

/// Ends a flow because its person said no: the client is told `access_denied`.
///
/// # Errors
/// As the database says.
pub async fn deny(state: &State, flow: &Flow) -> Result<(), StoreError> {
    stop(state, flow, ErrorCode::AccessDenied).await
}

/// Ends a flow because its person cannot or will not reach the level that is asked for: the client
/// is told `unmet_authentication_requirements`.
///
/// # Errors
/// As the database says.
pub async fn give_up(state: &State, flow: &Flow) -> Result<(), StoreError> {
    stop(state, flow, ErrorCode::UnmetAuthenticationRequirements).await
}

async fn stop(state: &State, flow: &Flow, code: ErrorCode) -> Result<(), StoreError> {
    let id = flow.id.clone();
    state
        .db
        .write("flow_deny", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::flow::deny(tx, &id, code.as_str()).await.map(drop) })
        })
        .await
}
