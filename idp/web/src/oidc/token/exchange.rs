//! Token exchange (RFC 8693): a token for a service that acts on for a person.
//!
//! Nothing is written but a line in the person's trail: the new token hangs on the grant of the one
//! that was presented, and on that token itself.

use std::sync::Arc;

use idp_protocol::ProtocolError;
use idp_protocol::client::Client;
use idp_protocol::exchange::{self, Exchange};
use idp_protocol::scope::Scope;
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use super::Asker;
use super::wish::Wish;
use crate::State;
use crate::clients::Known;
use crate::oidc::bearer::{self, Stands};
use crate::oidc::believed::Access;
use crate::oidc::issue::{self, Answer, Exchanged};
use crate::oidc::reply::Failure;

/// RFC 8693 §2.2.2: of a token that is not taken.
const REFUSED: ProtocolError =
    ProtocolError::invalid_request("The subject_token is unknown, expired, revoked or not yours.");

/// The checks in order, then a token.
pub(super) async fn exchange(
    state: &State,
    asker: &Asker,
    sent: Exchange,
) -> Result<Answer, Failure> {
    let client = &asker.known.client;
    // RFC 8693 §5: without credentials anybody could act.
    if client.is_public() {
        return Err(ProtocolError::unauthorized_client("The client has no credentials.").into());
    }
    // RFC 8693 §2.1: a token of ours that stands (attacks row 11).
    let subject = bearer::issued(state, &sent.subject_token).await?.ok_or(REFUSED)?;
    // Each exchange makes a token longer and its check slower, whoever makes it (attacks row 42).
    if subject.from.len() >= exchange::LONGEST_CHAIN {
        let text = "The token comes of too many exchanges.";
        return Err(ProtocolError::invalid_request(text).into());
    }
    // RFC 8693 §2.1: an actor token shows that it is the client's own, no more.
    if let Some(text) = &sent.actor_token {
        own(state, asker, text).await?;
    }
    // RFC 8693 §4.4, §5: who may act, and after whom (attacks row 39).
    let owner = state.clients.find(state, &subject.client_id).await?.ok_or(REFUSED)?;
    let claimed = subject.may_act.as_ref();
    let act = exchange::actors(&owner.client, claimed, subject.act.as_ref(), client)?;
    // RFC 8693 §5: a bound token never becomes one that is good for whoever holds it.
    bound(asker, &subject)?;
    // RFC 8693 §2.1: at most the token's scope, and nothing that tells who the person is: that is
    // consented to with one partner, not with those behind it (attacks row 39).
    let scope = narrowed(&subject, &asker.known, sent.scope)?;
    let turn = Turn {
        subject: subject.clone(),
        client: client.clone(),
        scope: scope.clone(),
        wish: asker.wish.clone(),
        now: state.now(),
    };
    let outcome: Result<Grant, ProtocolError> = state
        .db
        .write("exchange", move |tx: &mut Tx| {
            let turn = turn.clone();
            Box::pin(async move { turn.take(tx).await })
        })
        .await
        .map_err(|cause: StoreError| Failure::from(cause))?;
    let grant = outcome?;
    let from = [subject.from.as_slice(), std::slice::from_ref(&subject.jti)].concat();
    let made = Exchanged {
        client,
        grant: &grant,
        scope: &scope,
        act: act.as_ref(),
        from: &from,
        until: subject.exp,
        binding: &asker.binding,
    };
    issue::exchanged(state, made).await
}

/// Whether a token is the client's own, for itself, and stands.
async fn own(state: &State, asker: &Asker, text: &str) -> Result<(), Failure> {
    let refused = ProtocolError::invalid_request("The actor_token is not this client's own.");
    let actor = bearer::issued(state, text).await?.ok_or(refused.clone())?;
    let client = &asker.known.client;
    if actor.client_id != client.client_id || actor.gid.is_some() {
        return Err(refused.into());
    }
    // RFC 9449 §7.1, RFC 8705 §3: whoever shows a bound one holds its key.
    if actor.cnf.is_some() && actor.cnf.as_ref() != asker.binding.cnf() {
        return Err(refused.into());
    }
    match bearer::stands(state, &actor).await? {
        Stands::Client => Ok(()),
        Stands::No | Stands::Grant(_) => Err(refused.into()),
    }
}

/// Whether what is made of a token is bound, if the token is: to the same key where it stays with
/// its client, to the acting client's own where it does not.
fn bound(asker: &Asker, subject: &Access) -> Result<(), ProtocolError> {
    let Some(cnf) = &subject.cnf else { return Ok(()) };
    let mine = subject.client_id == asker.known.client.client_id;
    match asker.binding.cnf() {
        Some(proven) if !mine || proven == cnf => Ok(()),
        _ => Err(ProtocolError::invalid_request(
            "The subject_token is bound to a key: prove one, of your own token the same.",
        )),
    }
}

/// What is left of a token's scope for a client.
fn narrowed(subject: &Access, known: &Known, asked: Option<Scope>) -> Result<Scope, ProtocolError> {
    let carried = Scope::parse(&subject.scope).unwrap_or_default().only(&known.own_scope);
    match asked {
        // RFC 6749 §5.2.
        Some(asked) if !asked.within(&carried) => {
            Err(ProtocolError::invalid_scope("The scope is wider than what can be passed on."))
        }
        Some(asked) => Ok(asked),
        None => Ok(carried),
    }
}

#[derive(Clone)]
struct Turn {
    subject: Arc<Access>,
    client: Arc<Client>,
    scope: Scope,
    wish: Wish,
    now: i64,
}

impl Turn {
    /// The checks that ask the database. A refusal is a value: nothing of it is written.
    async fn take(&self, tx: &mut Tx) -> Result<Result<Grant, ProtocolError>, StoreError> {
        let Some(gid) = &self.subject.gid else { return Ok(Err(REFUSED)) };
        // RFC 7009: neither it, nor what it came from, nor its grant is revoked.
        let found = idp_store::grant::find_for_token(tx, gid, &self.subject.jti, self.now).await?;
        let Some(mut grant) = found else { return Ok(Err(REFUSED)) };
        if !bearer::acting(tx, &self.subject).await? {
            return Ok(Err(REFUSED));
        }
        // For an officer nobody acts.
        if grant.kind != "citizen" {
            return Ok(Err(REFUSED));
        }
        // RFC 8693 §2.1, RFC 8707 §2.2: at most the token's audience and details.
        grant.detail.resources = self.subject.aud.all();
        grant.detail.authorization_details.clone_from(&self.subject.authorization_details);
        if let Err(error) = self.wish.narrow(&mut grant.detail) {
            return Ok(Err(error));
        }
        if self.scope.is_empty() && grant.detail.authorization_details.is_empty() {
            let text = "Nothing of the token's scope is this client's.";
            return Ok(Err(ProtocolError::invalid_scope(text)));
        }
        // Attacks row 26.
        if !super::gate(tx, &grant).await? {
            return Ok(Err(REFUSED));
        }
        // The person did not meet this client: she sees it where she sees the others.
        if self.subject.client_id != self.client.client_id {
            let words: Vec<&str> = self.scope.words().collect();
            let details = json!({"client": self.client.client_id, "for": grant.client_id,
                "client_name": self.client.client_name, "claims": words});
            let actor = format!("client:{}", self.client.client_id);
            let line = audit::Line { at: self.now, kind: "token_exchanged", actor, details };
            audit::append(tx, &grant.person_id, line).await?;
        }
        Ok(Ok(grant))
    }
}
