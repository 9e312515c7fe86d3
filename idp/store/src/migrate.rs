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

/// Names of everything.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.iter().map(|(name, ..)| *name)
}

/// Names of what is not applied yet.
///
/// # Errors
/// As the database says, also when it is none of ours; [`StoreError::Schema`] as [`run`].
pub(crate) async fn missing(db: &Db) -> Result<Vec<&'static str>, StoreError> {
    let applied = db
        .read("migrations", |tx: &mut Tx| Box::pin(async move { tx.all(&APPLIED, args![]).await }))
        .await?;
    refuse_unknown(&applied)?;
    let known: Result<Vec<String>, _> = applied.iter().map(|row| row.text("name")).collect();
    let known = known?;
    Ok(names().filter(|name| !known.iter().any(|applied| applied == name)).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Vault};

    statement!(EDIT, "update schema_migration set digest = 'other' where name = '0001_core.sql'");
    statement!(
        UNKNOWN,
        "insert into schema_migration (name, digest) values ('9999_later.sql', '')"
    );

    statement!(
        OLD_KEY,
        "insert into signing_key (kid, algorithm, private, state, created_at)
         values ($1, $2, $3, $4, $5)"
    );

    fn options(directory: &tempfile::TempDir) -> Options {
        let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
        Options { url, connections: 1, vault: Vault::new(&[&[3; 32]]).unwrap() }
    }

    async fn execute(db: &Db, statement: &'static crate::Statement) {
        db.write::<_, StoreError, _>("tamper", move |tx: &mut Tx| {
            Box::pin(async move { tx.execute(statement, args![]).await })
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_script_that_fails_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let db = Db::open(options(&directory)).await.unwrap();
        assert!(db.script("create table half (x integer); nonsense".into()).await.is_err());
        db.script("create table half (x integer)".into()).await.unwrap();
    }

    #[tokio::test]
    async fn an_edited_migration_and_one_from_the_future_are_refused_with_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        execute(&Db::open(options(&directory)).await.unwrap(), &EDIT).await;
        let refused = Db::open(options(&directory)).await.err().unwrap().to_string();
        assert!(refused.contains("0001_core.sql was edited"), "{refused}");
        let directory = tempfile::tempdir().unwrap();
        execute(&Db::open(options(&directory)).await.unwrap(), &UNKNOWN).await;
        let refused = Db::open(options(&directory)).await.err().unwrap().to_string();
        assert!(refused.contains("older than the database"), "{refused}");
    }

    /// Keys as a program before `0014_key_life.sql` left them, and what they are after it.
    async fn keys_keep_their_lives(options: Options) {
        let db = Db::connect(options).await.unwrap();
        let bookkeeping =
            "create table schema_migration (name text primary key, digest text not null)";
        db.script(bookkeeping.to_owned()).await.unwrap();
        for (name, sqlite, postgres) in MIGRATIONS.iter().filter(|(name, ..)| *name < "0014") {
            apply(&db, name, if db.kind() == Kind::Sqlite { sqlite } else { postgres })
                .await
                .unwrap();
        }
        let keys = [
            // Rotated twice; the first rotation's key was revoked.
            ("rs-1", "RS256", "retired", 100),
            ("rs-2", "RS256", "revoked", 200),
            ("rs-3", "RS256", "retired", 300),
            ("rs-4", "RS256", "active", 400),
            // The newest was revoked, and nobody has rotated since.
            ("es-1", "ES256", "active", 100),
            ("es-2", "ES256", "revoked", 200),
            // Two at the same moment, as two nodes could make them.
            ("ed-1", "EdDSA", "active", 100),
            ("ed-2", "EdDSA", "active", 100),
            // Retired by hand, and nothing after it.
            ("ps-1", "PS256", "retired", 100),
        ];
        db.write::<_, StoreError, _>("old_keys", move |tx: &mut Tx| {
            Box::pin(async move {
                for (kid, algorithm, state, created_at) in keys {
                    let private = tx.vault().seal("key.private", b"secret")?;
                    let row = args![kid, algorithm, private, state, created_at];
                    tx.execute(&OLD_KEY, row).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
        run(&db).await.unwrap();
        let stored = db.read::<_, StoreError, _>("keys", |tx| Box::pin(crate::key::list(tx)));
        let stored = stored.await.unwrap();
        let lives = stored.iter().map(|key| {
            assert_eq!(key.private.as_deref(), Some(&b"secret"[..]), "{} opens", key.kid);
            let life = &key.life;
            (key.kid.as_str(), life.signs_from, life.signs_until, life.revoked)
        });
        let mut lives: Vec<_> = lives.collect();
        lives.sort_unstable();
        assert_eq!(
            lives,
            [
                ("ed-1", 100, Some(100), false),
                ("ed-2", 100, None, false),
                ("es-1", 100, None, false),
                ("es-2", 200, Some(200), true),
                ("ps-1", 100, Some(100), false),
                ("rs-1", 100, Some(300), false),
                ("rs-2", 200, Some(300), true),
                ("rs-3", 300, Some(400), false),
                ("rs-4", 400, None, false),
            ]
        );
        // And the next program finds nothing to do.
        assert_eq!(missing(&db).await.unwrap(), Vec::<&str>::new());
    }

    #[tokio::test]
    async fn attack_47_keys_keep_their_lives_over_an_update_on_sqlite() {
        let directory = tempfile::tempdir().unwrap();
        keys_keep_their_lives(options(&directory)).await;
    }

    #[tokio::test]
    #[allow(clippy::disallowed_methods)] // Tests are told where the server is.
    async fn attack_47_keys_keep_their_lives_over_an_update_on_postgres() {
        let Ok(server) = std::env::var("TONGBAN_TEST_POSTGRES_URL") else { return };
        let url = crate::testing::fresh_postgres_url(&server).await.unwrap();
        let vault = Vault::new(&[&[3; 32]]).unwrap();
        keys_keep_their_lives(Options { url, connections: 2, vault }).await;
    }
}
