//! The client credentials grant (RFC 6749 §4.4): the client acts for itself.

use idp_protocol::ProtocolError;
use idp_protocol::scope::Scope;

use super::Asker;
use crate::State;
use crate::oidc::issue::{self, Answer};
use crate::oidc::reply::Failure;

/// Issues; writes nothing.
pub(super) async fn issue(
    state: &State,
    asker: &Asker,
    asked: Option<Scope>,
) -> Result<Answer, Failure> {
    let Asker { known, binding, wish } = asker;
    // RFC 6749 §4.4: confidential clients only.
    if known.client.is_public() {
        return Err(ProtocolError::unauthorized_client("The client has no credentials.").into());
    }
    // RFC 6749 §3.3: nothing beyond the registration; without a wish, all of it.
    let scope = match &asked {
        Some(asked) if asked.within(&known.own_scope) => asked,
        Some(_) => {
            let text = "The scope is wider than the registration or means a person.";
            return Err(ProtocolError::invalid_scope(text).into());
        }
        None => &known.own_scope,
    };
    // RFC 8707 §2, RFC 9396 §6.
    let resources = wish.of_client()?;
    issue::of_client(state, &known.client, scope, resources, binding).await
}
