//! Clients whose `client_id` is the address of their metadata
//! (draft-ietf-oauth-client-id-metadata-document-02): read where a person is sent here and where a
//! request is pushed, through the one guarded way out (attacks row 17). Everything else knows what
//! was read then.
//!
//! Whoever likes makes us fetch from whom they like. So an address is asked once in a while, a host
//! and a network so many times a minute, and what fails is asked again no sooner for that
//! (attacks row 42).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};
use idp_domain::outgoing::{Answer, Failure as Unreached, Limits};
use idp_protocol::ProtocolError;
use idp_protocol::client::Client;
use idp_protocol::client::document::{self, Address};
use idp_protocol::client::registration::Refusal;
use idp_protocol::parameters::Parameters;
use idp_protocol::token::Presented;
use idp_store::client::Registered;
use idp_store::client_document::Document;
use idp_store::{StoreError, Tx};

use super::counted::Counted;
use super::register;
use super::reply::Failure;
use crate::clients::Known;
use crate::{State, cookie, pages};

/// Between two fetches of one address, milliseconds. Meanwhile its last answer stands: no error is
/// kept longer (CIMD §5.2).
const PAUSE: i64 = 10_000;
/// How long a document is kept if its site does not say, and between which bounds it may say it,
/// milliseconds.
const FRESH: i64 = 60 * 60_000;
const SHORTEST: i64 = 5 * 60_000;
const LONGEST: i64 = 24 * 60 * 60_000;
/// How long an old document serves on while its site cannot be reached, milliseconds: a restart
/// costs nobody a sign-in, and who has lost a site, or keeps us from it, does not gain a day. A
/// site that answers anything else is believed at once.
const GRACE: i64 = 60 * 60_000;
/// Fetches from one host within a minute, whoever asks.
const PER_HOST: u32 = 60;
/// Fetches for requests from one network within a minute.
const PER_NETWORK: u32 = 30;
/// Addresses remembered; beyond, all begins anew.
const MOST: usize = 1_000;

/// Why a document was not read.
#[derive(Clone)]
enum Unread {
    /// It says so itself: gone, moved, or of no use.
    Refused(Refusal),
    /// Nobody can know now.
    Unknown(&'static str),
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Refused(refusal) => Self::Metadata(refusal),
            Unread::Unknown(text) => ProtocolError::invalid_request(text).into(),
        }
    }
}

/// What came of the last fetch of an address, and when it was, milliseconds UTC. Whoever holds it
/// is fetching.
type Slot = tokio::sync::Mutex<Option<(i64, Unread)>>;

/// Fetches of documents, counted.
#[derive(Default)]
pub(crate) struct ClientDocuments {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    by_host: Counted,
    /// By themselves: whoever has many hosts would make the networks' counts begin anew.
    by_network: Counted,
}

impl ClientDocuments {
    fn slot(&self, address: &Address) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(address.as_str()) {
            return slot.clone();
        }
        if slots.len() >= MOST {
            slots.clear();
        }
        slots.entry(address.as_str().to_owned()).or_default().clone()
    }

    /// Counts a fetch; false if the network, where networks are counted, or the host has had enough.
    fn may_fetch(&self, address: &Address, network: Option<&str>, now: i64) -> bool {
        network.is_none_or(|network| self.by_network.within(network.into(), PER_NETWORK, now))
            && self.by_host.within(address.host().to_owned(), PER_HOST, now)
    }
}

/// A client by id; one that describes itself is read if what is known of it is old.
///
/// # Errors
/// Why its document cannot be used; nobody is redirected then (attacks row 18).
pub(super) async fn client(
    state: &State,
    network: &str,
    client_id: &str,
) -> Result<Option<Arc<Known>>, Failure> {
    let known = state.clients.find(state, client_id).await?;
    let current = |known: &Known| known.document.is_none_or(|it| state.now() < it.expires_at);
    if !state.settings.client_id_metadata_documents
        || !Address::is_meant(client_id)
        || known.as_deref().is_some_and(current)
    {
        return Ok(known);
    }
    // CIMD §3.
    let address = Address::parse(client_id);
    let address = address.map_err(|fault| ProtocolError::invalid_request(fault.told()))?;
    read(state, network, &address).await?;
    Ok(state.clients.find(state, client_id).await?)
}

/// Reads the client that a pushed request is of, if it describes itself (CIMD §5).
///
/// # Errors
/// As [`client`].
pub(super) async fn met(
    state: &State,
    network: &str,
    headers: &HeaderMap,
    body: &Parameters,
) -> Result<(), Failure> {
    let presented = Presented::read(cookie::header(headers, header::AUTHORIZATION), body)?;
    client(state, network, presented.client_id()).await.map(drop)
}

/// Brings what is kept of a client up to date, one request at a time for each address.
async fn read(state: &State, network: &str, address: &Address) -> Result<(), Failure> {
    let slot = state.client_documents.slot(address);
    let mut last = slot.lock().await;
    let now = state.now();
    let before = kept(state, address).await?;
    // Attacks row 38: whom the operator keeps out is not asked either; and what the operator has
    // registered, or another request has read meanwhile, stands.
    if before.as_ref().is_some_and(|it| {
        it.disabled || it.document.is_none_or(|document| now < document.expires_at)
    }) {
        state.clients.forget_one(address.as_str());
        return Ok(());
    }
    let before = before.as_ref();
    // What stands in place of one that was never read says nothing.
    let was_read = |it: &&Registered| it.document.is_some_and(|document| document.fetched_at > 0);
    let standing = before.filter(was_read).map(|it| &it.client);
    let unread = match last.as_ref().filter(|(at, _)| (0..PAUSE).contains(&(now - at))) {
        Some((_, unread)) => unread.clone(),
        None => match fetch(state, network, address, standing, now).await {
            Ok((client, document)) => {
                *last = None;
                return Ok(keep(state, client, document, now).await?);
            }
            Err(unread) => {
                *last = Some((now, unread.clone()));
                unread
            }
        },
    };
    let until = before.and_then(|it| it.document).map_or(0, |it| it.expires_at + GRACE);
    match unread {
        Unread::Unknown(_) if now < until => Ok(()),
        unread => Err(unread.into()),
    }
}

/// What the database has of a client, whoever may use it.
async fn kept(state: &State, address: &Address) -> Result<Option<Registered>, StoreError> {
    let id = address.as_str().to_owned();
    state
        .db
        .read("client", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::client::find(tx, &id).await })
        })
        .await
}

async fn keep(
    state: &State,
    client: Client,
    document: Document,
    now: i64,
) -> Result<(), StoreError> {
    let (id, client) = (client.client_id.clone(), Arc::new(client));
    // If the operator has registered or disabled it meanwhile, that stands.
    let _: bool = state
        .db
        .write("client_document", move |tx: &mut Tx| {
            let client = client.clone();
            Box::pin(
                async move { idp_store::client_document::keep(tx, &client, document, now).await },
            )
        })
        .await?;
    state.clients.forget_one(&id);
    Ok(())
}

async fn fetch(
    state: &State,
    network: &str,
    address: &Address,
    before: Option<&Client>,
    now: i64,
) -> Result<(Client, Document), Unread> {
    let network = pages::authorization_limit(state, network).map(|_| network);
    if !state.client_documents.may_fetch(address, network, now) {
        return Err(Unread::Unknown("Too many clients are read for now; try again in a minute."));
    }
    let limits = Limits { time: Duration::from_secs(3), bytes: document::LARGEST };
    let answer = state.outgoing().get(address.as_str(), limits).await;
    let answer = answer.map_err(|cause| {
        tracing::info!(%cause, host = address.host(), "the document of a client was not read");
        match cause {
            // Whoever asks learns nothing of the networks behind us.
            Unreached::Slow | Unreached::Unreachable(_) | Unreached::Closed => {
                Unread::Unknown("The document at the client_id cannot be reached.")
            }
            Unreached::Long => refused("The document at the client_id is longer than 5 kilobytes."),
            Unreached::Address => refused("The client_id cannot be called."),
        }
    })?;
    let client = said(state, address, &answer, before)?;
    let said = answer.max_age.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
    let life = said.map_or(FRESH, |seconds| seconds.saturating_mul(1000).clamp(SHORTEST, LONGEST));
    Ok((client, Document { fetched_at: now, expires_at: now + life }))
}

/// What an answer says of its client.
fn said(
    state: &State,
    address: &Address,
    answer: &Answer,
    before: Option<&Client>,
) -> Result<Client, Unread> {
    match answer.status {
        200 => {}
        // A site that fails says nothing of the document.
        429 | 500.. => return Err(Unread::Unknown("The site of the client_id fails; try again.")),
        // CIMD §5: 200 alone; a redirect is not followed.
        _ => {
            return Err(refused(
                "There is no document at the client_id: its site did not say 200.",
            ));
        }
    }
    // CIMD §4.
    if !document::is_json(answer.content_type.as_deref()) {
        return Err(refused("The document at the client_id is not served as application/json."));
    }
    let client = document::read(address, &answer.body, before).map_err(Unread::Refused)?;
    register::offered(state, &client, before).map_err(Unread::Refused)?;
    Ok(client)
}

fn refused(text: &str) -> Unread {
    Unread::Refused(Refusal::because(text))
}
