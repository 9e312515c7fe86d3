//! The end of a person's decision about a request over the back channel (CIBA Core §8): the client
//! hears of it by its next question or by a ping, the browser shows a page.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;
use idp_protocol::acr::Reached;
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::resume::{by_consent, forgotten, grant, rests};
use crate::flow::Flow;
use crate::oidc::reply::Failure;
use crate::oidc::subject;
use crate::session::SignedIn;
use crate::{State, backchannel, pages};

struct Allowed {
    flow_id: String,
    request: String,
    ping: String,
    session: String,
    by_consent: bool,
    sector: String,
    sub: String,
    name: String,
    groups: Vec<String>,
    grant: Grant,
}

/// Makes the grant that the client will redeem, once.
pub(super) async fn allow(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    request: &str,
    session: &SignedIn,
    reached: Reached,
) -> Result<Response, Failure> {
    let mut grant = grant(state, flow, session, reached);
    // The partner is not in this browser: signing out here leaves it, withdrawing ends it.
    grant.session_id = None;
    let allowed = Arc::new(Allowed {
        flow_id: flow.id.clone(),
        request: request.to_owned(),
        ping: state.ambient.id(),
        session: session.id.clone(),
        by_consent: by_consent(flow, session),
        sector: subject::sector(&flow.client),
        sub: subject::of(state, &flow.client, &session.who),
        name: flow.client.client_name.clone(),
        groups: flow.asks(),
        grant,
    });
    let first: bool = state
        .db
        .write("ciba_allow", move |tx: &mut Tx| {
            let allowed = allowed.clone();
            Box::pin(async move { allowed.keep(tx).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    if !first {
        return Ok(super::gone(state, headers));
    }
    state.outbox_wake.notify_one();
    Ok(forgotten(state, flow, pages::backchannel_decided(state, headers, true)))
}

impl Allowed {
    /// False if it was decided before, has expired, is another's, the session has ended or the
    /// consent was withdrawn.
    async fn keep(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let (grant, now) = (&self.grant, self.grant.created_at);
        let asked = idp_store::backchannel::find(tx, &self.request).await?;
        // Only whom it means may allow it.
        let Some(asked) = asked.filter(|asked| asked.person_id == grant.person_id) else {
            return Ok(false);
        };
        if !rests(tx, grant, &self.session, self.by_consent).await?
            || !idp_store::flow::answer(tx, &self.flow_id, now).await?
            || !idp_store::backchannel::allow(tx, &self.request, &grant.id, now).await?
        {
            return Ok(false);
        }
        idp_store::grant::create(tx, grant).await?;
        let person = &grant.person_id;
        idp_store::subject::remember(tx, &self.sector, &self.sub, person, now).await?;
        backchannel::tell(tx, self.ping.clone(), &asked, now).await?;
        let details = json!({"client": grant.client_id, "name": self.name, "groups": self.groups});
        for (kind, actor) in [("ciba_allowed", "self"), ("claims_released", &grant.client_id)] {
            let line =
                audit::Line { at: now, kind, actor: actor.to_owned(), details: details.clone() };
            audit::append(tx, person, line).await?;
        }
        Ok(true)
    }
}

/// Tells the client no.
pub(super) async fn refuse(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    request: &str,
) -> Result<Response, Failure> {
    let (request, ping, now) = (request.to_owned(), state.ambient.id(), state.now());
    state
        .db
        .write("ciba_deny", move |tx: &mut Tx| {
            let (request, ping) = (request.clone(), ping.clone());
            Box::pin(async move {
                let asked = idp_store::backchannel::find(tx, &request).await?;
                let denied = idp_store::backchannel::deny(tx, &request, now).await?;
                match asked.filter(|_| denied) {
                    Some(asked) => backchannel::tell(tx, ping, &asked, now).await,
                    None => Ok(()),
                }
            })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    state.outbox_wake.notify_one();
    Ok(forgotten(state, flow, pages::backchannel_decided(state, headers, false)))
}
