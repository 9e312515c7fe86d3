//! Registrations as the operator sees them: without secrets, with what no registration says.

use idp_protocol::client::Client;
use idp_store::client::Registered;
use idp_store::client_document::Document;
use idp_store::{Db, StoreError, Tx};
use serde_json::{Value, json};

/// A registration and its standing.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The registration.
    pub client: Client,
    /// It is kept out.
    pub disabled: bool,
    /// Its registration is the document at its id.
    pub document: Option<Document>,
}

impl Seen {
    fn of(registered: Registered) -> Self {
        let Registered { client, disabled, document, .. } = registered;
        Self { client, disabled, document }
    }

    /// The registration, with `disabled` where it is and `client_document` where it describes
    /// itself (milliseconds UTC; `fetched_at` 0: never read).
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json(&self) -> Result<Value, StoreError> {
        let mut value = serde_json::to_value(&self.client)
            .map_err(|cause| StoreError::Data(cause.to_string()))?;
        if self.disabled {
            value["disabled"] = json!(true);
        }
        if let Some(document) = self.document {
            value["client_document"] =
                json!({"fetched_at": document.fetched_at, "expires_at": document.expires_at});
        }
        Ok(value)
    }

    /// What a list says beside id and name.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match (self.disabled, self.document.is_some()) {
            (false, false) => "",
            (false, true) => "describes itself",
            (true, false) => "disabled",
            (true, true) => "describes itself, disabled",
        }
    }
}

/// All registrations.
///
/// # Errors
/// As the database says.
pub async fn all(db: &Db) -> Result<Vec<Seen>, StoreError> {
    let found: Vec<Registered> = db
        .read("clients", |tx: &mut Tx| Box::pin(async move { idp_store::client::list(tx).await }))
        .await?;
    Ok(found.into_iter().map(Seen::of).collect())
}

/// One registration.
///
/// # Errors
/// As the database says.
pub async fn one(db: &Db, id: &str) -> Result<Option<Seen>, StoreError> {
    let id = id.to_owned();
    let found: Option<Registered> = db
        .read("client", move |tx: &mut Tx| {
            let id = id.clone();
            Box::pin(async move { idp_store::client::find(tx, &id).await })
        })
        .await?;
    Ok(found.map(Seen::of))
}
