//! Redeems an authorization code (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3.2).

use idp_domain::ambient::Token;
use idp_protocol::scope::Scope;
use idp_protocol::{ProtocolError, pkce};
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx};

use super::Asker;
use super::wish::Wish;
use crate::State;
use crate::oidc::issue::{self, Answer, Issue};
use crate::oidc::reply::Failure;

/// What the client sent.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) code: String,
    pub(super) redirect_uri: Option<String>,
    pub(super) code_verifier: Option<String>,
    /// Thumbprint of the DPoP key that the request proved.
    pub(super) jkt: Option<String>,
    /// What the client wants of its grant.
    pub(super) wish: Wish,
}

struct Redeemed {
    grant: Grant,
    nonce: Option<String>,
}

/// A refusal is a value: the transaction commits, because a replay revokes (attacks row 1).
type Outcome = Result<Redeemed, ProtocolError>;

const REFUSED: ProtocolError =
    ProtocolError::invalid_grant("The code is unknown, expired, used or another client's.");

/// Redeems and issues.
pub(super) async fn redeem(state: &State, asker: &Asker, sent: Sent) -> Result<Answer, Failure> {
    let client = &asker.known.client;
    let token = Token::parse("tbc_", &sent.code).ok_or(REFUSED)?;
    let family = client.may("refresh_token").then(|| state.ambient.token("tbr_"));
    let (now, id) = (state.now(), client.client_id.clone());
    let (made, lifetime) = (family.clone(), state.settings.lifetimes.refresh_ms);
    let kept = asker.keeps();
    let outcome: Outcome = state
        .db
        .write("redeem_code", move |tx: &mut Tx| {
            let (token, sent, id, made) = (token.clone(), sent.clone(), id.clone(), made.clone());
            let kept = kept.clone();
            Box::pin(async move {
                let outcome = take(tx, &token, &sent, &id, now).await?;
                if let (Ok(redeemed), Some(made)) = (&outcome, made) {
                    let (stored, grant) = (made.stored(), &redeemed.grant.id);
                    let until = redeemed.grant.expires_at.min(now + lifetime);
                    let kept = kept.as_deref();
                    idp_store::refresh::create(tx, &made.id, &stored, grant, now, until, kept)
                        .await?;
                }
                Ok::<_, StoreError>(outcome)
            })
        })
        .await?;
    let redeemed = outcome?;
    let scope = Scope::parse(&redeemed.grant.detail.scope)?;
    let issue = Issue {
        client,
        grant: &redeemed.grant,
        scope: &scope,
        nonce: redeemed.nonce.as_deref(),
        refresh_token: family.map(|family| family.text()),
        binding: &asker.binding,
    };
    issue::of_grant(state, issue).await
}

/// The checks in order; the update decides who of two was first.
async fn take(
    tx: &mut Tx,
    token: &Token,
    sent: &Sent,
    client_id: &str,
    now: i64,
) -> Result<Outcome, StoreError> {
    let found = idp_store::code::find(tx, &token.id).await?;
    let Some(code) = found.filter(|code| token.matches(&code.secret_hash)) else {
        return Ok(Err(REFUSED));
    };
    // RFC 6749 §4.1.3: issued to this client (attacks row 8).
    if code.client_id != client_id {
        return Ok(Err(REFUSED));
    }
    // RFC 6749 §4.1.2: used more than once, so everything that came from it ends.
    if code.used_at.is_some() {
        return replayed(tx, &code.grant_id, now).await;
    }
    // RFC 6749 §4.1.2: short-lived (attacks row 3).
    if code.expires_at <= now {
        return Ok(Err(REFUSED));
    }
    // RFC 6749 §4.1.3: the same redirect_uri, if there was one (attacks row 5).
    if code.redirect_uri != sent.redirect_uri {
        let text = "The redirect_uri is not the one of the authorization request.";
        return Ok(Err(ProtocolError::invalid_grant(text)));
    }
    // RFC 7636 §4.6 (attacks row 6).
    if let Err(error) = pkce::verify(code.challenge.as_deref(), sent.code_verifier.as_deref()) {
        return Ok(Err(error));
    }
    let Some(mut grant) = idp_store::grant::find(tx, &code.grant_id, now).await? else {
        return Ok(Err(REFUSED));
    };
    // RFC 9449 §10: the code is bound to a key (attacks row 8).
    if grant.detail.code_jkt.is_some() && grant.detail.code_jkt != sent.jkt {
        let text = "The code is bound to another key than the DPoP proof's.";
        return Ok(Err(ProtocolError::invalid_grant(text)));
    }
    // RFC 8707 §2.2, RFC 9396 §6.1: at most what was granted.
    if let Err(error) = sent.wish.narrow(&mut grant.detail) {
        return Ok(Err(error));
    }
    // So far a refusal costs nothing: the client may ask better. Of two redemptions at once, one
    // finds it unused (attacks row 2).
    if !idp_store::code::consume(tx, &code.id, client_id, now).await? {
        return replayed(tx, &code.grant_id, now).await;
    }
    // Attacks row 26: what an account could not give while it was shut, it does not give later.
    if !super::gate(tx, &grant).await? {
        return Ok(Err(ProtocolError::invalid_grant("The account cannot be used.")));
    }
    Ok(Ok(Redeemed { grant, nonce: code.nonce }))
}

async fn replayed(tx: &mut Tx, grant_id: &str, now: i64) -> Result<Outcome, StoreError> {
    if let Some(grant) = idp_store::grant::find(tx, grant_id, now).await? {
        idp_store::grant::revoke(tx, grant_id, now).await?;
        super::tell_reuse(tx, &grant, now).await?;
    }
    Ok(Err(REFUSED))
}
