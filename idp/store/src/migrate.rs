//! Schema versions: pairs of files below `migrations/`, applied in order, each recorded with its
//! digest. A released file is never edited: an edited one is refused.

use aws_lc_rs::digest::{SHA256, digest};

use crate::db::Kind;
use crate::{Db, Row, StoreError, Tx, args, statement};

/// Name, text for SQLite, text for PostgreSQL.
const MIGRATIONS: &[(&str, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

statement!(APPLIED, "select name, digest from schema_migration order by name");

fn hash(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// Applies what is missing.
///
/// # Errors
/// [`StoreError::Schema`] if an applied file was edited or is unknown to this program.
pub(crate) async fn run(db: &Db) -> Result<(), StoreError> {
    let bookkeeping = "create table if not exists schema_migration (
        name text primary key, digest text not null)";
    db.script(bookkeeping.to_owned()).await?;
    let applied = db
        .read("migrations", |tx: &mut Tx| Box::pin(async move { tx.all(&APPLIED, args![]).await }))
        .await?;
    refuse_unknown(&applied)?;
    for (name, sqlite, postgres) in MIGRATIONS {
        let text = if db.kind() == Kind::Sqlite { sqlite } else { postgres };
        match applied.iter().find(|row| row.text("name").is_ok_and(|known| known == *name)) {
            Some(row) if row.text("digest")? == hash(text) => {}
            Some(_) => {
                return Err(StoreError::Schema(format!("migration {name} was edited")));
            }
            None => apply(db, name, text).await?,
        }
    }
    Ok(())
}

fn refuse_unknown(applied: &[Row]) -> Result<(), StoreError> {
    for row in applied {
        let name = row.text("name")?;
        if !MIGRATIONS.iter().any(|(known, ..)| *known == name) {
            return Err(StoreError::Schema(format!(
                "the database has migration {name}, which this program does not know: \
                 it is older than the database"
            )));
        }
    }
    Ok(())
}

async fn apply(db: &Db, name: &str, text: &str) -> Result<(), StoreError> {
    // One script, one transaction: the record and the change stand or fall together. A second
    // node that waited for the lock finds the record and fails on its key, which is success.
    let script = format!(
        "insert into schema_migration (name, digest) values ('{name}', '{}');\n{text}",
        hash(text)
    );
    match db.script(script).await {
        Err(StoreError::Conflict) => Ok(()),
        other => other,
    }
}
