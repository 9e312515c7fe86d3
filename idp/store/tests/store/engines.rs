//! Fresh databases: a file for SQLite; for PostgreSQL a schema of its own on the server that
//! `TONGBAN_TEST_POSTGRES_URL` names (set and unreachable is a failure).

use idp_store::{Db, Options, Vault};

pub(crate) fn vault() -> Vault {
    Vault::new(&[&[9; 32]]).unwrap()
}

pub(crate) struct Fresh {
    pub(crate) db: Db,
    pub(crate) file: Option<tempfile::TempDir>,
}

pub(crate) async fn sqlite() -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
    let db = Db::open(Options { url, connections: 4, vault: vault() }).await.unwrap();
    Fresh { db, file: Some(directory) }
}

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
pub(crate) fn server() -> Option<String> {
    std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()
}

pub(crate) async fn postgres() -> Option<Fresh> {
    let server = server()?;
    let db = idp_store::testing::fresh_postgres(&server, vault()).await.unwrap();
    Some(Fresh { db, file: None })
}

/// Tells each story on SQLite and, where a server is given, on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* $name:ident => $story:path;)*) => {
        mod sqlite {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")] async fn $name() {
                $story($crate::engines::sqlite().await).await;
            })*
        }
        mod postgres {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")] async fn $name() {
                if let Some(fresh) = $crate::engines::postgres().await { $story(fresh).await; }
            })*
        }
    };
}
