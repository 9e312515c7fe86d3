//! The session of a browser at the provider.
//!
//! The cookie holds `tbs_` + id + secret. A new sign-in gets a new id; signing in again as the same
//! person, and a step-up, keep the id (partners know it as `sid`) and replace the secret, so that
//! a cookie that somebody planted or copied before is worth nothing (attacks rows 20, 21).

use http::{HeaderMap, HeaderValue, header};
use idp_domain::ambient::Token;
use idp_store::session::Stored;
use idp_store::{StoreError, Tx, audit};
use serde_json::json;

use crate::logout::{self, Ended};
use crate::{State, cookie};

const STEM: &str = "tongban_idp";
/// The browser's state, which the check-session frame reads (Session Management §4.2).
const STATE_STEM: &str = "tongban_state";
const PREFIX: &str = "tbs_";
/// How often a session's last use is written down, milliseconds.
const SEEN_EVERY: i64 = 60_000;

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A citizen, by person id.
    Citizen(String),
    /// An officer, by staff id.
    Staff(String),
}

impl Who {
    /// The name of the kind in the database.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Citizen(_) => "citizen",
            Self::Staff(_) => "staff",
        }
    }

    /// The person's or the officer's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Citizen(id) | Self::Staff(id) => id,
        }
    }

    pub(crate) fn read(kind: &str, id: String) -> Self {
        if kind == "staff" { Self::Staff(id) } else { Self::Citizen(id) }
    }
}

/// A session that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Row id; partners see a different pseudonym of it each (`sid`).
    pub id: String,
    /// Whose it is.
    pub who: Who,
    /// When the person last proved who they are, milliseconds UTC.
    pub auth_time: i64,
    /// How strongly, 1 to 3.
    pub auth_level: u8,
    /// With what, RFC 8176 values.
    pub amr: Vec<String>,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// Milliseconds UTC, to the minute.
    pub seen_at: i64,
    /// What the browser says it is.
    pub device: String,
}

/// A sign-in that has succeeded.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose.
    pub who: Who,
    /// How strongly, 1 to 3.
    pub auth_level: u8,
    /// With what, RFC 8176 values.
    pub amr: Vec<String>,
}

impl From<Stored> for SignedIn {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            who: Who::read(&stored.kind, stored.person_id),
            auth_time: stored.auth_time,
            auth_level: stored.auth_level,
            amr: stored.amr.split_whitespace().map(str::to_owned).collect(),
            created_at: stored.created_at,
            seen_at: stored.seen_at,
            device: stored.device,
        }
    }
}

fn idle_ms(state: &State, kind: &str) -> i64 {
    let sessions = state.settings.sessions;
    if kind == "staff" { sessions.staff_idle_ms } else { sessions.idle_ms }
}

/// The session of the browser, if it has one that stands.
///
/// # Errors
/// As the database says.
pub async fn current(state: &State, headers: &HeaderMap) -> Result<Option<SignedIn>, StoreError> {
    let Some(token) = token(state, headers) else { return Ok(None) };
    let now = state.now();
    let found = idp_store::session::standing(&state.db, &token.id, now).await?;
    let Some(stored) = found.filter(|stored| token.matches(&stored.secret_hash)) else {
        return Ok(None);
    };
    if stored.seen_at + idle_ms(state, &stored.kind) <= now {
        return Ok(None);
    }
    if stored.seen_at + SEEN_EVERY <= now {
        let id = stored.id.clone();
        state
            .db
            .write("session_seen", move |tx: &mut Tx| {
                let id = id.clone();
                Box::pin(async move { idp_store::session::seen(tx, &id, now).await })
            })
            .await?;
    }
    Ok(Some(stored.into()))
}

fn token(state: &State, headers: &HeaderMap) -> Option<Token> {
    let text = cookie::get(headers, &cookie::name(state, STEM))?;
    Token::parse(PREFIX, text)
}

/// `Set-Cookie` values of one change of the session: its own cookie, and the browser's state.
pub type Cookies = [HeaderValue; 2];

/// The browser's state while a session stands (Session Management §3): says which session it is to
/// nobody, and opens nothing.
pub(crate) fn browser_state(state: &State, session_id: &str) -> String {
    idp_protocol::pairwise::subject(&state.salt, "browser state", session_id)
}

/// Name of the cookie that holds it.
pub(crate) fn state_cookie(state: &State) -> String {
    cookie::name(state, STATE_STEM)
}

/// `Set-Cookie` of the browser's state while this session stands.
pub(crate) fn state_cookie_value(state: &State, id: &str) -> HeaderValue {
    cookie::readable(state, &state_cookie(state), &browser_state(state, id), None)
}

fn cookies(state: &State, id: &str, secret: &str) -> Cookies {
    let text = format!("{PREFIX}{id}{secret}");
    [cookie::set(state, &cookie::name(state, STEM), &text, None), state_cookie_value(state, id)]
}

/// Begins a session, or renews the browser's own if it is the same person's, and gives the
/// `Set-Cookie` values. What the browser had before ends. A citizen's audit trail says so.
///
/// # Errors
/// As the database says.
pub async fn start(
    state: &State,
    headers: &HeaderMap,
    new: NewSession,
) -> Result<Cookies, StoreError> {
    let before = current(state, headers).await?;
    Arrival::new(state, headers, before, new).keep(state).await
}

/// A sign-in that is about to be written down.
#[derive(Clone)]
pub(crate) struct Arrival {
    stored: Stored,
    /// The id if this is no renewal.
    fresh: String,
    secret: String,
    renews: bool,
    /// Somebody else's session of the same browser.
    ended: Option<String>,
}

impl Arrival {
    pub(crate) fn new(
        state: &State,
        headers: &HeaderMap,
        before: Option<SignedIn>,
        new: NewSession,
    ) -> Self {
        let (token, now) = (state.ambient.token(PREFIX), state.now());
        let (same, ended) = match before {
            Some(before) if before.who == new.who => (Some(before), None),
            other => (None, other.map(|before| before.id)),
        };
        let sessions = state.settings.sessions;
        let absolute = match new.who {
            Who::Citizen(_) => sessions.absolute_ms,
            Who::Staff(_) => sessions.staff_absolute_ms,
        };
        let stored = Stored {
            id: same.as_ref().map_or_else(|| token.id.clone(), |same| same.id.clone()),
            secret_hash: token.stored(),
            kind: new.who.kind().to_owned(),
            person_id: new.who.id().to_owned(),
            auth_time: now,
            // What was proven now, not before: `auth_time` speaks of this proof.
            auth_level: new.auth_level,
            amr: new.amr.join(" "),
            device: device(headers),
            created_at: same.as_ref().map_or(now, |same| same.created_at),
            seen_at: now,
            expires_at: now + absolute,
        };
        Self { stored, fresh: token.id, secret: token.secret, renews: same.is_some(), ended }
    }

    pub(crate) async fn keep(self, state: &State) -> Result<Cookies, StoreError> {
        let (now, secret, left) =
            (self.stored.auth_time, self.secret.clone(), self.ended.is_some());
        let id: String = state
            .db
            .write("session_start", move |tx: &mut Tx| {
                let Self { mut stored, fresh, renews, ended, .. } = self.clone();
                Box::pin(async move {
                    if let Some(ended) = ended {
                        logout::finish(tx, &ended, now, None).await?;
                    }
                    if !(renews && idp_store::session::renew(tx, &stored).await?) {
                        // The browser's own may have ended a moment ago: then this is another.
                        stored.id = fresh;
                        idp_store::session::start(tx, &stored).await?;
                    }
                    if stored.kind != "citizen" {
                        return Ok(stored.id);
                    }
                    let details = json!({"amr": stored.amr, "device": stored.device});
                    let line =
                        audit::Line { at: now, kind: "sign_in", actor: "self".to_owned(), details };
                    audit::append(tx, &stored.person_id, line).await?;
                    Ok::<_, StoreError>(stored.id)
                })
            })
            .await?;
        if left {
            state.outbox_wake.notify_one();
        }
        Ok(cookies(state, &id, &secret))
    }
}

/// Replaces the secret of the browser's session (a step-up that is no sign-in, such as a face
/// check); none if it has no session.
///
/// # Errors
/// As the database says.
pub async fn rotate(state: &State, headers: &HeaderMap) -> Result<Option<HeaderValue>, StoreError> {
    let Some(before) = current(state, headers).await? else { return Ok(None) };
    let (token, now) = (state.ambient.token(PREFIX), state.now());
    let (id, secret) = (before.id.clone(), token.stored());
    state
        .db
        .write("session_rotate", move |tx: &mut Tx| {
            let (id, secret) = (id.clone(), secret.clone());
            Box::pin(async move { idp_store::session::rotate(tx, &id, &secret, now).await })
        })
        .await?;
    let text = format!("{PREFIX}{}{}", before.id, token.secret);
    Ok(Some(cookie::set(state, &cookie::name(state, STEM), &text, None)))
}

/// What the browser says it is, for the list of sessions: shown, never trusted.
fn device(headers: &HeaderMap) -> String {
    let agent = cookie::header(headers, header::USER_AGENT).unwrap_or_default();
    agent.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// Ends one session of this person or officer, and the grants that do not outlive it; false if
/// there was none of theirs. Partners are told. `kind` is the audit line of a citizen: `sign_out`
/// or `session_ended`.
///
/// # Errors
/// As the database says.
pub async fn end(
    state: &State,
    session_id: &str,
    who: &Who,
    kind: &'static str,
) -> Result<bool, StoreError> {
    let ended = end_with(state, session_id, who, kind, None).await?;
    state.outbox_wake.notify_one();
    Ok(ended.is_some())
}

/// [`end`], with what is left to do for the partners. With a lease (milliseconds) the caller
/// carries the notices.
///
/// # Errors
/// As the database says.
pub(crate) async fn end_with(
    state: &State,
    session_id: &str,
    who: &Who,
    kind: &'static str,
    lease: Option<i64>,
) -> Result<Option<Ended>, StoreError> {
    let (now, id, who) = (state.now(), session_id.to_owned(), who.clone());
    state
        .db
        .write("session_end", move |tx: &mut Tx| {
            let (id, who) = (id.clone(), who.clone());
            Box::pin(async move {
                let found = idp_store::session::find(tx, &id, now).await?;
                let theirs = found
                    .is_some_and(|found| found.person_id == who.id() && found.kind == who.kind());
                if !theirs {
                    return Ok(None);
                }
                let ended = logout::finish(tx, &id, now, lease).await?;
                if let (Who::Citizen(person), true) = (&who, ended.is_some()) {
                    let line =
                        audit::Line { at: now, kind, actor: "self".to_owned(), details: json!({}) };
                    audit::append(tx, person, line).await?;
                }
                Ok(ended)
            })
        })
        .await
}

/// `Set-Cookie` values that take the session's cookies away.
#[must_use]
pub fn clear(state: &State) -> Cookies {
    [
        cookie::clear(state, &cookie::name(state, STEM)),
        cookie::readable(state, &state_cookie(state), "", Some(0)),
    ]
}

/// Sessions of a person that stand, most recently used first.
///
/// # Errors
/// As the database says.
pub async fn of_person(state: &State, person: &str) -> Result<Vec<SignedIn>, StoreError> {
    let (now, person) = (state.now(), person.to_owned());
    let found: Vec<Stored> = state
        .db
        .read("sessions", move |tx: &mut Tx| {
            let person = person.clone();
            Box::pin(async move { idp_store::session::of_person(tx, &person, now).await })
        })
        .await?;
    let stands = |stored: &Stored| stored.seen_at + idle_ms(state, &stored.kind) > now;
    Ok(found.into_iter().filter(stands).map(SignedIn::from).collect())
}

/// Ends all sessions and all grants of a person ("this was not me").
///
/// # Errors
/// As the database says.
pub async fn end_all(state: &State, person: &str) -> Result<(), StoreError> {
    let (now, person) = (state.now(), person.to_owned());
    state
        .db
        .write("sessions_end", move |tx: &mut Tx| {
            let person = person.clone();
            Box::pin(async move { end_all_in(tx, &person, now).await })
        })
        .await?;
    state.outbox_wake.notify_one();
    Ok(())
}

/// [`end_all`] inside a transaction of the caller's, who wakes the outbox after it.
///
/// # Errors
/// As the database says.
pub async fn end_all_in(tx: &mut Tx, person: &str, now: i64) -> Result<(), StoreError> {
    idp_store::session::hold_all(tx, person).await?;
    let held = idp_store::logout::of_person(tx, person).await?;
    idp_store::logout::tell(tx, &held, now, None).await?;
    idp_store::session::end_all(tx, person, now).await?;
    idp_store::grant::revoke_of_person(tx, person, now).await?;
    Ok(())
}
