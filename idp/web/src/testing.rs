//! For tests of this room: a story is told on SQLite and, where a server is given, on PostgreSQL.

use idp_store::{Db, Options, Vault, testing};

enum Engine {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, url: String },
}

/// An empty database of one story.
pub(crate) struct Place {
    pub(crate) db: Db,
    engine: Engine,
}

fn vault() -> Vault {
    Vault::new(&[&[7; 32]]).unwrap()
}

impl Place {
    pub(crate) async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
        let db = Db::open(Options { url, connections: 4, vault: vault() }).await.unwrap();
        Self { db, engine: Engine::Sqlite(directory) }
    }

    /// On the server that the tests were given, if they were.
    #[allow(clippy::disallowed_methods)] // Tests are told where the server is.
    pub(crate) async fn on_postgres() -> Option<Self> {
        Some(Self::at(std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()?).await)
    }

    async fn at(server: String) -> Self {
        let url = testing::fresh_postgres_url(&server).await.unwrap();
        let options = Options { url: url.clone(), connections: 6, vault: vault() };
        let db = Db::open(options).await.unwrap();
        Self { db, engine: Engine::Postgres { server, url } }
    }

    /// Another one of the same engine.
    pub(crate) async fn afresh(&self) -> Self {
        match &self.engine {
            Engine::Sqlite(_) => Self::on_sqlite().await,
            Engine::Postgres { server, .. } => Self::at(server.clone()).await,
        }
    }

    /// Every byte that the database keeps: SQLite's files with what was deleted and not yet
    /// written over, PostgreSQL's rows.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        match &self.engine {
            Engine::Sqlite(directory) => {
                let mut bytes = Vec::new();
                for file in std::fs::read_dir(directory.path()).unwrap() {
                    bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
                }
                bytes
            }
            Engine::Postgres { url, .. } => testing::postgres_bytes(url).await.unwrap(),
        }
    }
}

/// Whether a text stands somewhere in these bytes.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Tells each story on both engines, in a house of the named type (which is `over` a [`Place`]) and
/// of its usual settings; or of settings of its own, in a module of its own, if they are named.
macro_rules! on_both {
    ($house:ident: $($name:ident;)*) => {
        crate::testing::on_both! { @engines $house, $house::usual; $($name;)* }
    };
    ($module:ident of $house:ident with $settings:path: $($name:ident;)*) => {
        mod $module {
            #[allow(clippy::wildcard_imports, unused_imports)] // The stories, and their settings.
            use super::*;
            crate::testing::on_both! { @engines $house, $settings; $($name;)* }
        }
    };
    (@engines $house:ident, $settings:path; $($name:ident;)*) => {
        mod sqlite {
            #[allow(clippy::wildcard_imports, unused_imports)] // The house, and its settings.
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                let place = crate::testing::Place::on_sqlite().await;
                super::$name($house::over(place, $settings()).await).await;
            })*
        }
        mod postgres {
            #[allow(clippy::wildcard_imports, unused_imports)] // The house, and its settings.
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                if let Some(place) = crate::testing::Place::on_postgres().await {
                    super::$name($house::over(place, $settings()).await).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;
