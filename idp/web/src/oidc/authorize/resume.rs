//! `/oauth2/authorize/{flow}`: what a kept request needs next, until its client is answered.

use std::sync::Arc;

use axum::extract;
use axum::response::Response;
use http::{HeaderMap, header};
use idp_domain::citizen::account::Shut;
use idp_domain::flow::{self as rules, Facts, Progress, Step};
use idp_protocol::ErrorCode;
use idp_protocol::ProtocolError;
use idp_protocol::acr::{self, Reached};
use idp_store::code::Code;
use idp_store::grant::{Detail, Grant};
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::answer::{self, Fields, Place};
use super::{backchannel, device};
use crate::State;
use crate::flow::{self, Flow};
use crate::oidc::claims;
use crate::oidc::issue;
use crate::oidc::reply::Failure;
use crate::oidc::subject;
use crate::session::{self, SignedIn, Who};

/// The endpoint: pages send the browser here when they are done.
pub(crate) async fn resume(
    extract::State(state): extract::State<State>,
    extract::Path(id): extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    match go_on(&state, &headers, &id).await {
        Ok(response) => response,
        Err(failure) => failure.page(&state, &headers),
    }
}

async fn go_on(state: &State, headers: &HeaderMap, id: &str) -> Result<Response, Failure> {
    // Attacks row 20: a flow of this browser.
    let Some(flow) = flow::load(state, headers, id).await? else {
        return Ok(super::gone(state, headers));
    };
    // RFC 6749 §4.1.2.1: the person said no.
    if let Some(code) = &flow.denied {
        let error = denied(code);
        return end(state, headers, &flow, error).await;
    }
    let signed_in = session::current(state, headers).await?;
    let facts = match &signed_in {
        Some(session) => Some(facts(state, &flow, session).await?),
        None => None,
    };
    // Attacks row 34: a consent is its person's, whoever signs in at this browser later.
    let consented = signed_in
        .as_ref()
        .is_some_and(|session| flow.consented.as_deref() == Some(session.who.id()));
    let chosen =
        signed_in.as_ref().is_some_and(|session| flow.chosen.as_deref() == Some(session.who.id()));
    let progress = Progress { created_at: flow.created_at, consented, chosen, now: state.now() };
    match (rules::next(&flow.request, progress, facts.as_ref()), signed_in, facts) {
        (Step::SignIn, ..) => Ok(page("signin", &flow)),
        (Step::Register, ..) => Ok(page("register", &flow)),
        (Step::SelectAccount, ..) => Ok(page("signin/account", &flow)),
        (Step::StepUp, ..) => Ok(page("stepup", &flow)),
        (Step::Consent, ..) if flow.request.device.is_some() => Ok(page("device/confirm", &flow)),
        (Step::Consent, ..) if flow.request.backchannel.is_some() => {
            Ok(page("account/requests/confirm", &flow))
        }
        (Step::Consent, ..) => Ok(page("consent", &flow)),
        (Step::Refuse(error), ..) => end(state, headers, &flow, error).await,
        (Step::Issue, Some(session), Some(facts)) => {
            if let Some(id) = &flow.request.device {
                return device::allow(state, headers, &flow, id, &session, facts.reached).await;
            }
            if let Some(id) = &flow.request.backchannel {
                let reached = facts.reached;
                return backchannel::allow(state, headers, &flow, id, &session, reached).await;
            }
            issue(state, headers, &flow, &session, facts.reached).await
        }
        // Nothing is issued to nobody.
        (Step::Issue, ..) => Ok(page("signin", &flow)),
    }
}

fn page(name: &str, flow: &Flow) -> Response {
    answer::see_other(&format!("/{name}?flow={}", flow.id))
}

fn denied(code: &str) -> ProtocolError {
    if code == ErrorCode::UnmetAuthenticationRequirements.as_str() {
        let text = "The assurance that was asked for was not reached.";
        return ProtocolError::new(ErrorCode::UnmetAuthenticationRequirements, text);
    }
    ProtocolError::new(ErrorCode::AccessDenied, "The person refused.")
}

/// Answers the client with an error, once.
async fn end(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    error: ProtocolError,
) -> Result<Response, Failure> {
    let (id, now) = (flow.id.clone(), state.now());
    let pushed = flow.request.pushed.clone();
    let first: bool = state
        .db
        .write("flow_end", move |tx: &mut Tx| {
            let (id, pushed) = (id.clone(), pushed.clone());
            Box::pin(async move { answered(tx, &id, pushed.as_deref(), now).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    if !first {
        return Ok(super::gone(state, headers));
    }
    if let Some(id) = &flow.request.device {
        return device::refuse(state, headers, flow, id).await;
    }
    if let Some(id) = &flow.request.backchannel {
        return backchannel::refuse(state, headers, flow, id).await;
    }
    let response = {
        let place = Place::of(&flow.client, &flow.request);
        answer::error(state, headers, &place, &error).await?
    };
    Ok(forgotten(state, flow, response))
}

/// Takes flow and pushed request for the one answer (attacks rows 14, 22).
async fn answered(
    tx: &mut Tx,
    flow: &str,
    pushed: Option<&str>,
    now: i64,
) -> Result<bool, StoreError> {
    if !idp_store::flow::answer(tx, flow, now).await? {
        return Ok(false);
    }
    match pushed {
        // RFC 9126 §4: dead when the sign-in completes.
        Some(id) => idp_store::pushed::consume(tx, id, now).await,
        None => Ok(true),
    }
}

pub(super) fn forgotten(state: &State, flow: &Flow, mut response: Response) -> Response {
    response.headers_mut().append(header::SET_COOKIE, flow::forget(state, &flow.id));
    response
}

/// What is known of the person, or the officer.
async fn facts(state: &State, flow: &Flow, session: &SignedIn) -> Result<Facts, StoreError> {
    let (client, asked) = (&flow.client, flow.asked());
    // A silent request asks nobody: there the consent that stands has to do (Core §3.1.2.1).
    let afresh = client.rules().asks_each_time && !flow.request.prompt.none;
    // RFC 8252 §8.6: there nobody can be sure who asks, silently least of all.
    let afresh = afresh || flow.anybodys();
    let (proofing, gate, allowed) = match &session.who {
        Who::Staff(id) => {
            let active = claims::staff(state, id).await?.is_some_and(|staff| staff.active);
            let gate = if active { Ok(()) } else { Err(Shut::NotInUse) };
            // An officer is met at work: nothing of theirs is consented to.
            (1, gate, true)
        }
        Who::Citizen(person) => {
            match idp_store::consent::standing(&state.db, person, &client.client_id).await? {
                None => (0, Err(Shut::NotInUse), false),
                Some(known) => {
                    let covers = |given| asked.covered_by(&flow::given(given), &flow::face(client));
                    let given = !afresh && known.given.as_ref().is_some_and(covers);
                    // The operator's own client releases under a recorded legal basis.
                    (known.proofing, known.gate, client.legal_basis.is_some() || given)
                }
            }
        }
    };
    let proofing = u8::try_from(proofing).unwrap_or(0);
    Ok(Facts {
        staff: matches!(session.who, Who::Staff(_)),
        auth_time: session.auth_time,
        reached: Reached { proofing, auth: session.auth_level },
        gate,
        subject: subject::of(state, &flow.client, &session.who),
        allowed,
    })
}

/// Makes grant and code and answers the client, all in one transaction.
pub(in crate::oidc) async fn issue(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    session: &SignedIn,
    reached: Reached,
) -> Result<Response, Failure> {
    let kind = flow.request.response_type;
    let token = state.ambient.token("tbc_");
    let grant = grant(state, flow, session, reached);
    let code = Code {
        id: token.id.clone(),
        secret_hash: token.stored(),
        grant_id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        redirect_uri: flow.request.redirect_uri_sent.then(|| flow.request.redirect_uri.clone()),
        challenge: flow.request.code_challenge.clone(),
        nonce: flow.request.nonce.clone(),
        expires_at: state.now() + state.settings.lifetimes.code_ms,
        used_at: None,
    };
    let made = Arc::new(Made {
        flow_id: flow.id.clone(),
        pushed: flow.request.pushed.clone(),
        sector: subject::sector(&flow.client),
        sub: subject::of(state, &flow.client, &session.who),
        groups: flow.asks(),
        name: flow.client.client_name.clone(),
        by_consent: by_consent(flow, session),
        grant: grant.clone(),
        code: kind.code.then_some(code),
    });
    let first: bool = state
        .db
        .write("issue_code", move |tx: &mut Tx| {
            let made = made.clone();
            Box::pin(async move { made.keep(tx).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    if !first {
        return Ok(super::gone(state, headers));
    }
    let session_state = answer::session_state(state, &flow.request, &session.id);
    let place = Place::of(&flow.client, &flow.request);
    let code = kind.code.then(|| token.text());
    let fields = front(state, flow, &grant, code).await?;
    let mut response = answer::success(state, headers, &place, fields, session_state).await?;
    // The frame reads it again; a browser that has lost it would always say that it has changed.
    let kept = session::state_cookie_value(state, &session.id);
    response.headers_mut().append(header::SET_COOKIE, kept);
    Ok(forgotten(state, flow, response))
}

/// What comes from the front: the code, and tokens where the response type asks for them (OpenID
/// Connect Core §3.2.2.5, §3.3.2.5).
async fn front(
    state: &State,
    flow: &Flow,
    grant: &Grant,
    code: Option<String>,
) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    if flow.request.response_type.front() {
        let wanted = issue::Front {
            kind: flow.request.response_type,
            scope: &flow.request.scope,
            nonce: flow.request.nonce.as_deref(),
            code: code.as_deref(),
        };
        fields = issue::from_the_front(state, &flow.client, grant, wanted).await?;
    }
    fields.extend(code.map(|code| ("code".to_owned(), code)));
    Ok(fields)
}

/// Whether something is given because the person allows it, not under a legal basis.
pub(super) fn by_consent(flow: &Flow, session: &SignedIn) -> bool {
    flow.client.legal_basis.is_none() && matches!(session.who, Who::Citizen(_))
}

/// Whether what a decision rests on stands, and does until the unit is over: a sign-out since it
/// was made holds, and so does a withdrawal of the consent (attacks row 34).
pub(super) async fn rests(
    tx: &mut Tx,
    grant: &Grant,
    session: &str,
    by_consent: bool,
) -> Result<bool, StoreError> {
    if !idp_store::session::hold(tx, session, grant.created_at).await? {
        return Ok(false);
    }
    let (person, client) = (&grant.person_id, &grant.client_id);
    Ok(!by_consent || idp_store::consent::hold(tx, person, client).await?)
}

pub(super) fn grant(state: &State, flow: &Flow, session: &SignedIn, reached: Reached) -> Grant {
    let (now, lifetimes) = (state.now(), state.settings.lifetimes);
    let lasts = if flow.client.may("refresh_token") {
        lifetimes.refresh_ms
    } else {
        // As long as a code redeemed at the last moment gives a token.
        lifetimes.code_ms + lifetimes.access_ms
    };
    Grant {
        id: state.ambient.id(),
        client_id: flow.client.client_id.clone(),
        person_id: session.who.id().to_owned(),
        kind: session.who.kind().to_owned(),
        session_id: Some(session.id.clone()),
        detail: Detail {
            scope: flow.request.scope.text(),
            claims: flow.request.claims.clone(),
            auth_time: session.auth_time / 1000,
            amr: session.amr.clone(),
            acr: acr::claim(flow.request.acr, reached),
            proofing: reached.proofing,
            auth: reached.auth,
            offline: flow.request.scope.has("offline_access"),
            resources: flow.request.resources.clone(),
            authorization_details: flow.request.authorization_details.clone(),
            code_jkt: flow.request.dpop_jkt.clone(),
        },
        created_at: now,
        expires_at: now + lasts,
    }
}

struct Made {
    flow_id: String,
    pushed: Option<String>,
    sector: String,
    sub: String,
    groups: Vec<String>,
    name: String,
    grant: Grant,
    by_consent: bool,
    /// None where tokens come from the front alone.
    code: Option<Code>,
}

impl Made {
    /// False if the flow was answered before (one request, one code), the session has ended or the
    /// consent was withdrawn.
    async fn keep(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let (grant, now) = (&self.grant, self.grant.created_at);
        let session = grant.session_id.as_deref().unwrap_or_default();
        if !rests(tx, grant, session, self.by_consent).await?
            || !answered(tx, &self.flow_id, self.pushed.as_deref(), now).await?
        {
            return Ok(false);
        }
        idp_store::grant::create(tx, grant).await?;
        if let Some(code) = &self.code {
            idp_store::code::create(tx, code).await?;
        }
        if grant.kind != "citizen" {
            return Ok(true);
        }
        let person = &grant.person_id;
        idp_store::subject::remember(tx, &self.sector, &self.sub, person, now).await?;
        let details = json!({"client": grant.client_id, "name": self.name, "groups": self.groups});
        let actor = grant.client_id.clone();
        let line = audit::Line { at: now, kind: "claims_released", actor, details };
        audit::append(tx, person, line).await?;
        Ok(true)
    }
}
