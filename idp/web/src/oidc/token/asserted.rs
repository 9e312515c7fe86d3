//! The JWT bearer grant (RFC 7523 §2.1): a client speaks for a person who is absent, by the
//! subject under which it knows them, as far as they have allowed it before.

use std::sync::Arc;

use idp_protocol::client::Client;
use idp_protocol::scope::Scope;
use idp_protocol::{ProtocolError, assertion};
use idp_store::grant::{Detail, Grant};
use idp_store::{StoreError, Tx, audit, consent};
use serde_json::json;

use super::Asker;
use crate::State;
use crate::flow;
use crate::oidc::issue::{self, Answer, Issue};
use crate::oidc::reply::Failure;
use crate::oidc::sender::Sender;
use crate::oidc::{client_auth, client_keys, subject};

/// Of whom nothing may be told, the answer is one and the same (attacks row 29).
const REFUSED: ProtocolError =
    ProtocolError::invalid_grant("The subject is unknown here, or has not allowed this.");

/// The checks in order, then a token; no refresh token: the next assertion asks again.
pub(super) async fn issue(
    state: &State,
    asker: &Asker,
    sender: &Sender,
    text: &str,
    asked: Option<Scope>,
) -> Result<Answer, Failure> {
    let (client, now) = (&asker.known.client, state.now());
    // RFC 7523 §3: signed by the client, for us, for now.
    let audiences = client_auth::audiences(state, sender);
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    let keys = client_keys::for_jwt(state, client, text).await;
    let spoken = assertion::spoken(client, &keys, text, &audiences, now / 1000)?;
    // RFC 7523 §3, item 7: once (attacks row 16).
    let jti = format!("grant {}", spoken.assertion.jti);
    let until = spoken.assertion.expires.saturating_mul(1000);
    let id = &client.client_id;
    if !idp_store::single_use::assertion(&state.db, id, &jti, until).await? {
        return Err(ProtocolError::invalid_grant("The assertion was used before.").into());
    }
    // RFC 8707 §2, RFC 9396 §6.
    let resources = asker.wish.of_client()?.to_vec();
    let turn = Turn {
        id: state.ambient.id(),
        client: client.clone(),
        sector: subject::sector(client),
        sub: spoken.sub,
        // Nobody signs in here: no scope that tells who somebody is.
        most: asker.known.own_scope.clone(),
        asked,
        resources,
        now,
        until: now + state.settings.lifetimes.access_ms,
    };
    let outcome: Result<Grant, ProtocolError> = state
        .db
        .write("assertion_grant", move |tx: &mut Tx| {
            let turn = turn.clone();
            Box::pin(async move { turn.take(tx).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    let grant = outcome?;
    let scope = Scope::parse(&grant.detail.scope).unwrap_or_default();
    let issue = Issue {
        client,
        grant: &grant,
        scope: &scope,
        nonce: None,
        refresh_token: None,
        binding: &asker.binding,
    };
    issue::of_grant(state, issue).await
}

#[derive(Clone)]
struct Turn {
    id: String,
    client: Arc<Client>,
    sector: String,
    sub: String,
    most: Scope,
    asked: Option<Scope>,
    resources: Vec<String>,
    now: i64,
    until: i64,
}

impl Turn {
    /// The checks that ask the database. A refusal is a value: nothing of it is written.
    async fn take(&self, tx: &mut Tx) -> Result<Result<Grant, ProtocolError>, StoreError> {
        // RFC 7523 §3, item 2: a person whom this client has met.
        let met = idp_store::subject::person(tx, &self.sector, &self.sub).await?;
        let Some(person) = met else { return Ok(Err(REFUSED)) };
        // What she allowed and has not taken back since; or the operator's recorded legal basis.
        let allowed = match &self.client.legal_basis {
            Some(_) => self.most.clone(),
            None => {
                let client = &self.client.client_id;
                // Whoever takes it back at this moment waits for what is given, and ends it
                // (attacks row 34).
                if !consent::hold(tx, &person, client).await? {
                    return Ok(Err(REFUSED));
                }
                let consent = consent::find(tx, &person, client).await?;
                // Under another name she would be asked again (attacks row 34).
                let face = flow::face(&self.client);
                let consent = consent.filter(|consent| consent.client_name == face);
                let Some(consent) = consent else { return Ok(Err(REFUSED)) };
                Scope::parse(&consent.scope).unwrap_or_default().only(&self.most)
            }
        };
        let scope = self.asked.clone().unwrap_or_else(|| allowed.clone());
        // RFC 6749 §5.2, after the subject: whether somebody is known is not told by it.
        if scope.is_empty() || !scope.within(&allowed) {
            return Ok(Err(REFUSED));
        }
        let grant = self.grant(person, &scope);
        // Attacks row 26.
        if idp_store::account::hold(tx, &grant.person_id).await?.is_err() {
            return Ok(Err(REFUSED));
        }
        idp_store::grant::create(tx, &grant).await?;
        let words: Vec<&str> = scope.words().collect();
        let details = json!({"client": self.client.client_id, "claims": words,
            "client_name": self.client.client_name});
        let actor = format!("client:{}", self.client.client_id);
        let line = audit::Line { at: self.now, kind: "token_asserted", actor, details };
        audit::append(tx, &grant.person_id, line).await?;
        Ok(Ok(grant))
    }

    /// It hangs on no session, and ends with its one token.
    fn grant(&self, person: String, scope: &Scope) -> Grant {
        Grant {
            id: self.id.clone(),
            client_id: self.client.client_id.clone(),
            person_id: person,
            kind: "citizen".to_owned(),
            session_id: None,
            detail: Detail {
                scope: scope.text(),
                claims: idp_protocol::claims::ClaimsRequest::default(),
                auth_time: 0,
                amr: Vec::new(),
                acr: String::new(),
                proofing: 0,
                auth: 0,
                offline: true,
                resources: self.resources.clone(),
                authorization_details: Vec::new(),
                code_jkt: None,
            },
            created_at: self.now,
            expires_at: self.until,
        }
    }
}
