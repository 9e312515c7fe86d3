//! Every statement of this room is understood by both engines, and what names a person is sealed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use idp_store::{Db, Options, StoreError, Vault};
use plugins_store::draft::{self, Draft};
use serde_json::json;

fn vault() -> Vault {
    Vault::new(&[&[5; 32]]).unwrap()
}

async fn prepare_all(db: &Db) {
    let ours = idp_store::statement::STATEMENTS
        .iter()
        .filter(|statement| statement.name.starts_with("plugins_store"));
    let mut prepared = 0;
    for statement in ours {
        db.prepare(statement).await.unwrap();
        prepared += 1;
    }
    assert!(prepared > 40, "{prepared} statements only");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_prepared_by_sqlite_and_a_form_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.sqlite");
    let url = format!("sqlite://{}", path.display());
    let db = Db::open(Options { url, connections: 2, vault: vault() }).await.unwrap();
    prepare_all(&db).await;
    let (number, phone) = ("359901199001010011", "13900000001");
    let form = json!({ "number": number, "phone": phone });
    let draft = Draft { transaction: "t".into(), form: form.clone(), saved_at: 1 };
    db.write::<_, StoreError, _>("save", move |tx| {
        let draft = draft.clone();
        Box::pin(async move { draft::save(tx, "sub", "item", &draft).await })
    })
    .await
    .unwrap();
    let loaded = db
        .read::<_, StoreError, _>("load", |tx| {
            Box::pin(async move { draft::load(tx, "sub", "item").await })
        })
        .await
        .unwrap();
    assert_eq!(loaded.unwrap().form, form);
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [number, phone] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
async fn every_statement_is_prepared_by_postgres() {
    let Ok(server) = std::env::var("TONGBAN_TEST_POSTGRES_URL") else { return };
    prepare_all(&idp_store::testing::fresh_postgres(&server, vault()).await.unwrap()).await;
}
