//! Initial access tokens (RFC 7591 §1.2), for the command line.

use idp_domain::ambient::Ambient;
use idp_store::registration::{self as store, InitialToken};
use idp_store::{Db, StoreError, Tx};

use crate::oidc::register::INITIAL;

/// Makes a token that registers `uses` partners within `life` milliseconds. Gives its text, which
/// is not kept, and its row.
///
/// # Errors
/// As the database says.
pub async fn create_token(
    db: &Db,
    ambient: &Ambient,
    uses: u32,
    life: i64,
) -> Result<(String, InitialToken), StoreError> {
    let (token, now) = (ambient.token(INITIAL), ambient.now());
    let row = InitialToken {
        id: token.id.clone(),
        secret_hash: token.stored(),
        uses: i64::from(uses),
        created_at: now,
        expires_at: now.saturating_add(life),
    };
    let kept = row.clone();
    db.write("initial_token_create", move |tx: &mut Tx| {
        let kept = kept.clone();
        Box::pin(async move { store::add_token(tx, &kept).await })
    })
    .await?;
    Ok((token.text(), row))
}

/// Tokens that can still be used, oldest first.
///
/// # Errors
/// As the database says.
pub async fn tokens(db: &Db, ambient: &Ambient) -> Result<Vec<InitialToken>, StoreError> {
    let now = ambient.now();
    db.read("initial_tokens", move |tx: &mut Tx| {
        Box::pin(async move { store::tokens(tx, now).await })
    })
    .await
}

/// Takes one back by its id; false if there is none.
///
/// # Errors
/// As the database says.
pub async fn remove_token(db: &Db, id: &str) -> Result<bool, StoreError> {
    let id = id.to_owned();
    db.write("initial_token_remove", move |tx: &mut Tx| {
        let id = id.clone();
        Box::pin(async move { store::remove_token(tx, &id).await })
    })
    .await
}
