//! `/sandbox`: a partner's developer registers clients, tries a sign-in without any code, and sees
//! what each of the own clients sent and got, decoded.
//!
//! It stands in sandboxes only, where everybody is synthetic: where it is off it has no route, no
//! layer and no memory.

mod cause;
mod desk;
mod observe;
mod programs;
mod read;
mod recorder;
mod trying;
mod view;
mod wrong;

use std::sync::{Mutex, MutexGuard, OnceLock};

use aws_lc_rs::hmac;
use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_domain::ambient::Token;
use idp_store::{StoreError, Tx, sandbox};

pub(crate) use observe::observe;

use super::page::Page;
use crate::State;
use recorder::Recorder;

/// The cookie that a developer's clients are known by.
const STEM: &str = "tongban_sandbox";
/// Prefix of its value.
const PREFIX: &str = "tbx_";
/// Days that a client of the sandbox lives.
pub(crate) const DAYS: i64 = 7;
/// The same in milliseconds.
const LIFETIME: i64 = DAYS * 86_400_000;

/// Somebody synthetic to sign in as.
#[derive(Debug, Clone)]
pub struct TestPerson {
    /// Name.
    pub name: String,
    /// What the sign-in page takes: the phone.
    pub phone: String,
    /// Document number, synthetic.
    pub number: String,
    /// Password, as the demo publishes it.
    pub password: String,
    /// Proofing level, 1 to 5.
    pub proofing: u8,
}

/// What the sandbox keeps in memory.
pub struct Sandbox {
    recorder: Mutex<Recorder>,
    key: hmac::Key,
    /// Whom to sign in as; the server sets it.
    pub people: OnceLock<Vec<TestPerson>>,
}

impl Sandbox {
    /// With the key from which the secrets of its clients are derived.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self { recorder: Mutex::default(), key, people: OnceLock::new() }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A client's secret: derived, so that the console can be the client without keeping it.
    fn secret(&self, client_id: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, client_id.as_bytes()))
    }
}

/// The routes, where there is a sandbox.
pub(crate) fn router(state: &State) -> Router<State> {
    if state.sandbox.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/sandbox", get(desk::show).post(desk::register))
        .route("/sandbox/callback", get(trying::callback))
        .route("/sandbox/clients/{client}", get(desk::client))
        .route("/sandbox/clients/{client}/try", post(trying::begin))
        .route("/sandbox/clients/{client}/clear", post(desk::clear))
        .route("/sandbox/clients/{client}/delete", post(desk::delete))
}

/// The project of this browser: the digest of the secret in its cookie.
fn project(page: &Page) -> Option<String> {
    page.token(STEM, PREFIX).as_ref().map(Token::stored)
}

/// Ids of this browser's clients, newest first.
async fn clients(page: &Page) -> Result<Vec<String>, StoreError> {
    let (Some(project), now) = (project(page), page.now()) else { return Ok(Vec::new()) };
    page.state
        .db
        .read("sandbox_clients", move |tx: &mut Tx| {
            let project = project.clone();
            Box::pin(async move { sandbox::list(tx, &project, now).await })
        })
        .await
}
