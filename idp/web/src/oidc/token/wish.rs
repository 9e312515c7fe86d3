//! What a token request wants of its grant, beside a scope: less, never more (RFC 8707 §2.2,
//! RFC 9396 §6).

use idp_protocol::client::Client;
use idp_protocol::parameters::Parameters;
use idp_protocol::{ErrorCode, ProtocolError, details, target};
use idp_store::grant::Detail;
use serde_json::Value;

/// Resources and authorization details; without a wish, all that was granted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wish {
    issuer: String,
    /// Resources that the operator has registered for the client, and types that it may use.
    registered: (Vec<String>, Vec<String>),
    resources: Vec<String>,
    details: Vec<Value>,
}

impl Wish {
    /// Reads a token request.
    ///
    /// # Errors
    /// `invalid_target` or `invalid_authorization_details`.
    pub(crate) fn read(
        client: &Client,
        body: &Parameters,
        issuer: &str,
    ) -> Result<Self, ProtocolError> {
        Ok(Self {
            issuer: issuer.to_owned(),
            registered: (client.resources.clone(), client.authorization_details_types.clone()),
            resources: target::read(client, body, issuer)?,
            details: details::read(client, body.get("authorization_details"), issuer)?,
        })
    }

    /// Leaves of a grant what is wished for. Only the answer is narrow: the grant in the database
    /// stays as it is (RFC 8707 §2.2).
    ///
    /// # Errors
    /// The same, for what was not granted.
    pub(crate) fn narrow(&self, granted: &mut Detail) -> Result<(), ProtocolError> {
        self.still(granted)?;
        if !self.resources.is_empty() {
            let asked = self.resources.clone();
            granted.resources = target::narrow(&granted.resources, asked, &self.issuer)?;
        }
        if !self.details.is_empty() {
            let asked = self.details.clone();
            granted.authorization_details = details::narrow(&granted.authorization_details, asked)?;
        }
        Ok(())
    }

    /// Less what the operator has since taken from the registration.
    fn still(&self, granted: &mut Detail) -> Result<(), ProtocolError> {
        let (resources, types) = &self.registered;
        let named = !granted.resources.is_empty();
        granted.resources.retain(|one| *one == self.issuer || resources.contains(one));
        // No name at all would mean our own API.
        if named && granted.resources.is_empty() {
            let text = "The resource is no longer one of this client's.";
            return Err(ProtocolError::new(ErrorCode::InvalidTarget, text));
        }
        let known = |detail: &Value| types.iter().any(|kind| detail["type"] == **kind);
        granted.authorization_details.retain(known);
        Ok(())
    }

    /// Resources of a client for which no person answers now: all of its own. Details are asked of
    /// a person.
    ///
    /// # Errors
    /// `invalid_authorization_details`.
    pub(super) fn of_client(&self) -> Result<&[String], ProtocolError> {
        if self.details.is_empty() {
            return Ok(&self.resources);
        }
        let text = "The authorization_details are asked of a person, and none is there.";
        Err(ProtocolError::new(ErrorCode::InvalidAuthorizationDetails, text))
    }
}
