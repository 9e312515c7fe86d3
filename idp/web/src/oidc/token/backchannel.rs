//! Redeems an `auth_req_id` (CIBA Core §10.1, §11).

use idp_domain::ambient::Token;
use idp_protocol::scope::Scope;
use idp_protocol::{ErrorCode, ProtocolError};
use idp_store::backchannel::Backchannel;
use idp_store::device::Pace;
use idp_store::grant::Grant;
use idp_store::{StoreError, Tx};

use super::Asker;
use super::wish::Wish;
use crate::State;
use crate::oidc::ciba::{INTERVAL, PREFIX};
use crate::oidc::issue::{self, Answer, Issue};
use crate::oidc::reply::Failure;

/// A refusal is a value: that a client hurries is remembered.
type Outcome = Result<Grant, ProtocolError>;

const REFUSED: ProtocolError =
    ProtocolError::invalid_grant("The auth_req_id is unknown, used or another client's.");
const PACE: Pace = Pace { interval: INTERVAL, slack: 500, most: 12 * INTERVAL };

/// Redeems and issues.
pub(super) async fn redeem(state: &State, asker: &Asker, text: &str) -> Result<Answer, Failure> {
    let client = &asker.known.client;
    let token = Token::parse(PREFIX, text).ok_or(REFUSED)?;
    let family = client.may("refresh_token").then(|| state.ambient.token("tbr_"));
    let (now, id, wish) = (state.now(), client.client_id.clone(), asker.wish.clone());
    let (made, lifetime) = (family.clone(), state.settings.lifetimes.refresh_ms);
    let outcome: Outcome = state
        .db
        .write("redeem_auth_req_id", move |tx: &mut Tx| {
            let (token, id, made) = (token.clone(), id.clone(), made.clone());
            let wish = wish.clone();
            Box::pin(async move {
                let outcome = take(tx, &token, &id, &wish, now).await?;
                if let (Ok(grant), Some(made)) = (&outcome, made) {
                    let (until, stored) = (grant.expires_at.min(now + lifetime), made.stored());
                    let grant = &grant.id;
                    idp_store::refresh::create(tx, &made.id, &stored, grant, now, until, None)
                        .await?;
                }
                Ok::<_, StoreError>(outcome)
            })
        })
        .await?;
    let grant = outcome?;
    let scope = Scope::parse(&grant.detail.scope)?;
    let issue = Issue {
        client,
        grant: &grant,
        scope: &scope,
        nonce: None,
        refresh_token: family.map(|family| family.text()),
        binding: &asker.binding,
    };
    issue::of_grant(state, issue).await
}

/// The checks in order; the update decides who of two was first.
async fn take(
    tx: &mut Tx,
    token: &Token,
    client_id: &str,
    wish: &Wish,
    now: i64,
) -> Result<Outcome, StoreError> {
    let found = idp_store::backchannel::find(tx, &token.id).await?;
    let Some(asked) = found.filter(|asked| token.matches(&asked.secret_hash)) else {
        return Ok(Err(REFUSED));
    };
    // CIBA Core §10.1: issued to this client.
    if asked.client_id != client_id {
        return Ok(Err(REFUSED));
    }
    // CIBA Core §10.1: single use.
    if asked.state == "used" {
        return Ok(Err(REFUSED));
    }
    // CIBA Core §11: expired, allowed or not.
    if asked.expires_at <= now {
        let text = "The auth_req_id has expired.";
        return Ok(Err(ProtocolError::new(ErrorCode::ExpiredToken, text)));
    }
    // CIBA Core §11: not more often than it was told, while there is nothing to tell; a client that
    // was pinged asks at once (§10.2).
    let waiting = asked.state == "waiting";
    if waiting && !idp_store::backchannel::poll(tx, &asked.id, now, PACE).await? {
        let text = "The client asks too often.";
        return Ok(Err(ProtocolError::new(ErrorCode::SlowDown, text)));
    }
    decided(tx, &asked, client_id, wish, now).await
}

async fn decided(
    tx: &mut Tx,
    asked: &Backchannel,
    client_id: &str,
    wish: &Wish,
    now: i64,
) -> Result<Outcome, StoreError> {
    match asked.state.as_str() {
        "waiting" => {
            let text = "The person has not decided yet.";
            return Ok(Err(ProtocolError::new(ErrorCode::AuthorizationPending, text)));
        }
        "allowed" => {}
        _ => {
            let text = "The person refused.";
            return Ok(Err(ProtocolError::new(ErrorCode::AccessDenied, text)));
        }
    }
    let id = asked.grant_id.as_deref().unwrap_or_default();
    // What the person has taken back since is gone.
    let Some(mut grant) = idp_store::grant::find(tx, id, now).await? else {
        return Ok(Err(REFUSED));
    };
    // RFC 8707 §2.2, RFC 9396 §6.1: at most what was granted.
    if let Err(error) = wish.narrow(&mut grant.detail) {
        return Ok(Err(error));
    }
    // So far a refusal costs nothing: the client may ask better. Of two redemptions at once, one
    // finds it unused.
    if !idp_store::backchannel::consume(tx, &asked.id, client_id, now).await? {
        return Ok(Err(REFUSED));
    }
    // Attacks row 26: what an account could not give while it was shut, it does not give later.
    if !super::gate(tx, &grant).await? {
        return Ok(Err(ProtocolError::invalid_grant("The account cannot be used.")));
    }
    Ok(Ok(grant))
}
