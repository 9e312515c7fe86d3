//! Redeems an authorization code (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3.2).

use idp_domain::ambient::Token;
use idp_protocol::client::Client;
use idp_protocol::scope::Scope;
use idp_protocol::{ProtocolError, pkce};
use idp_store::code::{Code, Found};
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

/// A code that was taken.
struct Redeemed {
    grant: Grant,
    nonce: Option<String>,
}

const REFUSED: ProtocolError =
    ProtocolError::invalid_grant("The code is unknown, expired, used or another client's.");

/// How often a code that another redemption took is looked at again; the second look finds it used.
const LOOKS: usize = 8;

/// Redeems and issues.
pub(super) async fn redeem(state: &State, asker: &Asker, sent: Sent) -> Result<Answer, Failure> {
    let client = &asker.known.client;
    let token = Token::parse("tbc_", &sent.code).ok_or(REFUSED)?;
    let family = client.may("refresh_token").then(|| state.ambient.token("tbr_"));
    let kept = asker.keeps();
    let redeemed = take(state, client, &token, &sent, family.as_ref().zip(Some(kept))).await?;
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

/// The checks in order; the update decides who of two was first. `family` is the refresh token to
/// be made, with the thumbprint of the key that it is bound to.
async fn take(
    state: &State,
    client: &Client,
    token: &Token,
    sent: &Sent,
    family: Option<(&Token, Option<String>)>,
) -> Result<Redeemed, Failure> {
    let now = state.now();
    for _ in 0..LOOKS {
        let found = idp_store::code::find(&state.db, &token.id, now).await?;
        let found = found.filter(|found| token.matches(&found.code.secret_hash));
        let Found { code, grant } = found.ok_or(REFUSED)?;
        // RFC 6749 §4.1.3: issued to this client (attacks row 8).
        if code.client_id != client.client_id {
            return Err(REFUSED.into());
        }
        // RFC 6749 §4.1.2: used more than once, so everything that came from it ends.
        if code.used_at.is_some() {
            if let Some((grant, _)) = grant {
                super::reused(state, grant, now).await?;
            }
            return Err(REFUSED.into());
        }
        // RFC 6749 §4.1.2: short-lived (attacks row 3).
        if code.expires_at <= now {
            return Err(REFUSED.into());
        }
        // RFC 6749 §4.1.3: the same redirect_uri, if there was one (attacks row 5).
        if code.redirect_uri != sent.redirect_uri {
            let text = "The redirect_uri is not the one of the authorization request.";
            return Err(ProtocolError::invalid_grant(text).into());
        }
        // RFC 7636 §4.6 (attacks row 6).
        pkce::verify(code.challenge.as_deref(), sent.code_verifier.as_deref())?;
        let (mut grant, open) = grant.ok_or(REFUSED)?;
        // RFC 9449 §10: the code is bound to a key (attacks row 8).
        if grant.detail.code_jkt.is_some() && grant.detail.code_jkt != sent.jkt {
            let text = "The code is bound to another key than the DPoP proof's.";
            return Err(ProtocolError::invalid_grant(text).into());
        }
        // RFC 8707 §2.2, RFC 9396 §6.1: at most what was granted.
        sent.wish.narrow(&mut grant.detail)?;
        // So far a refusal costs nothing: the client may ask better. Of two redemptions at once,
        // one finds it used at its next look (attacks row 2).
        let family = family.clone().filter(|_| open);
        if !consumed(state, client, &code, &grant, family, now).await? {
            continue;
        }
        // Attacks row 26: what an account could not give while it was shut, it does not give later.
        if !open {
            return Err(ProtocolError::invalid_grant("The account cannot be used.").into());
        }
        return Ok(Redeemed { grant, nonce: code.nonce });
    }
    Err(StoreError::Retry.into())
}

/// Takes the code and makes the refresh token; false if another was first.
async fn consumed(
    state: &State,
    client: &Client,
    code: &Code,
    grant: &Grant,
    family: Option<(&Token, Option<String>)>,
    now: i64,
) -> Result<bool, StoreError> {
    let (id, client_id, grant_id) = (code.id.clone(), client.client_id.clone(), grant.id.clone());
    let until = grant.expires_at.min(now + state.settings.lifetimes.refresh_ms);
    let family = family.map(|(family, jkt)| (family.clone(), jkt));
    state
        .db
        .write("redeem_code", move |tx: &mut Tx| {
            let (id, client_id, grant_id) = (id.clone(), client_id.clone(), grant_id.clone());
            let family = family.clone();
            Box::pin(async move {
                if !idp_store::code::consume(tx, &id, &client_id, now).await? {
                    return Ok(false);
                }
                if let Some((family, jkt)) = family {
                    let (id, stored) = (&family.id, family.stored());
                    let jkt = jkt.as_deref();
                    idp_store::refresh::create(tx, id, &stored, &grant_id, now, until, jkt).await?;
                }
                Ok(true)
            })
        })
        .await
}
