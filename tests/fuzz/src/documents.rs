//! Documents at which clients describe themselves: nobody vouches for anything in them.

use idp_protocol::client::document::{self, Address};
use idp_protocol::client::{AuthMethod, Client};
use idp_protocol::{assertion, ciba, exchange};
use serde_json::Value;

use crate::text;

/// Scopes of whoever nobody vouches for.
const USUAL: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

/// An address on the first line, and what stands there.
pub(crate) fn client_document(bytes: &[u8]) {
    let Some((address, body)) = text(bytes).and_then(|text| text.split_once('\n')) else { return };
    let Ok(address) = Address::parse(address) else { return };
    let url = url::Url::parse(address.as_str()).expect("an address");
    assert_eq!(url.as_str(), address.as_str(), "called otherwise than compared");
    assert!(url.scheme() == "https" && url.query().is_none() && url.fragment().is_none());
    assert!(address.host().starts_with(url.host_str().expect("a host")), "shown otherwise");
    let Ok(client) = document::read(&address, body.as_bytes(), None) else { return };
    let said: Value = serde_json::from_str(body).expect("what was read is JSON");
    assert_eq!(said["client_id"], address.as_str());
    assert_eq!((client.client_id.as_str(), client.published), (address.as_str(), true));
    assert!(said.get("client_secret").is_none());
    let secrets = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
    assert!(!secrets.contains(&client.token_endpoint_auth_method));
    assert_eq!(client.sector().as_deref(), Some(address.host()), "another's pseudonyms");
    assert!(client.legal_basis.is_none() && client.resources.is_empty());
    assert!(client.may_act.is_empty());
    for grant in [exchange::GRANT, assertion::GRANT, ciba::GRANT] {
        assert!(!client.may(grant), "{grant}");
    }
    assert!(client.scopes().words().all(|word| USUAL.contains(&word)), "wider than the usual");
    let kept = serde_json::to_value(&client).expect("JSON");
    let again = Client::from_json(kept).expect("what is kept is read again");
    assert_eq!(Client { published: true, ..again }, client);
    // The next time it says the same, it is the same.
    assert_eq!(document::read(&address, body.as_bytes(), Some(&client)).as_ref(), Ok(&client));
}
