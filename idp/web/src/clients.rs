//! Partners: found through a short-lived cache, and registered for the command line.

pub mod seen;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use idp_domain::ambient::Ambient;
use idp_protocol::client::document::Address;
use idp_protocol::client::{AuthMethod, Client};
use idp_protocol::scope::Scope;
use idp_store::client::Registered;
use idp_store::client_document::Document;
use idp_store::{Db, StoreError, Tx};
use serde_json::{Value, json};

use crate::State;

/// A change made by another process is seen after this, milliseconds.
const FRESH: i64 = 2_000;
/// Clients kept; beyond, the cache begins anew.
const MOST: usize = 10_000;

/// A client and the keyed hash of its secret.
#[derive(Debug)]
pub struct Known {
    /// The registration.
    pub client: Arc<Client>,
    /// Keyed hash of the secret; none for clients without one.
    pub secret_hash: Option<String>,
    /// When the document at its id was read, where that is its registration.
    pub(crate) document: Option<Document>,
    /// Registered scopes that mean no person: what the client may ask for itself.
    pub(crate) own_scope: Scope,
}

/// Scopes that mean a person, who is absent where a client acts for itself.
const PERSONAL: &[&str] =
    &["openid", "profile", "email", "address", "phone", "identity", "offline_access", "staff"];

impl Known {
    fn new(registered: Registered) -> Self {
        let scope = registered.client.scopes();
        Self {
            own_scope: PERSONAL.iter().fold(scope, |scope, word| scope.without(word)),
            client: Arc::new(registered.client),
            secret_hash: registered.secret_hash,
            document: registered.document,
        }
    }
}

/// Clients seen in the last seconds.
#[derive(Default)]
pub struct Clients(RwLock<HashMap<String, (i64, Arc<Known>)>>);

impl Clients {
    /// A client by id. Unknown ones are not remembered: their ids are anybody's choice.
    ///
    /// # Errors
    /// As the database says.
    pub async fn find(&self, state: &State, id: &str) -> Result<Option<Arc<Known>>, StoreError> {
        let now = state.now();
        if let Ok(kept) = self.0.read()
            && let Some((at, known)) = kept.get(id)
            && (0..FRESH).contains(&(now - at))
        {
            return Ok(Some(known.clone()));
        }
        // PostgreSQL has no text with a NUL: whoever is named so, in a header or an assertion, would
        // be a fault of ours.
        if id.contains('\0') {
            return Ok(None);
        }
        let key = id.to_owned();
        let found: Option<Registered> = state
            .db
            .read("client", move |tx: &mut Tx| {
                let key = key.clone();
                Box::pin(async move { idp_store::client::find(tx, &key).await })
            })
            .await?;
        // Attacks row 38: whom the operator keeps out is not there.
        let offered = state.settings.client_id_metadata_documents;
        let found = found.filter(|found| !found.disabled && (offered || found.document.is_none()));
        let Some(found) = found else { return Ok(None) };
        let known = Arc::new(Known::new(found));
        if let Ok(mut kept) = self.0.write() {
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(id.to_owned(), (now, known.clone()));
        }
        Ok(Some(known))
    }

    /// Forgets one, after a change by this process.
    pub fn forget_one(&self, id: &str) {
        if let Ok(mut kept) = self.0.write() {
            kept.remove(id);
        }
    }

    /// Forgets everything, after a change by this process.
    pub fn forget(&self) {
        if let Ok(mut kept) = self.0.write() {
            kept.clear();
        }
    }
}

/// Why a registration was not written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Each fault a sentence.
    #[error("the registration cannot be used: {}\nhint: correct it and try again", .0.join(" "))]
    Faults(Vec<String>),
    /// The id is taken.
    #[error("a client with this id exists\nhint: `tongban client update` changes it")]
    Taken,
    /// There is no such client.
    #[error("there is no client with this id\nhint: `tongban client list` names them")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A registration as the command line prints it: with `client_id`, and `client_secret` if one was
/// given or made now.
fn printed(client: &Client, secret: Option<&str>) -> Result<Value, Refused> {
    let mut value =
        serde_json::to_value(client).map_err(|cause| StoreError::Data(cause.to_string()))?;
    if let (Some(members), Some(secret)) = (value.as_object_mut(), secret) {
        members.insert("client_secret".to_owned(), secret.into());
        // OpenID Connect Registration §3.2: 0 means that it does not expire.
        members.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    Ok(value)
}

/// Takes `client_secret` out of a registration, reads the rest, makes id and secret where they
/// are needed and absent.
fn read(ambient: &Ambient, mut value: Value) -> Result<(Client, Option<String>), Refused> {
    let given = value
        .as_object_mut()
        .and_then(|members| members.remove("client_secret"))
        .and_then(|secret| secret.as_str().map(str::to_owned));
    let mut client = Client::from_json(value).map_err(Refused::Faults)?;
    if client.client_id.is_empty() {
        client.client_id = ambient.id();
    }
    let wants = matches!(
        client.token_endpoint_auth_method,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
    );
    match (wants, given) {
        // The stored hash is keyed, so that only guessing at the endpoint remains.
        (true, Some(secret)) if secret.len() < 16 => Err(Refused::Faults(vec![
            "`client_secret` has fewer than 16 characters; leave it out and one is made.".into(),
        ])),
        (true, Some(secret)) => Ok((client, Some(secret))),
        (true, None) => Ok((client, Some(ambient.secret()))),
        (false, _) => Ok((client, None)),
    }
}

/// Registers a client from JSON with the names of RFC 7591; `client_id` and `client_secret` may be
/// given. The answer holds them.
///
/// # Errors
/// [`Refused`].
pub async fn create(db: &Db, ambient: &Ambient, value: Value) -> Result<Value, Refused> {
    let (client, secret) = read(ambient, value)?;
    let (kept, plain, now) = (client.clone(), secret.clone(), ambient.now());
    let written = db
        .write("client_create", move |tx: &mut Tx| {
            let (client, plain) = (kept.clone(), plain.clone());
            Box::pin(async move {
                let secret_hash =
                    plain.as_deref().map(|secret| idp_store::client::secret_hash(tx, secret));
                let new = Registered { client, secret_hash, disabled: false, document: None };
                idp_store::client::create(tx, &new, now).await
            })
        })
        .await;
    match written {
        Err(StoreError::Conflict) => Err(Refused::Taken),
        Err(other) => Err(other.into()),
        Ok(()) => printed(&client, secret.as_deref()),
    }
}

/// Overwrites a client's registration as a whole (attacks row 38); without `client_secret` the
/// secret stays.
///
/// # Errors
/// [`Refused`].
pub async fn update(db: &Db, ambient: &Ambient, value: Value) -> Result<Value, Refused> {
    let keeps = value.get("client_secret").is_none();
    let (client, secret) = read(ambient, value)?;
    let (kept, plain, now) = (client.clone(), secret.clone(), ambient.now());
    let done: Option<bool> = db
        .write("client_update", move |tx: &mut Tx| {
            let (client, plain) = (kept.clone(), plain.clone());
            Box::pin(async move {
                let Some(before) = idp_store::client::find(tx, &client.client_id).await? else {
                    return Ok::<_, StoreError>(None);
                };
                let made =
                    plain.as_deref().map(|secret| idp_store::client::secret_hash(tx, secret));
                // A client that turns to secrets needs one made now.
                let stays = keeps && before.secret_hash.is_some() && made.is_some();
                let secret_hash = if stays { before.secret_hash } else { made };
                let new =
                    Registered { client, secret_hash, disabled: before.disabled, document: None };
                idp_store::client::update(tx, &new, now).await?;
                Ok(Some(stays))
            })
        })
        .await?;
    let stays = done.ok_or(Refused::Unknown)?;
    printed(&client, secret.as_deref().filter(|_| !stays))
}

/// One registration, without its secret.
///
/// # Errors
/// As the database says.
pub async fn show(db: &Db, id: &str) -> Result<Option<Client>, StoreError> {
    Ok(seen::one(db, id).await?.map(|seen| seen.client))
}

/// Removes a client and ends what it holds; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn delete(db: &Db, ambient: &Ambient, id: &str) -> Result<bool, StoreError> {
    let (id, now) = (id.to_owned(), ambient.now());
    db.write("client_delete", move |tx: &mut Tx| {
        let id = id.clone();
        Box::pin(async move {
            idp_store::grant::revoke_all_of_client(tx, &id, now).await?;
            idp_store::registration::forget(tx, &id).await?;
            idp_store::client_document::forget(tx, &id).await?;
            idp_store::client::delete(tx, &id).await
        })
    })
    .await
}

/// What stands in place of a document that was not read: it can do nothing.
fn unread(id: &str) -> Option<Client> {
    Address::parse(id).ok()?;
    let nothing = json!({"client_id": id, "token_endpoint_auth_method": "none", "grant_types": [],
        "response_types": []});
    Client::from_json(nothing).ok()
}

/// Keeps a client out and ends what it holds, or lets it in again; false if there is none. Its own
/// registration access token cannot undo it (attacks row 38).
///
/// # Errors
/// As the database says.
pub async fn disable(
    db: &Db,
    ambient: &Ambient,
    id: &str,
    disabled: bool,
) -> Result<bool, StoreError> {
    let (id, now) = (id.to_owned(), ambient.now());
    db.write("client_disable", move |tx: &mut Tx| {
        let id = id.clone();
        Box::pin(async move {
            // One that would describe itself can be kept out before it ever comes.
            if disabled && idp_store::client::find(tx, &id).await?.is_none() {
                let Some(unread) = unread(&id) else { return Ok(false) };
                let never = Document { fetched_at: 0, expires_at: 0 };
                idp_store::client_document::keep(tx, &unread, never, now).await?;
            }
            if disabled {
                idp_store::grant::revoke_all_of_client(tx, &id, now).await?;
            }
            idp_store::client::disable(tx, &id, disabled.then_some(now), now).await
        })
    })
    .await
}
