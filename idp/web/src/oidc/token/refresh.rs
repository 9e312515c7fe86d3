//! Rotates a refresh token (RFC 6749 §6, RFC 9700 §4.14).
//!
//! A family is one row. The successor's secret is derived from the presented one under a key that
//! is not in the database, so that a client whose answer was lost may ask again within a short
//! window and gets the very same successor; every other reuse ends the family. Where the client's
//! rules say that tokens are guarded by a key already, a refresh token stays as it is.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_domain::ambient::{self, Token};
use idp_protocol::ProtocolError;
use idp_protocol::client::Client;
use idp_protocol::scope::Scope;
use idp_store::StoreError;
use idp_store::grant::Grant;
use idp_store::refresh::Standing;

use super::Asker;
use super::wish::Wish;
use crate::State;
use crate::oidc::issue::{self, Answer, Issue};
use crate::oidc::reply::Failure;

const REFUSED: ProtocolError =
    ProtocolError::invalid_grant("The refresh token is unknown, expired, revoked or used.");

/// How often a rotation that was lost is looked at again; the second look finds who has won.
const LOOKS: usize = 8;

/// The secret that follows another in its family.
fn successor(key: &hmac::Key, token: &Token) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(token.id.as_bytes());
    context.update(token.secret.as_bytes());
    URL_SAFE_NO_PAD.encode(context.sign())
}

/// Rotates and issues.
pub(super) async fn refresh(
    state: &State,
    asker: &Asker,
    text: String,
    asked: Option<Scope>,
) -> Result<Answer, Failure> {
    let client = &asker.known.client;
    let token = Token::parse("tbr_", &text).ok_or(REFUSED)?;
    // FAPI 2.0 §5.3.2.1: no rotation for clients whose refresh tokens nobody else can use.
    let stays = client.rules().refresh_stays;
    let next = if stays { token.secret.clone() } else { successor(&state.refresh_key, &token) };
    let turn = Turn {
        next: (!stays).then(|| ambient::hash(&next)),
        jkt: asker.keeps(),
        client,
        asked: asked.as_ref(),
        wish: &asker.wish,
        token: &token,
    };
    let grant = turn.take(state).await?;
    let granted = granted(&grant, client);
    let issue = Issue {
        client,
        grant: &grant,
        scope: asked.as_ref().unwrap_or(&granted),
        nonce: None,
        refresh_token: Some(format!("tbr_{}{next}", token.id)),
        binding: &asker.binding,
    };
    issue::of_grant(state, issue).await
}

/// What was granted, less what the operator has since taken from the registration.
fn granted(grant: &Grant, client: &Client) -> Scope {
    Scope::parse(&grant.detail.scope).unwrap_or_default().only(&client.scopes())
}

struct Turn<'a> {
    token: &'a Token,
    /// Digest of the successor's secret, if it rotates.
    next: Option<String>,
    /// Thumbprint of the key that the request proved.
    jkt: Option<String>,
    client: &'a Client,
    asked: Option<&'a Scope>,
    wish: &'a Wish,
}

impl Turn<'_> {
    /// The checks in order; the update decides who of two was first.
    async fn take(&self, state: &State) -> Result<Grant, Failure> {
        let (id, now, window) =
            (&self.token.id, state.now(), state.settings.lifetimes.refresh_window_ms);
        for _ in 0..LOOKS {
            let found = idp_store::refresh::standing(&state.db, id, now).await?;
            let Standing { family, mut grant, open } = found.ok_or(REFUSED)?;
            // RFC 6749 §6: issued to this client (attacks row 10).
            if grant.client_id != self.client.client_id || family.expires_at <= now {
                return Err(REFUSED.into());
            }
            // RFC 9449 §5: bound to the key of a client without credentials.
            if family.jkt.is_some() && family.jkt != self.jkt {
                return Err(REFUSED.into());
            }
            let current = self.token.matches(&family.secret_hash);
            let previous =
                family.previous_hash.as_deref().is_some_and(|hash| self.token.matches(hash));
            let retried = previous && family.rotated_at + window > now;
            // RFC 9700 §4.14.2: a used token comes back, so somebody has a copy.
            if !current && !retried {
                super::reused(state, grant, now).await?;
                return Err(REFUSED.into());
            }
            // RFC 6749 §6: at most what was granted.
            let granted = granted(&grant, self.client);
            if granted.is_empty() && grant.detail.authorization_details.is_empty() {
                return Err(REFUSED.into());
            }
            if self.asked.is_some_and(|asked| !asked.within(&granted)) {
                let text = "The scope is wider than what was granted.";
                return Err(ProtocolError::invalid_scope(text).into());
            }
            // RFC 8707 §2.2, RFC 9396 §6.1: the same of resources and details.
            self.wish.narrow(&mut grant.detail)?;
            // Attacks row 26.
            if !open {
                return Err(ProtocolError::invalid_grant("The account cannot be used.").into());
            }
            let Some(next) = self.next.as_ref().filter(|_| current) else { return Ok(grant) };
            // RFC 9700 §4.14.2: lost against the same token at the same moment, it is a retry.
            if idp_store::refresh::rotate(&state.db, id, &family.secret_hash, next, now).await? {
                return Ok(grant);
            }
        }
        Err(StoreError::Retry.into())
    }
}
