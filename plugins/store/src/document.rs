//! Documents: those of the plugins' own stores, and those that cases have issued.

use async_trait::async_trait;
use idp_store::{Db, StoreError, Tx, args, statement};
use plugins_hall::port::Documents;
use serde_json::Value as Json;

use crate::case::{opened, sealed};

statement!(
    GET,
    "select version, body from plugin_document where plugin = $1 and collection = $2 and id = $3"
);
statement!(
    CREATE,
    "insert into plugin_document (plugin, collection, id, version, body)
     values ($1, $2, $3, 1, $4) on conflict (plugin, collection, id) do nothing"
);
statement!(
    REPLACE,
    "update plugin_document set version = version + 1, body = $5
     where plugin = $1 and collection = $2 and id = $3 and version = $4"
);
statement!(
    OVERWRITE,
    "insert into plugin_document (plugin, collection, id, version, body)
     values ($1, $2, $3, 1, $4) on conflict (plugin, collection, id)
     do update set version = plugin_document.version + 1, body = excluded.body"
);
statement!(REMOVE, "delete from plugin_document where plugin = $1 and collection = $2 and id = $3");
statement!(
    ISSUE,
    "insert into issued_document (id, number, template, document_number, body, at)
     values ($1, $2, $3, $4, $5, $6)"
);
statement!(
    ISSUED,
    "select id, template, document_number, at from issued_document where number = $1 order by at"
);

const BODY: &str = "plugin_document.body";
const NUMBER: &str = "issued_document.number";

/// A document's body and version.
///
/// # Errors
/// As the database says.
pub async fn get(
    tx: &mut Tx,
    plugin: &str,
    collection: &str,
    id: &str,
) -> Result<Option<(Json, u64)>, StoreError> {
    let Some(row) = tx.optional(&GET, args![plugin, collection, id]).await? else {
        return Ok(None);
    };
    let body = opened(tx, BODY, &row.blob("body")?)?;
    Ok(Some((body, u64::try_from(row.int("version")?).unwrap_or_default())))
}

/// Writes a document; `expect` is the version that was read, 0 for a new one, none for any. False
/// if another version stands there.
///
/// # Errors
/// As the database says.
pub async fn put(
    tx: &mut Tx,
    plugin: &str,
    collection: &str,
    id: &str,
    body: &Json,
    expect: Option<u64>,
) -> Result<bool, StoreError> {
    let body = sealed(tx, BODY, body)?;
    let touched = match expect {
        None => tx.execute(&OVERWRITE, args![plugin, collection, id, body]).await?,
        Some(0) => tx.execute(&CREATE, args![plugin, collection, id, body]).await?,
        Some(version) => {
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            tx.execute(&REPLACE, args![plugin, collection, id, version, body]).await?
        }
    };
    Ok(touched == 1)
}

/// Removes a document, if it is there.
///
/// # Errors
/// As the database says.
pub async fn remove(
    tx: &mut Tx,
    plugin: &str,
    collection: &str,
    id: &str,
) -> Result<(), StoreError> {
    tx.execute(&REMOVE, args![plugin, collection, id]).await.map(drop)
}

/// A document that a case has issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Row id.
    pub id: String,
    /// Template.
    pub template: String,
    /// Number on the document; sealed.
    pub document_number: String,
    /// Milliseconds UTC.
    pub at: i64,
}

/// Keeps an issued document with its data.
///
/// # Errors
/// [`StoreError::Conflict`] if its id is taken.
pub async fn issue(
    tx: &mut Tx,
    number: &str,
    issued: &Issued,
    data: &Json,
) -> Result<(), StoreError> {
    let sealed_number = tx.vault().seal(NUMBER, &issued.document_number)?;
    let body = sealed(tx, "issued_document.body", data)?;
    let row = args![&issued.id, number, &issued.template, sealed_number, body, issued.at];
    tx.execute(&ISSUE, row).await.map(drop)
}

/// The documents of a case.
///
/// # Errors
/// As the database says.
pub async fn issued(tx: &mut Tx, number: &str) -> Result<Vec<Issued>, StoreError> {
    let rows = tx.all(&ISSUED, args![number]).await?;
    rows.iter()
        .map(|row| {
            Ok(Issued {
                id: row.text("id")?,
                template: row.text("template")?,
                document_number: tx.vault().open_text(NUMBER, &row.blob("document_number")?)?,
                at: row.int("at")?,
            })
        })
        .collect()
}

/// One plugin's documents as of before its call.
pub struct PluginDocuments {
    /// The database.
    pub db: Db,
    /// The plugin: no other's documents can be reached.
    pub plugin: String,
}

#[async_trait]
impl Documents for PluginDocuments {
    async fn get(&self, collection: &str, id: &str) -> Result<Option<(Json, u64)>, String> {
        let key = (self.plugin.clone(), collection.to_owned(), id.to_owned());
        self.db
            .read("plugin_document", move |tx| {
                let (plugin, collection, id) = key.clone();
                Box::pin(async move { get(tx, &plugin, &collection, &id).await })
            })
            .await
            .map_err(|cause: StoreError| cause.to_string())
    }
}
