//! Parameters of requests, and registrations.

use std::sync::OnceLock;

use idp_protocol::authorize::{self, Arrival, Refusal};
use idp_protocol::claims::ClaimsRequest;
use idp_protocol::client::Client;
use idp_protocol::client::registration::{self, Standing};
use idp_protocol::hint::Hint;
use idp_protocol::parameters::Parameters;
use idp_protocol::scope::Scope;
use idp_protocol::token::{Grant, Presented};
use idp_protocol::{details, end_session, redirect_uri, target};
use idp_web::{Scheme, presented};
use serde_json::{Value, json};

use crate::{ISSUER, text};

const BACK: &str = "https://a.example/cb";

fn clients() -> &'static [Client] {
    static CLIENTS: OnceLock<Vec<Client>> = OnceLock::new();
    CLIENTS.get_or_init(|| {
        let usual = json!({"client_id": "a", "redirect_uris": [BACK],
            "scope": "openid profile cases", "resources": ["https://api.example"],
            "authorization_details_types": ["urn:tongban:case-access"]});
        let mut front = usual.clone();
        front["grant_types"] = json!(["authorization_code", "implicit"]);
        front["response_types"] = json!(["code", "id_token token"]);
        let mut public = usual.clone();
        public["token_endpoint_auth_method"] = json!("none");
        public["redirect_uris"] = json!([BACK, "http://127.0.0.1/cb"]);
        let made = |value| Client::from_json(value).expect("a registration");
        vec![made(usual), made(front), made(public)]
    })
}

/// A query or a form: what is read is written and read again as the same.
pub(crate) fn parameters(bytes: &[u8]) {
    if let Some(read) = Parameters::answerable(bytes) {
        assert!(read.get("client_id").is_some() && read.get("redirect_uri").is_some());
        let mut names: Vec<&str> = read.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), read.iter().count(), "each once");
    }
    let Ok(read) = Parameters::parse(bytes) else { return };
    assert!(read.iter().count() <= 64);
    let again = Parameters::parse(read.encode().as_bytes());
    // Written out, a value can be longer than a request may be.
    if let Ok(again) = again {
        assert_eq!(again, read);
    }
}

/// An authorization request: nothing leads to an address that is not registered.
pub(crate) fn authorize(bytes: &[u8]) {
    let Ok(parameters) = Parameters::parse(bytes) else { return };
    for client in clients() {
        for (pushed, front) in [(false, false), (true, false), (false, true)] {
            let arrival = Arrival { pushed, signed: false, front, issuer: ISSUER };
            let to = match authorize::check(client, &parameters, arrival) {
                Ok(request) => {
                    let granted = Scope::parse(&request.scope.text()).expect("a scope");
                    assert!(granted.within(&client.scopes()), "wider than the registration");
                    request.redirect_uri
                }
                Err(Refusal::Redirect { redirect_uri, .. }) => redirect_uri,
                Err(Refusal::Page(_)) => continue,
            };
            assert!(client.redirect_uris.contains(&to), "leads to {to}");
        }
    }
}

/// A token request: the first line is the `Authorization` header, the rest the form.
pub(crate) fn token(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (header, form) = bytes.split_at(end);
    let form = form.strip_prefix(b"\n").unwrap_or_default();
    let Ok(body) = Parameters::parse(form) else { return };
    if let Ok(presented) = Presented::read(text(header).filter(|text| !text.is_empty()), &body) {
        let named = body.get("client_id");
        assert!(named.is_none_or(|named| named == presented.client_id()), "two clients in one");
    }
    if let Ok(grant) = Grant::read(&body) {
        assert_eq!(body.get("grant_type"), Some(grant.name()));
    }
    for client in clients() {
        if let Ok(resources) = target::read(client, &body, ISSUER) {
            let known = |one: &String| one == ISSUER || client.resources.contains(one);
            assert!(resources.iter().all(known), "a resource of nobody's");
        }
    }
}

/// The `claims` parameter: what is left under a scope is never more than without one.
pub(crate) fn claims(bytes: &[u8]) {
    let Ok(read) = ClaimsRequest::parse(text(bytes)) else { return };
    let none = read.clone().only(&Scope::parse("openid").expect("a scope"));
    let whole = read.clone().only(&Scope::parse("openid profile").expect("a scope"));
    let printed = serde_json::to_value(&read).expect("printable");
    let again: ClaimsRequest = serde_json::from_value(printed).expect("readable");
    assert_eq!(again, read);
    for name in idp_protocol::claims::for_id_token(&none) {
        assert!(idp_protocol::claims::for_id_token(&whole).contains(&name), "{name}");
    }
}

/// Authorization details: what is taken is taken again, and narrows to itself.
pub(crate) fn details(bytes: &[u8]) {
    for client in clients() {
        let Ok(read) = details::read(client, text(bytes), ISSUER) else { continue };
        let printed = json!(read).to_string();
        if !read.is_empty() {
            assert_eq!(details::read(client, Some(&printed), ISSUER).as_ref(), Ok(&read));
        }
        assert_eq!(details::narrow(&read, read.clone()).as_ref(), Ok(&read));
        let _ = details::reach(&read);
    }
}

/// A redirect URI: what can be registered is met by itself, and by nothing else.
pub(crate) fn redirect_uri(bytes: &[u8]) {
    let Some(uri) = text(bytes) else { return };
    if redirect_uri::registrable(uri).is_err() {
        return;
    }
    assert!(uri.len() <= 2048 && !uri.contains(['#', '\\', '*', ' ', '\n', '\r']));
    let parsed = url::Url::parse(uri).expect("absolute");
    assert!(parsed.username().is_empty() && parsed.password().is_none(), "userinfo");
    let registered = [uri.to_owned()];
    assert!(redirect_uri::matches(&registered, uri));
    for other in [format!("{uri}x"), format!("{uri}/"), uri.to_uppercase() + "x"] {
        assert!(!redirect_uri::matches(&registered, &other));
    }
}

/// A registration: what is taken has no fault and nothing of the operator's, openly or not.
pub(crate) fn registration(bytes: &[u8]) {
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else { return };
    for vouched in [false, true] {
        let standing = Standing { vouched, before: None };
        let client = match registration::read(&sent, standing) {
            Ok(client) => client,
            Err(refusal) => {
                let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
                assert!(refusal.description.bytes().all(plain), "RFC 6749 section 5.2");
                continue;
            }
        };
        assert_eq!(client.faults(), Vec::<String>::new());
        assert!(client.legal_basis.is_none() && client.resources.is_empty());
        assert!(client.may_act.is_empty() && client.client_id.is_empty());
        assert!(!client.scopes().has("staff"), "officers");
        if !vouched {
            let scopes = client.scopes();
            assert!(!scopes.has("identity") && !scopes.has("cases"), "the verified document");
        }
        // Sent back as it is shown, it stays as it is.
        let again = registration::read(&registration::shown(&client), standing);
        assert_eq!(again.as_ref(), Ok(&client));
    }
}

/// An `Authorization` header with a token: the token is what stands there, under the scheme that
/// stands there.
pub(crate) fn authorization(bytes: &[u8]) {
    let Some(header) = text(bytes) else { return };
    let Some((scheme, token)) = presented(header) else { return };
    assert_eq!(token, token.trim());
    let name = match scheme {
        Scheme::Bearer => "Bearer",
        Scheme::Dpop => "DPoP",
    };
    let (written, rest) = header.split_once(' ').expect("a scheme and a token");
    assert!(written.eq_ignore_ascii_case(name) && rest.trim() == token, "another's");
    for spelt in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
        let again = format!("{spelt} {token}");
        assert_eq!(presented(&again), Some((scheme, token)), "RFC 9110 section 11.1");
    }
}

/// Where a client's registration lets a logout lead.
const BYES: [&str; 2] = ["https://a.example/bye", "https://a.example/bye?from=us"];

fn leaving() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let registration = json!({"client_id": "a", "redirect_uris": [BACK],
            "post_logout_redirect_uris": BYES});
        Client::from_json(registration).expect("a registration")
    })
}

/// Parameters of a logout: nothing leads to an address that is not registered, nothing leads away
/// without a hint, and the hint is the client's that is named.
pub(crate) fn logout(bytes: &[u8]) {
    let Ok(parameters) = Parameters::parse(bytes) else { return };
    let hint = |id: &str| Hint { subject: "p".to_owned(), client_id: id.to_owned(), sid: None };
    for hint in [None, Some(hint("a")), Some(hint("b"))] {
        let hint = hint.as_ref();
        let named = parameters.get("client_id");
        let Ok(id) = end_session::client_id(&parameters, hint) else {
            assert!(hint.is_some_and(|hint| named != Some(&hint.client_id)), "refused its own");
            continue;
        };
        let hinted = hint.map(|hint| hint.client_id.as_str());
        assert!(hinted.is_none() || named.is_none() || hinted == named, "two clients");
        assert_eq!(id, hinted.or(named));
        let client = id.filter(|id| *id == "a").map(|_| leaving());
        let Ok(Some(to)) = end_session::back(&parameters, hint, client) else { continue };
        assert_eq!(hinted, Some("a"), "nobody vouches for it");
        let wanted = parameters.get("post_logout_redirect_uri").expect("somewhere");
        assert!(BYES.contains(&wanted), "leads to {wanted}");
        let tail = to.strip_prefix(wanted).expect("the address as it was registered");
        let state = parameters.get("state");
        assert_eq!(tail.is_empty(), state.is_none());
        let mut added = url::form_urlencoded::parse(tail.trim_start_matches(['?', '&']).as_bytes());
        assert_eq!(added.next(), state.map(|state| ("state".into(), state.into())));
        assert_eq!(added.next(), None, "more than the state");
        let url = url::Url::parse(&to).expect("an address");
        assert_eq!((url.host_str(), url.fragment()), (Some("a.example"), None));
    }
}
