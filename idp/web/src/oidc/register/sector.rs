//! The sector that a client says it is of (OpenID Connect Core §8.1, Registration §5).

use idp_domain::outgoing::Limits;
use idp_protocol::client::registration::Refusal;
use idp_protocol::client::{Client, published};

use super::told::Refused;
use crate::State;

/// Fetches what stands at `sector_identifier_uri` and compares: whoever could name any sector would
/// know people by the pseudonyms of others.
pub(super) async fn check(state: &State, client: &Client) -> Result<(), Refused> {
    let Some(uri) = &client.sector_identifier_uri else { return Ok(()) };
    let answer = state.outgoing().get(uri, Limits::default()).await.map_err(|cause| {
        tracing::info!(%cause, "a sector could not be fetched");
        Refusal::because("`sector_identifier_uri` cannot be fetched.")
    })?;
    let names =
        answer.status == 200 && published::sector_names(&answer.body, &client.redirect_uris);
    if names {
        return Ok(());
    }
    let text = "`sector_identifier_uri` must lead to a JSON list of all redirect URIs, of which there is one.";
    Err(Refusal::because(text).into())
}
