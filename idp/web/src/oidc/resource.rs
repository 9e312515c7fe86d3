//! What an access token opens outside of this room: the hall as a resource server of ours.

use http::HeaderValue;
use idp_protocol::ErrorCode;
use idp_protocol::details::{self, Reach};
use idp_protocol::scope::Scope;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::bearer::{self, Scheme, Stands};
use super::reply::Failure;
use super::sender::{self, Sender};
use super::subject;
use crate::State;
use crate::session::Who;

/// Why a call opens nothing: the error's code (RFC 6750 §3.1, RFC 9449 §7.1) and the challenges of
/// the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `invalid_token`, `insufficient_scope`, `invalid_dpop_proof` or `use_dpop_nonce`.
    pub code: ErrorCode,
    /// Values of `WWW-Authenticate`.
    pub challenges: Vec<HeaderValue>,
    /// The nonce for the next proof, where one is asked for (RFC 9449 §9).
    pub nonce: Option<String>,
}

/// A call with an access token, as it came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The `Authorization` header.
    pub authorization: String,
    /// What it shows of its sender.
    pub sender: Sender,
}

/// What a token opens of a citizen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The name by which the reader knows them.
    pub subject: String,
    /// The cases that authorization details name; none: all, by scope.
    pub only: Option<Reach>,
}

fn refuse(code: ErrorCode, scheme: Scheme) -> Refusal {
    let challenges = bearer::challenges(Some(code.as_str()), Some(scheme));
    Refusal { code, challenges, nonce: None }
}

/// The citizen behind a partner's call with an access token of a scope, or of authorization details
/// (RFC 9396) instead, by the name that our own client `reader` knows them by; none for a partner
/// that acts for itself (RFC 6749 §4.4). That the partner looked is a line in the citizen's audit
/// trail.
///
/// # Errors
/// As the database says; a refused token is a value.
pub async fn citizen(
    state: &State,
    call: &Call,
    scope: &'static str,
    reader: &str,
) -> Result<Result<Option<Opened>, Refusal>, StoreError> {
    let Some((scheme, token)) = bearer::presented(&call.authorization) else {
        return Ok(Err(refuse(ErrorCode::InvalidToken, Scheme::Bearer)));
    };
    let invalid = || Ok(Err(refuse(ErrorCode::InvalidToken, scheme)));
    // RFC 9068 §4: type, signature, issuer, audience, expiry.
    let Some(access) = bearer::believe(state, token).await? else {
        return invalid();
    };
    // RFC 9449 §7.1, RFC 8705 §3: the key that goes with it.
    match bearer::held(state, &call.sender, scheme, token, &access).await {
        Ok(()) => {}
        Err(Failure::Protocol(error)) => {
            let nonce = (error.code == ErrorCode::UseDpopNonce).then(|| sender::fresh_nonce(state));
            return Ok(Err(Refusal { nonce, ..refuse(error.code, scheme) }));
        }
        Err(failure) => {
            let (_, error) = failure.told();
            return Err(StoreError::Data(error.to_string()));
        }
    }
    // RFC 7009: a revoked token or grant opens nothing.
    let stands = bearer::stands(state, &access).await?;
    if matches!(stands, Stands::No) {
        return invalid();
    }
    // RFC 6750 §3.1 insufficient_scope; RFC 9396 §3: details are a permission of their own.
    let whole = Scope::parse(&access.scope).unwrap_or_default().has(scope);
    let only = (!whole).then(|| details::reach(&access.authorization_details));
    if only.as_ref().is_some_and(|reach| *reach == Reach::default()) {
        return Ok(Err(refuse(ErrorCode::InsufficientScope, scheme)));
    }
    let shown = if whole { scope } else { details::GROUP };
    // RFC 9700 §4.15: a client alone is no citizen, whatever its name.
    let Stands::Grant(grant) = stands else { return Ok(Ok(None)) };
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let (Who::Citizen(person), Some(reader)) = (&who, state.clients.find(state, reader).await?)
    else {
        return invalid();
    };
    let line = audit::Line {
        at: state.now(),
        kind: "claims_released",
        // RFC 8693 §4.1: whoever acts, where it is not the partner that she allowed.
        actor: format!("client:{}", access.client_id),
        details: json!({ "client": access.client_id, "claims": [shown] }),
    };
    let person = person.clone();
    let open = state
        .db
        .write("resource_read", move |tx: &mut Tx| {
            let (person, line) = (person.clone(), line.clone());
            Box::pin(async move {
                let found = idp_store::person::claims(tx, &person).await?;
                // The gate (attacks rows 26, 51).
                let open = found.is_some_and(|one| {
                    let (account, record) = (one.account_state, one.person_status);
                    idp_domain::citizen::account::gate(account, record).is_ok()
                });
                if open {
                    audit::append(tx, &person, line).await?;
                }
                Ok::<_, StoreError>(open)
            })
        })
        .await?;
    if !open {
        return invalid();
    }
    Ok(Ok(Some(Opened { subject: subject::of(state, &reader.client, &who), only })))
}
