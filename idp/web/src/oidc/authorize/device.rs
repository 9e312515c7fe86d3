//! The end of a person's decision about a device (RFC 8628 §3.3): the device hears of it at the
//! token endpoint, the browser shows a page.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;
use idp_protocol::acr::Reached;
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::resume::{by_consent, forgotten, grant, rests};
use crate::flow::Flow;
use crate::oidc::device_authorization::LIFE;
use crate::oidc::reply::Failure;
use crate::oidc::subject;
use crate::session::SignedIn;
use crate::{State, pages};

struct Allowed {
    flow_id: String,
    device: String,
    session: String,
    by_consent: bool,
    sector: String,
    sub: String,
    name: String,
    groups: Vec<String>,
    grant: Grant,
}

/// Makes the grant that the device will redeem, once.
pub(super) async fn allow(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    device: &str,
    session: &SignedIn,
    reached: Reached,
) -> Result<Response, Failure> {
    let mut grant = grant(state, flow, session, reached);
    // The device is not this browser: signing out here leaves it, withdrawing the consent ends it.
    grant.session_id = None;
    grant.expires_at += LIFE;
    let allowed = Arc::new(Allowed {
        flow_id: flow.id.clone(),
        device: device.to_owned(),
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
        .write("device_allow", move |tx: &mut Tx| {
            let allowed = allowed.clone();
            Box::pin(async move { allowed.keep(tx).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    if !first {
        return Ok(super::gone(state, headers));
    }
    Ok(forgotten(state, flow, pages::device_decided(state, headers, true)))
}

impl Allowed {
    /// False if it was decided before, has expired, the session has ended or the consent was
    /// withdrawn.
    async fn keep(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let (grant, now) = (&self.grant, self.grant.created_at);
        if !rests(tx, grant, &self.session, self.by_consent).await?
            || !idp_store::flow::answer(tx, &self.flow_id, now).await?
            || !idp_store::device::allow(tx, &self.device, &grant.id, now).await?
        {
            return Ok(false);
        }
        idp_store::grant::create(tx, grant).await?;
        let person = &grant.person_id;
        idp_store::subject::remember(tx, &self.sector, &self.sub, person, now).await?;
        let details = json!({"client": grant.client_id, "name": self.name, "groups": self.groups});
        for (kind, actor) in
            [("device_allowed", "self"), ("claims_released", grant.client_id.as_str())]
        {
            let line =
                audit::Line { at: now, kind, actor: actor.to_owned(), details: details.clone() };
            audit::append(tx, person, line).await?;
        }
        Ok(true)
    }
}

/// Tells the device no.
pub(super) async fn refuse(
    state: &State,
    headers: &HeaderMap,
    flow: &Flow,
    device: &str,
) -> Result<Response, Failure> {
    let device = device.to_owned();
    state
        .db
        .write("device_deny", move |tx: &mut Tx| {
            let device = device.clone();
            Box::pin(async move { idp_store::device::deny(tx, &device).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    Ok(forgotten(state, flow, pages::device_decided(state, headers, false)))
}
