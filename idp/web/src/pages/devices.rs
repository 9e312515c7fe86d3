//! The devices from which a person has signed in before. Their tries are counted by themselves,
//! so that nobody shuts a person out by guessing (attacks row 27).

use http::HeaderValue;
use idp_domain::ambient::hash;
use idp_store::StoreError;
use idp_store::account;

use super::page::Page;

const COOKIE: &str = "tongban_device";
/// A year, in seconds.
const LIFE: i64 = 365 * 86_400;
/// Length of 256 bits in base64url.
const LENGTH: usize = 43;

/// The digest of the device that the browser says it is.
pub(crate) fn presented(page: &Page) -> Option<String> {
    secret(page).map(|secret| hash(&secret))
}

fn secret(page: &Page) -> Option<String> {
    page.cookie_value(COOKIE).filter(|secret| secret.len() == LENGTH)
}

/// Remembers the device as one of this person's; its cookie.
pub(crate) async fn remember(page: &Page, person: &str) -> Result<HeaderValue, StoreError> {
    let secret = secret(page).unwrap_or_else(|| page.state.ambient.secret());
    let (person, device, now) = (person.to_owned(), hash(&secret), page.now());
    page.state
        .db
        .write::<_, StoreError, _>("know_device", move |tx| {
            let (person, device) = (person.clone(), device.clone());
            Box::pin(async move { account::know_device(tx, &person, &device, now).await })
        })
        .await?;
    Ok(page.cookie(COOKIE, &secret, LIFE))
}
