//! Documents that clients publish, and addresses that they name: nobody vouches for anything in
//! them.

use std::net::IpAddr;
use std::sync::OnceLock;

use idp_domain::network::{Block, is_special};
use idp_domain::outgoing::callable;
use idp_protocol::client::document::{self, Address};
use idp_protocol::client::{AuthMethod, Client, published};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use idp_protocol::jwe::{self, Content, Management};
use idp_protocol::{assertion, ciba, exchange};
use serde_json::{Value, json};

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
    assert_eq!(client.sector().as_deref(), Some(address.as_str()), "another's pseudonyms");
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

/// Tokens of somebody whose keys are in no set.
fn strangers() -> &'static [String] {
    static TOKENS: OnceLock<Vec<String>> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let made = |algorithm: Algorithm| {
            let private = generate(algorithm).expect("a key");
            let signer = Signer::new(algorithm, &private).expect("a signer");
            signer.sign("JWT", &json!({"iss": "a"})).expect("a token")
        };
        Algorithm::ALL.into_iter().map(made).collect()
    })
}

/// A client's key set: public, of bounded length, believed of nobody else, and good for what it
/// says that it is good for.
pub(crate) fn published_keys(bytes: &[u8]) {
    let Some(keys) = published::keys(bytes) else { return };
    assert!(keys.len() <= 32);
    for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(keys.iter().all(|key| key.get(secret).is_none()), "everybody has seen {secret}");
    }
    let again = json!({ "keys": keys }).to_string();
    assert_eq!(published::keys(again.as_bytes()).as_ref(), Some(&keys));
    for token in strangers() {
        let token = Unverified::parse(token).expect("a token");
        assert!(token.verify(&keys, &Algorithm::ALL, None).is_err(), "forged");
    }
    for (key, management) in keys.iter().flat_map(|key| Management::ALL.map(|way| (key, way))) {
        if jwe::fits(key, management) {
            let sealed = jwe::encrypt(b"secret", key, management, Content::A256Gcm, None);
            assert!(jwe::is_encrypted(&sealed.expect("it fits")));
        }
    }
}

/// A sector's document: who is not named in it cannot join.
pub(crate) fn sector(bytes: &[u8]) {
    let uris = ["https://a.example/cb", "https://b.example/cb"].map(str::to_owned);
    let joined = |uris: &[String]| published::sector_names(bytes, uris);
    let said: Vec<String> = serde_json::from_slice(bytes).unwrap_or_default();
    for uri in &uris {
        assert_eq!(joined(std::slice::from_ref(uri)), said.contains(uri), "{uri}");
    }
    assert_eq!(joined(&uris), uris.iter().all(|uri| said.contains(uri)), "together, but not each");
    assert!(!joined(&[]), "whoever has nothing to name joins anybody");
}

/// An address that we are asked to call: over TLS, to nothing that is closed, and nobody's name in
/// it (attacks row 17).
pub(crate) fn address(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let opened: [Block; 1] = ["10.1.0.0/16".parse().expect("a block")];
    for allow in [&[][..], &opened] {
        let Ok(url) = callable(text, allow) else { continue };
        assert!(text.len() <= 2048 && url.username().is_empty() && url.password().is_none());
        let host = url.host_str().expect("a host");
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let closed = |one: IpAddr| is_special(one) && !allow.iter().any(|block| block.has(one));
        assert!(!address.is_some_and(closed), "a closed network");
        let local = host == "localhost" && !allow.is_empty();
        assert!(url.scheme() == "https" || local && url.scheme() == "http", "in the open");
        // Written out and read again, it is called the same.
        assert_eq!(
            callable(url.as_str(), allow).as_ref().ok(),
            Some(&url).filter(|url| url.as_str().len() <= 2048)
        );
    }
}
