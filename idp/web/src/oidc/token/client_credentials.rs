//! The client credentials grant (RFC 6749 §4.4): the client acts for itself.

use idp_protocol::ProtocolError;
use idp_protocol::client::Client;
use idp_protocol::scope::Scope;

use crate::State;
use crate::oidc::issue::{self, Answer};
use crate::oidc::reply::Failure;

/// Scopes that mean a person, who is absent here.
const PERSONAL: &[&str] =
    &["openid", "profile", "email", "address", "phone", "identity", "offline_access", "staff"];

/// Issues; writes nothing.
pub(super) async fn issue(
    state: &State,
    client: &Client,
    asked: Option<Scope>,
) -> Result<Answer, Failure> {
    // RFC 6749 §4.4: confidential clients only.
    if client.is_public() {
        return Err(ProtocolError::unauthorized_client("The client has no credentials.").into());
    }
    let registered = PERSONAL.iter().fold(client.scopes(), |scope, word| scope.without(word));
    // RFC 6749 §3.3: nothing beyond the registration; without a wish, all of it.
    let scope = match asked {
        Some(asked) if asked.within(&registered) => asked,
        Some(_) => {
            let text = "The scope is wider than the registration or means a person.";
            return Err(ProtocolError::invalid_scope(text).into());
        }
        None => registered,
    };
    issue::of_client(state, client, &scope).await
}
