//! Tells partners that a session has ended: by a signed notice to their servers (Back-Channel
//! Logout 1.0), encrypted where their ID tokens are, and by a frame in the browser that signs out
//! (Front-Channel Logout 1.0).

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use idp_domain::outgoing::{Limits, Outgoing};
use idp_protocol::client::Client;
use idp_protocol::jose::Algorithm;
use idp_protocol::logout::{self as rules, Notice};
use idp_store::logout::{self as store, Held};
use idp_store::outbox::{self, Claimed, Settled};
use idp_store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::State;
use crate::oidc::client_keys::{self, Keys};
use crate::oidc::sealed::{self, Wish};
use crate::oidc::subject;
use crate::session::Who;

pub use idp_store::logout::INTERFACE;

/// How long a browser waits for its partners' servers before it is sent on.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the notices of a browser that waits are its own, milliseconds.
pub(crate) const LEASE: i64 = 10_000;
/// When the outbox tries again what did not arrive at once, milliseconds.
const AGAIN: i64 = 1_000;
/// Frames of one page: what a person signed in to within one session is fewer.
const MOST_FRAMES: usize = 32;

/// Carries a form to a partner's server, through the guard of everything that leaves (attacks
/// row 17).
#[async_trait]
pub trait Post: Send + Sync {
    /// The status of the answer, or what kept it.
    async fn form(&self, url: &str, body: String) -> Result<u16, String>;
}

/// A session that has ended: what is left to be done for its partners.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    held: Vec<Held>,
    /// Under the caller's lease.
    claimed: Vec<Claimed>,
}

/// The guarded way out as the carrier of notices.
pub struct Carrier(pub std::sync::Arc<dyn Outgoing>);

#[async_trait]
impl Post for Carrier {
    async fn form(&self, url: &str, body: String) -> Result<u16, String> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        // What a partner says besides its status is of no interest.
        let limits = Limits { time: PATIENCE, bytes: 16 * 1024 };
        let answer = self.0.post(url, &headers, body.into_bytes(), limits).await;
        answer.map(|answer| answer.status).map_err(|cause| cause.to_string())
    }
}

/// Ends a session and what does not outlive it, and writes the notices; none if it had ended.
pub(crate) async fn finish(
    tx: &mut Tx,
    session: &str,
    now: i64,
    lease: Option<i64>,
) -> Result<Option<Ended>, StoreError> {
    if !idp_store::session::end(tx, session, now).await? {
        return Ok(None);
    }
    let held = store::of_session(tx, session).await?;
    let claimed = store::tell(tx, &held, now, lease).await?;
    idp_store::grant::revoke_of_session(tx, session, now).await?;
    Ok(Some(Ended { held, claimed }))
}

impl Ended {
    /// Addresses of the partners' frames, each with `iss` and the `sid` that the partner knows.
    pub(crate) fn frames(&self, state: &State) -> Vec<String> {
        let frame = |held: &Held| {
            let (uri, session) =
                (held.client.frontchannel_logout_uri.as_deref()?, held.session_id.as_deref()?);
            let sid = subject::sid(state, &held.client, session);
            Some(rules::frame(uri, &state.settings.issuer, &sid))
        };
        self.held.iter().filter_map(frame).take(MOST_FRAMES).collect()
    }

    /// Carries the notices at once and side by side, for at most [`PATIENCE`]: a partner that the
    /// browser goes back to should know. What did not arrive is the outbox's.
    pub(crate) async fn carry(&self, state: &State) {
        let all = join_all(self.claimed.iter().map(|row| carry(state, row)));
        if tokio::time::timeout(PATIENCE + PATIENCE / 2, all).await.is_err() {
            tracing::info!("a notice of a sign-out is left to the outbox");
        }
        state.outbox_wake.notify_one();
    }
}

async fn carry(state: &State, row: &Claimed) {
    // The browser waits: a partner whose keys are not at hand is told by the outbox.
    let carried = told(state, &row.arguments, Look::AtHand);
    let told = tokio::time::timeout(PATIENCE, carried).await;
    let now = state.now();
    let settled = match told.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
        Ok(answer) => Settled::Sent(answer),
        Err(problem) => Settled::Again(now + AGAIN, problem),
    };
    let row = row.clone();
    let kept = state
        .db
        .write::<_, StoreError, _>("notice_settle", move |tx: &mut Tx| {
            let (row, settled) = (row.clone(), settled.clone());
            Box::pin(async move { outbox::settle(tx, &row, now, &settled).await })
        })
        .await;
    if let Err(cause) = kept {
        // Its lease lapses, and the outbox sends it once more: a second notice does no harm.
        tracing::error!(%cause, "a notice of a sign-out could not be settled");
    }
}

/// Where the keys of a partner come from that registered to get its tokens encrypted.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// From its site, if it publishes them and they are due.
    Up,
    /// From what is registered or was fetched before.
    AtHand,
}

/// Carries one notice of the outbox; the answer is for its row. A partner that is gone, or wants
/// no notices any more, need not be told.
///
/// # Errors
/// What keeps it from being told, for the operator.
pub async fn deliver(state: &State, arguments: &Value) -> Result<Value, String> {
    told(state, arguments, Look::Up).await
}

async fn told(state: &State, arguments: &Value, look: Look) -> Result<Value, String> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(client_id), Some(person), Some(kind)) =
        (text("client_id"), text("person_id"), text("kind"))
    else {
        return Err("the notice cannot be read".to_owned());
    };
    let found = state.clients.find(state, &client_id).await.map_err(|cause| cause.to_string())?;
    let Some(known) = found else { return Ok(json!({"gone": true})) };
    let client = &known.client;
    let Some(uri) = client.backchannel_logout_uri.as_deref() else {
        return Ok(json!({"gone": true}));
    };
    let sub = subject::of(state, client, &Who::read(&kind, person));
    let sid = text("session_id").map(|session| subject::sid(state, client, &session));
    let notice = Notice { client_id: &client_id, sub: &sub, sid: sid.as_deref() };
    let token = token(state, client, notice, look).await?;
    // Back-Channel Logout §2.5.
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("logout_token", &token)
        .finish();
    let Some(post) = state.partners.get() else {
        return Err("this process carries no notices".to_owned());
    };
    match post.form(uri, body).await? {
        // Back-Channel Logout §2.8: 200, or 204 of frameworks that send it for an empty body.
        200 | 204 => Ok(json!({})),
        status => Err(format!("the partner answered {status}")),
    }
}

/// A logout token, as the client's ID tokens are (Back-Channel Logout §2.4): signed, and encrypted
/// or not let out at all.
async fn token(
    state: &State,
    client: &Client,
    notice: Notice<'_>,
    look: Look,
) -> Result<String, String> {
    let issuer = &state.settings.issuer;
    // A notice that is sent again is another token: its receiver may refuse a `jti` twice.
    let claims = rules::claims(issuer, notice, &state.ambient.id(), state.now() / 1000);
    let ring = state.keys.ring(state).await.map_err(|cause| cause.to_string())?;
    let algorithm =
        Algorithm::from_name(&client.id_token_signed_response_alg).unwrap_or(Algorithm::Rs256);
    let signed = ring.signer(algorithm).and_then(|signer| signer.sign(rules::TYP, &claims));
    let signed = signed.map_err(|cause| cause.to_string())?;
    let wish = Wish::id_token(client);
    if wish.alg.is_none() {
        return Ok(signed);
    }
    let keys: Keys<'_> = match look {
        Look::Up => client_keys::of(state, client, None).await,
        Look::AtHand => client_keys::at_hand(state, client),
    };
    // Back-Channel Logout §2.4: `iss` stands in the header too.
    sealed::encrypted_to(state, client, &keys, signed, wish, Some(issuer))
}
