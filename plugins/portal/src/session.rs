//! The hall's own session: a cookie, a row, and the provider's word behind it.
//!
//! The session lives no longer than the provider's: at most once a minute the hall asks userinfo
//! whether the tokens of the sign-in still hold, and ends when they do not. So a sign-out elsewhere
//! reaches the hall within [`RECHECK`], and at once in the browser that signed out: where the
//! provider's cookie beside ours has changed or gone, the provider is asked before anything is
//! shown (attacks row 21, the next person at a shared device).

use http::{HeaderMap, HeaderValue};
use idp_domain::ambient::Token;
use idp_store::{StoreError, Tx};
use plugins_store::hall_session::{self, HallSession};
use serde::{Deserialize, Serialize};

use crate::provider::{Identity, Kept, ProviderError};
use crate::{State, cookies};

const PREFIX: &str = "tbs_";
/// Longest life, milliseconds: a working day.
const LIFE: i64 = 12 * 3_600_000;
/// How long the provider's last word is believed, milliseconds.
pub const RECHECK: i64 = 60_000;
/// How long a session outlives a provider that does not answer, milliseconds.
const PATIENCE: i64 = 15 * 60_000;

/// A member of staff, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// Number of the member of staff.
    pub id: String,
    /// Name as citizens and colleagues see it.
    pub name: String,
    /// `officer`, `supervisor`, `administrator`.
    pub role: String,
}

/// Whoever is signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Key of the session's row.
    pub session: String,
    /// The hall's pairwise subject.
    pub subject: String,
    /// Name to greet with.
    pub name: Option<String>,
    /// Proofing level, 0–5.
    pub proofing: u8,
    /// Authentication level of this session, 0–3.
    pub auth: u8,
    /// Set for a member of staff, who is no citizen here.
    pub staff: Option<Staff>,
    details: Details,
}

impl Visitor {
    /// The ID token of the sign-in, for the sign-out.
    #[must_use]
    pub fn id_token(&self) -> &str {
        &self.details.id_token
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Details {
    name: Option<String>,
    proofing: u8,
    auth: u8,
    staff: Option<Staff>,
    id_token: String,
    tokens: Kept,
    /// Digest of the provider's cookie as the browser sent it when the session was confirmed.
    #[serde(default)]
    beside: String,
}

/// A keyed digest of the provider's session cookie of this browser. Nothing is believed because of
/// it: when it changes, the provider is asked.
fn beside(state: &State, headers: &HeaderMap) -> String {
    let prefix = if state.settings.secure { "__Host-" } else { "" };
    let name = format!("{prefix}tongban_idp_{}", state.settings.port);
    let cookie = cookies::get(headers, &name).unwrap_or_default();
    state.db.vault().blind("hall_session.beside", cookie)
}

/// Name of the session cookie. Cookies do not know ports, so the name does.
#[must_use]
pub fn cookie_name(port: u16) -> String {
    format!("tongban_hall_{port}")
}

/// Who is signed in by this request's cookie, if anybody.
///
/// # Errors
/// As the database says.
pub async fn current(state: &State, headers: &HeaderMap) -> Result<Option<Visitor>, StoreError> {
    let name = cookie_name(state.settings.port);
    let Some(token) = cookies::get(headers, &name).and_then(|text| Token::parse(PREFIX, text))
    else {
        return Ok(None);
    };
    let (id, now) = (token.id.clone(), state.ambient.now());
    let found = state
        .db
        .read("hall_session", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { hall_session::find(tx, &id, now).await })
        })
        .await?;
    let Some(row) = found.filter(|row| token.matches(&row.secret)) else { return Ok(None) };
    let Some(mut visitor) = opened(&row) else { return Ok(None) };
    let beside = beside(state, headers);
    let same = visitor.details.beside == beside;
    if same && now - row.checked_at < RECHECK {
        return Ok(Some(visitor));
    }
    visitor.details.beside = beside;
    recheck(state, row, visitor, if same { PATIENCE } else { 0 }).await
}

fn opened(row: &HallSession) -> Option<Visitor> {
    let details: Details = serde_json::from_str(&row.details).ok()?;
    Some(Visitor {
        session: row.id.clone(),
        subject: row.subject.clone(),
        name: details.name.clone(),
        proofing: details.proofing,
        auth: details.auth,
        staff: details.staff.clone(),
        details,
    })
}

/// Asks the provider whether the session lives; while it does not answer, its last word holds for
/// `patience` milliseconds.
async fn recheck(
    state: &State,
    row: HallSession,
    mut visitor: Visitor,
    patience: i64,
) -> Result<Option<Visitor>, StoreError> {
    let now = state.ambient.now();
    match state.provider.stands_by(&row.subject, &visitor.details.tokens).await {
        Some(true) => {}
        Some(false) => match state.provider.refresh(&visitor.details.tokens).await {
            Ok(tokens) => visitor.details.tokens = tokens,
            Err(ProviderError::Refused(_)) => {
                end(state, &row.id).await?;
                return Ok(None);
            }
            Err(ProviderError::Away(_)) if now - row.checked_at < patience => {
                return Ok(Some(visitor));
            }
            Err(ProviderError::Away(_)) => return Ok(None),
        },
        // A provider that is away for a moment must not throw anybody out of a form.
        None if now - row.checked_at < patience => return Ok(Some(visitor)),
        None => return Ok(None),
    }
    let details = serde_json::to_string(&visitor.details)
        .map_err(|cause| StoreError::Data(cause.to_string()))?;
    let id = row.id;
    state
        .db
        .write("hall_session_confirm", move |tx: &mut Tx| {
            let (id, details) = (id.clone(), details.clone());
            Box::pin(async move { hall_session::confirm(tx, &id, now, &details).await })
        })
        .await?;
    Ok(Some(visitor))
}

/// Starts a session with a fresh id, ending the one that this browser had: a session id never
/// survives a sign-in or a step-up (attacks row 20). Answers the cookie.
///
/// # Errors
/// As the database says.
pub async fn start(
    state: &State,
    headers: &HeaderMap,
    identity: Identity,
) -> Result<HeaderValue, StoreError> {
    let token = state.ambient.token(PREFIX);
    let now = state.ambient.now();
    let claims = identity.claims;
    let staff = claims.staff_role.map(|role| Staff {
        id: claims.staff_id.unwrap_or_else(|| identity.subject.clone()),
        name: claims.staff_name.unwrap_or_default(),
        role,
    });
    let details = Details {
        name: identity.name,
        proofing: claims.proofing_level,
        auth: claims.auth_level,
        staff,
        id_token: identity.id_token,
        tokens: identity.tokens,
        beside: beside(state, headers),
    };
    let row = HallSession {
        id: token.id.clone(),
        secret: token.stored(),
        subject: identity.subject,
        details: serde_json::to_string(&details)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        created_at: now,
        checked_at: now,
        expires_at: now + LIFE,
    };
    let name = cookie_name(state.settings.port);
    let old = cookies::get(headers, &name).and_then(|text| Token::parse(PREFIX, text));
    let old = old.map(|token| (token.stored(), token.id));
    state
        .db
        .write("hall_session_start", move |tx: &mut Tx| {
            let (row, old) = (row.clone(), old.clone());
            Box::pin(async move {
                hall_session::prune(tx, now).await?;
                if let Some((secret, old)) = old {
                    hall_session::replace(tx, &old, &secret).await?;
                }
                hall_session::insert(tx, &row).await
            })
        })
        .await?;
    let seconds = u32::try_from(LIFE / 1000).unwrap_or_default();
    Ok(cookies::set(&name, &token.text(), "/", seconds, state.settings.secure))
}

/// Ends a session.
///
/// # Errors
/// As the database says.
pub async fn end(state: &State, id: &str) -> Result<(), StoreError> {
    let id = id.to_owned();
    state
        .db
        .write("hall_session_end", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { hall_session::delete(tx, &id).await })
        })
        .await
}

/// The header that removes the session cookie.
#[must_use]
pub fn forget(state: &State) -> HeaderValue {
    cookies::set(&cookie_name(state.settings.port), "", "/", 0, state.settings.secure)
}
