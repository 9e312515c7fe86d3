//! What an operator asks of a database: a copy, whether it is whole, what it lacks, who waits.

use std::path::Path;

use crate::{Db, StoreError};

impl Db {
    /// Writes a copy of the embedded database as it stands at one moment, while it is written to.
    /// The file must not exist, or be empty.
    ///
    /// # Errors
    /// [`StoreError::Database`] on a server's database, which has copies of its own, or if the
    /// file cannot be written.
    pub async fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let sqlite = self.sqlite().cloned().ok_or_else(|| {
            StoreError::Database("only the embedded database is copied this way".to_owned())
        })?;
        let file = file.to_owned();
        off_runtime(move || sqlite.copy_to(&file)).await
    }

    /// What is broken in the embedded database's file; a server looks after its own.
    ///
    /// # Errors
    /// [`StoreError::Database`] if it cannot even be read.
    pub async fn faults(&self) -> Result<Vec<String>, StoreError> {
        let Some(sqlite) = self.sqlite().cloned() else { return Ok(Vec::new()) };
        off_runtime(move || sqlite.faults()).await
    }

    /// Units of work that wait for the embedded database's writer; a server has no such queue.
    #[must_use]
    pub fn writes_waiting(&self) -> Option<usize> {
        self.sqlite().map(crate::sqlite::Sqlite::waiting)
    }

    /// Names of the migrations that this program has and the database lacks, in their order.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the database is none of ours, [`StoreError::Schema`] if it is
    /// newer than this program.
    pub async fn migrations_missing(&self) -> Result<Vec<&'static str>, StoreError> {
        crate::migrate::missing(self).await
    }

    /// Names of all migrations that this program has, in their order.
    #[must_use]
    pub fn migrations() -> Vec<&'static str> {
        crate::migrate::names().collect()
    }
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| StoreError::Database(cause.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Vault, outbox};

    fn options(file: &Path) -> Options {
        let url = format!("sqlite://{}", file.display());
        Options { url, connections: 1, vault: Vault::new(&[&[3; 32]]).unwrap() }
    }

    #[tokio::test]
    async fn a_copy_holds_what_was_acknowledged_and_a_damaged_one_is_found_out() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let db = Db::open(options(&at("one"))).await.unwrap();
        let entry = |n: i64| outbox::Entry {
            id: format!("id{n}"),
            key: format!("key{n}"),
            interface: "sms",
            subject: None,
            arguments: serde_json::json!({ "text": "x".repeat(2000) }),
            at: n,
        };
        db.write::<_, StoreError, _>("fill", move |tx| {
            Box::pin(async move {
                for n in 0..60 {
                    outbox::enqueue(tx, entry(n)).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
        assert_eq!(db.writes_waiting(), Some(0));
        db.copy_to(&at("two")).await.unwrap();
        assert!(db.copy_to(&at("two")).await.is_err(), "nothing is overwritten");
        let copy = Db::connect(options(&at("two"))).await.unwrap();
        assert_eq!(copy.faults().await.unwrap(), Vec::<String>::new());
        assert_eq!(copy.migrations_missing().await.unwrap(), Vec::<&str>::new());
        let counted = copy
            .read::<_, StoreError, _>("counts", |tx| Box::pin(outbox::counts(tx)))
            .await
            .unwrap();
        assert_eq!(counted, [("sms".to_owned(), "pending".to_owned(), 60)]);
        drop(copy);
        let mut bytes = std::fs::read(at("two")).unwrap();
        // The page that was written last holds rows; another may hold the schema, without which
        // there is nothing to open.
        let last = bytes.len() - 4096;
        bytes[last..].fill(0xA5);
        std::fs::write(at("three"), bytes).unwrap();
        let damaged = Db::connect(options(&at("three"))).await.unwrap();
        assert!(damaged.faults().await.map_or(true, |faults| !faults.is_empty()));
    }

    #[tokio::test]
    async fn an_empty_database_lacks_everything() {
        let directory = tempfile::tempdir().unwrap();
        let db = Db::connect(options(&directory.path().join("none"))).await.unwrap();
        assert!(db.migrations_missing().await.is_err(), "none of ours");
    }
}
