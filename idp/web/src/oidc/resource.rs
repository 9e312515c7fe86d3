//! What an access token opens outside of this room: the hall as a resource server of ours.

use idp_protocol::scope::Scope;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::bearer::{self, Stands};
use super::subject;
use crate::State;
use crate::session::Who;

/// Why a token opens nothing (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Expired, revoked, malformed, nobody's, or of an account that the gate holds back.
    InvalidToken,
    /// It does not carry the scope.
    InsufficientScope,
}

/// The citizen behind a partner's access token of a scope, by the name that our own client
/// `reader` knows them by. That the partner looked is a line in the citizen's audit trail.
///
/// # Errors
/// As the database says; a refused token is a value.
pub async fn citizen(
    state: &State,
    token: &str,
    scope: &'static str,
    reader: &str,
) -> Result<Result<String, Refusal>, StoreError> {
    // RFC 9068 §4: type, signature, issuer, audience, expiry.
    let Some(access) = bearer::believe(state, token).await? else {
        return Ok(Err(Refusal::InvalidToken));
    };
    // RFC 7009: a revoked token or grant opens nothing; a client alone is no citizen.
    let Stands::Grant(grant) = bearer::stands(state, &access).await? else {
        return Ok(Err(Refusal::InvalidToken));
    };
    // RFC 6750 §3.1 insufficient_scope.
    if !Scope::parse(&access.scope).unwrap_or_default().has(scope) {
        return Ok(Err(Refusal::InsufficientScope));
    }
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let (Who::Citizen(person), Some(reader)) = (&who, state.clients.find(state, reader).await?)
    else {
        return Ok(Err(Refusal::InvalidToken));
    };
    let line = audit::Line {
        at: state.now(),
        kind: "claims_released",
        actor: format!("client:{}", grant.client_id),
        details: json!({ "client": grant.client_id, "claims": [scope] }),
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
        return Ok(Err(Refusal::InvalidToken));
    }
    Ok(Ok(subject::of(state, &reader.client, &who)))
}
