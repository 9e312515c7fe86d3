//! Token exchange (RFC 8693): a service that was called with a person's token acts on for them.
//!
//! Nothing is had by it that the presented token did not carry: of scope, audience, details and
//! lifetime an exchanged token has a subset (attacks row 39). Who may act is said by the operator,
//! in the registration of the client whose token it is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ProtocolError;
use crate::client::Client;
use crate::metadata::Offer;
use crate::parameters::Parameters;
use crate::scope::Scope;

/// Name of the grant (RFC 8693 §2.1).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The only type of token that is taken and given (RFC 8693 §3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Services that may stand in a chain: each sees the person's token.
pub const LONGEST_CHAIN: usize = 4;

/// What is to be exchanged. `Debug` is left out: it holds tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The token of the person for whom the client acts.
    pub subject_token: String,
    /// The client's own token, if it shows one.
    pub actor_token: Option<String>,
    /// At most the token's.
    pub scope: Option<Scope>,
}

impl Exchange {
    /// Reads a token request.
    ///
    /// # Errors
    /// `invalid_request` (RFC 8693 §2.2.2) or `invalid_scope`.
    pub fn read(body: &Parameters) -> Result<Self, ProtocolError> {
        let refuse = ProtocolError::invalid_request;
        let typed = |name| body.get(name).is_none_or(|kind| kind == ACCESS_TOKEN);
        // RFC 8693 §2.1: what is wanted; access tokens are all there is.
        if !typed("requested_token_type") {
            return Err(refuse("The requested_token_type is not given out: only access tokens."));
        }
        let subject_token = body.required("subject_token", "The subject_token is missing.")?;
        body.required("subject_token_type", "The subject_token_type is missing.")?;
        // RFC 8693 §2.1: and what is shown.
        if !typed("subject_token_type") || !typed("actor_token_type") {
            return Err(refuse("A token type is not taken: only access tokens of this provider."));
        }
        let actor_token = body.get("actor_token").map(str::to_owned);
        // RFC 8693 §2.1: required beside an actor_token, and not without one.
        if actor_token.is_some() != body.get("actor_token_type").is_some() {
            return Err(refuse("The actor_token and the actor_token_type go together."));
        }
        let scope = body.get("scope").map(Scope::parse).transpose()?;
        Ok(Self { subject_token: subject_token.to_owned(), actor_token, scope })
    }
}

/// Who acts (RFC 8693 §4.1), the last one outermost. It is the `act` claim as it stands; `may_act`
/// (§4.4) has the same form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The acting client.
    pub sub: String,
    /// Who acted before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// A client by itself.
    #[must_use]
    pub fn alone(client_id: &str) -> Self {
        Self { sub: client_id.to_owned(), act: None }
    }

    /// The acting clients, the last one first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::successors(Some(self), |actor| actor.act.as_deref());
        all.map(|actor| actor.sub.as_str())
    }
}

/// The actors of a token that `client` gets for one of `owner`'s, which `before` had acted with.
///
/// # Errors
/// `invalid_request` (RFC 8693 §2.2.2) where it may not act, or too many have.
pub fn actors(
    owner: &Client,
    claimed: Option<&Actor>,
    before: Option<&Actor>,
    client: &Client,
) -> Result<Option<Actor>, ProtocolError> {
    // A client that narrows a token of its own acts for nobody new.
    if owner.client_id == client.client_id {
        return Ok(before.cloned());
    }
    // RFC 8693 §4.4, by the registration as it is now, and by the token as it was made.
    let registered = owner.may_act.contains(&client.client_id);
    let named = claimed.is_none_or(|actor| actor.sub == client.client_id);
    if !registered || !named {
        return Err(ProtocolError::invalid_request("The client may not act with this token."));
    }
    let actor = Actor { act: before.cloned().map(Box::new), ..Actor::alone(&client.client_id) };
    if actor.chain().count() > LONGEST_CHAIN {
        return Err(ProtocolError::invalid_request("The token has passed through too many hands."));
    }
    Ok(Some(actor))
}

/// The `may_act` claim of a client's tokens (RFC 8693 §4.4), which has room for one.
#[must_use]
pub fn may_act(owner: &Client) -> Option<Actor> {
    match owner.may_act.as_slice() {
        [one] => Some(Actor::alone(one)),
        _ => None,
    }
}

/// Members of the metadata (RFC 8414 §2).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({"grant_types_supported": [GRANT]})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Exchange, ProtocolError> {
        Exchange::read(&Parameters::parse(text.as_bytes()).unwrap())
    }

    fn client(id: &str, may_act: &[&str]) -> Client {
        let registration = json!({"client_id": id, "grant_types": ["client_credentials"],
            "may_act": may_act});
        Client::from_json(registration).unwrap()
    }

    #[test]
    fn rfc_8693_2_1_types_are_named_and_ours() {
        let good = format!("subject_token=t&subject_token_type={ACCESS_TOKEN}");
        assert!(read(&good).is_ok());
        assert!(read(&format!("{good}&requested_token_type={ACCESS_TOKEN}")).is_ok());
        assert!(read(&format!("{good}&actor_token=a&actor_token_type={ACCESS_TOKEN}")).is_ok());
        let refresh = "urn:ietf:params:oauth:token-type:refresh_token";
        for wrong in [
            String::new(),
            "subject_token=t".to_owned(),
            format!("subject_token_type={ACCESS_TOKEN}"),
            format!("subject_token=t&subject_token_type={refresh}"),
            format!("{good}&requested_token_type={refresh}"),
            format!("{good}&actor_token=a"),
            format!("{good}&actor_token_type={ACCESS_TOKEN}"),
            format!("{good}&actor_token=a&actor_token_type={refresh}"),
        ] {
            assert_eq!(read(&wrong).err().unwrap().code.as_str(), "invalid_request", "{wrong}");
        }
    }

    #[test]
    fn attack_39_who_acts_is_registered_and_named() {
        let (owner, service) = (client("a", &["s"]), client("s", &[]));
        let made = actors(&owner, None, None, &service).unwrap().unwrap();
        assert_eq!(json!(made), json!({"sub": "s"}));
        let claimed = may_act(&owner);
        assert_eq!(claimed, Some(Actor::alone("s")));
        assert!(actors(&owner, claimed.as_ref(), None, &service).is_ok());
        // The token was made when another was meant.
        assert!(actors(&owner, Some(&Actor::alone("x")), None, &service).is_err());
        // The operator has taken it back since.
        assert!(actors(&client("a", &[]), claimed.as_ref(), None, &service).is_err());
        assert!(actors(&client("a", &["other"]), None, None, &service).is_err());
        // Its own token.
        assert_eq!(actors(&owner, claimed.as_ref(), None, &owner), Ok(None));
        assert_eq!(may_act(&client("a", &["s", "t"])), None);
    }

    #[test]
    fn rfc_8693_4_1_actors_nest_and_a_chain_ends() {
        let mut before = None;
        for step in 0..4 {
            let (owner, next) = (format!("c{step}"), format!("c{}", step + 1));
            let made =
                actors(&client(&owner, &[&next]), None, before.as_ref(), &client(&next, &[]));
            before = made.unwrap();
        }
        let chain = json!({"sub": "c4", "act": {"sub": "c3", "act": {"sub": "c2",
            "act": {"sub": "c1"}}}});
        assert_eq!(json!(before), chain);
        let fifth = actors(&client("c4", &["c5"]), None, before.as_ref(), &client("c5", &[]));
        assert!(fifth.is_err());
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text in ".*") {
            if let Ok(body) = Parameters::parse(text.as_bytes()) {
                let _ = Exchange::read(&body);
            }
            let _ = serde_json::from_str::<Actor>(&text);
        }
    }
}
