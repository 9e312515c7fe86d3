//! Uploads: of a draft until its case takes them. Bytes, name and digest are sealed.

use idp_store::{Row, StoreError, Tx, args, statement};
use serde::{Deserialize, Serialize};

use crate::case::opened;

/// What is known about an upload besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// As the browser said.
    pub file_name: String,
    /// Found by decoding.
    pub media_type: String,
    /// Hex.
    pub sha256: String,
}

/// An upload without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// Row id.
    pub id: String,
    /// Whose.
    pub subject: String,
    /// Item code.
    pub item: String,
    /// Its case, once it is handed in.
    pub number: Option<String>,
    /// Name of the material.
    pub name: String,
    /// Sealed.
    pub about: About,
    /// Bytes.
    pub size: i64,
}

statement!(
    INSERT,
    "insert into hall_material (id, subject, item, number, name, about, body, size, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    DROP_DRAFT,
    "delete from hall_material where subject = $1 and item = $2 and name = $3 and number is null"
);
statement!(DROP_OF_CASE, "delete from hall_material where number = $1 and name = $2");
statement!(
    DRAFT,
    "select id, subject, item, number, name, about, size from hall_material
     where subject = $1 and item = $2 and number is null order by id"
);
statement!(
    OF_CASE,
    "select id, subject, item, number, name, about, size from hall_material
     where number = $1 order by id"
);
statement!(
    ATTACH,
    "update hall_material set number = $3 where subject = $1 and item = $2 and number is null"
);
statement!(
    FIND,
    "select id, subject, item, number, name, about, size, body from hall_material where id = $1"
);

const ABOUT: &str = "hall_material.about";
const BODY: &str = "hall_material.body";

fn read(tx: &Tx, row: &Row) -> Result<Material, StoreError> {
    let about = opened(tx, ABOUT, &row.blob("about")?)?;
    Ok(Material {
        id: row.text("id")?,
        subject: row.text("subject")?,
        item: row.text("item")?,
        number: row.text_opt("number")?,
        name: row.text("name")?,
        about: serde_json::from_value(about).map_err(|c| StoreError::Data(c.to_string()))?,
        size: row.int("size")?,
    })
}

/// Keeps an upload in place of the one of the same name, in the draft or in the case.
///
/// # Errors
/// As the database says.
pub async fn put(
    tx: &mut Tx,
    material: &Material,
    bytes: &[u8],
    at: i64,
) -> Result<(), StoreError> {
    match &material.number {
        Some(number) => tx.execute(&DROP_OF_CASE, args![number, &material.name]).await?,
        None => {
            let draft = args![&material.subject, &material.item, &material.name];
            tx.execute(&DROP_DRAFT, draft).await?
        }
    };
    let about =
        serde_json::to_string(&material.about).map_err(|c| StoreError::Data(c.to_string()))?;
    let row = args![
        &material.id,
        &material.subject,
        &material.item,
        material.number.clone(),
        &material.name,
        tx.vault().seal(ABOUT, about)?,
        tx.vault().seal(BODY, bytes)?,
        material.size,
        at
    ];
    tx.execute(&INSERT, row).await.map(drop)
}

/// The uploads of a draft.
///
/// # Errors
/// As the database says.
pub async fn of_draft(tx: &mut Tx, subject: &str, item: &str) -> Result<Vec<Material>, StoreError> {
    let rows = tx.all(&DRAFT, args![subject, item]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// The uploads of a case.
///
/// # Errors
/// As the database says.
pub async fn of_case(tx: &mut Tx, number: &str) -> Result<Vec<Material>, StoreError> {
    let rows = tx.all(&OF_CASE, args![number]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Hands a draft's uploads over to its case.
///
/// # Errors
/// As the database says.
pub async fn attach(
    tx: &mut Tx,
    subject: &str,
    item: &str,
    number: &str,
) -> Result<(), StoreError> {
    tx.execute(&ATTACH, args![subject, item, number]).await.map(drop)
}

/// An upload with its bytes.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<(Material, Vec<u8>)>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id]).await? else { return Ok(None) };
    let bytes = tx.vault().open(BODY, &row.blob("body")?)?;
    Ok(Some((read(tx, &row)?, bytes)))
}
