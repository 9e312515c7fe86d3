use proptest::prelude::*;

use super::*;
use crate::client::{Policy, SubjectType};

const AT: &str = "https://app.example/oauth/client.json";

fn at() -> Address {
    Address::parse(AT).unwrap()
}

fn document(more: Value) -> Vec<u8> {
    let mut value = json!({"client_id": AT, "redirect_uris": ["https://cb.example/cb"]});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value.to_string().into_bytes()
}

fn told(more: Value) -> String {
    read(&at(), &document(more), None).unwrap_err().description
}

#[test]
fn cimd_3_an_address_is_one_in_one_form_only() {
    for (text, host) in [
        (AT, "app.example"),
        ("https://app.example/", "app.example"),
        ("https://app.example:8443/c", "app.example:8443"),
        ("https://xn--fiqs8s.example/c", "xn--fiqs8s.example"),
        ("https://app.example/a/.well-known/c", "app.example"),
    ] {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.as_str(), address.host()), (text, host));
    }
    let long = format!("https://app.example/{}", "x".repeat(181));
    for (text, fault) in [
        ("http://app.example/c", Fault::Scheme),
        ("HTTPS://app.example/c", Fault::Scheme),
        ("https:/app.example/c", Fault::Scheme),
        ("https:///c", Fault::NotPlain),
        ("client", Fault::Scheme),
        ("https://app.example", Fault::NoPath),
        ("https://app.example/c#", Fault::Fragment),
        ("https://app.example/c#x", Fault::Fragment),
        ("https://app.example/c?", Fault::Query),
        ("https://app.example/c?v=1", Fault::Query),
        ("https://good.example@app.example/c", Fault::UserInfo),
        ("https://:p@app.example/c", Fault::UserInfo),
        ("https://app.example/a/../c", Fault::NotPlain),
        ("https://app.example/./c", Fault::NotPlain),
        ("https://app.example/a/%2e%2E/c", Fault::NotPlain),
        ("https://APP.example/c", Fault::NotPlain),
        ("https://app.example:443/c", Fault::NotPlain),
        ("https://中国.example/c", Fault::NotPlain),
        ("https://app.example/中", Fault::NotPlain),
        ("https://app.example/<b>", Fault::NotPlain),
        ("https://app.example/a'b", Fault::NotPlain),
        ("https://app.example\\@good.example/c", Fault::UserInfo),
        ("https://0x7f.1/c", Fault::NotPlain),
        (long.as_str(), Fault::TooLong),
    ] {
        assert_eq!(Address::parse(text), Err(fault), "{text}");
    }
    assert!(Address::parse(&long[..200]).is_ok());
}

#[test]
fn cimd_4_the_document_names_its_own_address() {
    let client = read(&at(), &document(json!({"client_name": "App"})), None).unwrap();
    assert_eq!((client.client_id.as_str(), client.published), (AT, true));
    assert!(client.is_public());
    for id in [
        json!("https://app.example/oauth/client.json/"),
        json!("https://APP.example/oauth/client.json"),
        json!("https://app.example:443/oauth/client.json"),
        json!("https://app.example/oauth/./client.json"),
        json!(""),
        json!(null),
        json!([AT]),
    ] {
        assert!(told(json!({"client_id": id})).contains("client_id"), "{id}");
    }
    for body in ["[]", "<html>", "", "{", "\"x\""] {
        assert!(read(&at(), body.as_bytes(), None).is_err(), "{body}");
    }
}

#[test]
fn cimd_4_there_is_no_secret_in_a_document() {
    for secret in [
        json!({"client_secret": "s"}),
        json!({"client_secret": null}),
        json!({"client_secret_expires_at": 0}),
    ] {
        assert!(told(secret).contains("client_secret"));
    }
    for method in [
        json!("client_secret_basic"),
        json!("client_secret_post"),
        json!("client_secret_jwt"),
        json!("x"),
        json!(1),
    ] {
        let told = told(json!({"token_endpoint_auth_method": method}));
        assert!(told.contains("token_endpoint_auth_method"), "{told}");
    }
    let keys = json!({"token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://app.example/keys"});
    let client = read(&at(), &document(keys), None).unwrap();
    assert_eq!(client.token_endpoint_auth_method, AuthMethod::PrivateKeyJwt);
    // Without a key nobody could tell it from others.
    assert!(told(json!({"token_endpoint_auth_method": "private_key_jwt"})).contains("jwks"));
}

#[test]
fn attack_38_a_document_gives_its_client_nothing_of_the_operators() {
    let wish = json!({"legal_basis": "x", "sector": "bank.example",
        "sector_identifier": "bank.example", "sector_identifier_uri": "https://bank.example/s",
        "resources": ["https://r.example"], "may_act": ["other"], "published": false,
        "scope": "openid profile identity cases"});
    let client = read(&at(), &document(wish), None).unwrap();
    assert_eq!(client.legal_basis, None);
    assert_eq!(client.sector().as_deref(), Some(at().as_str()));
    assert_eq!(client.sector_identifier_uri, None);
    assert!(client.resources.is_empty() && client.may_act.is_empty() && client.published);
    assert_eq!(client.scope, "openid profile");
    for wish in [
        json!({"scope": "openid staff"}),
        json!({"grant_types": ["authorization_code", crate::exchange::GRANT]}),
        json!({"grant_types": ["authorization_code", crate::assertion::GRANT]}),
        json!({"grant_types": [crate::ciba::GRANT], "backchannel_token_delivery_mode": "poll"}),
        json!({"grant_types": ["authorization_code", "client_credentials"]}),
    ] {
        assert!(read(&at(), &document(wish.clone()), None).is_err(), "{wish}");
    }
    // What the operator has given since stays, and a stricter policy too.
    let mut before = client;
    before.scope = "openid cases".to_owned();
    before.legal_basis = Some("operator".to_owned());
    let wider = document(json!({"scope": "openid cases identity"}));
    let after = read(&at(), &wider, Some(&before)).unwrap();
    assert_eq!((after.scope.as_str(), after.policy), ("openid cases", Policy::Openid));
    assert_eq!(after.legal_basis.as_deref(), Some("operator"));
    // Nobody would be known again.
    assert_eq!(after.subject_type, SubjectType::Pairwise);
    assert!(read(&at(), &document(json!({"subject_type": "public"})), Some(&before)).is_err());
    // Another address to answer to is no other sector.
    let moved = document(json!({"redirect_uris": ["https://other.example/cb"]}));
    assert!(read(&at(), &moved, Some(&before)).is_ok());
    // Nor is it one where the operator's file forgot which it is.
    before.sector = None;
    let after = read(&at(), &moved, Some(&before)).unwrap();
    assert_eq!(after.sector().as_deref(), Some(at().as_str()));
    // Who was read when it was the host keeps its subjects, and nobody gets another's.
    for (had, has) in [("app.example", "app.example"), ("bank.example", at().as_str())] {
        before.sector = Some(had.to_owned());
        let after = read(&at(), &moved, Some(&before)).unwrap();
        assert_eq!(after.sector().as_deref(), Some(has));
    }
}

#[test]
fn cimd_4_only_json_is_read() {
    for kind in ["application/json", "application/client-metadata+json"] {
        assert!(is_json(Some(kind)), "{kind}");
    }
    for kind in ["text/html", "text/json", "application/jsonp", "json", "image/svg+xml", ""] {
        assert!(!is_json(Some(kind)), "{kind}");
    }
    assert!(!is_json(None));
}

proptest! {
    #[test]
    fn cimd_3_what_passes_is_called_as_it_is_written(tail in "[a-zA-Z0-9./:@?#%\\\\~;-]{0,40}") {
        let text = format!("https://{tail}");
        if let Ok(address) = Address::parse(&text) {
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(url.as_str(), address.as_str());
            prop_assert_eq!(url.scheme(), "https");
            prop_assert!(url.username().is_empty() && url.password().is_none());
            prop_assert!(url.query().is_none() && url.fragment().is_none());
            let host = url.host_str().unwrap();
            prop_assert!(address.host().starts_with(host));
            prop_assert!(url.path_segments().unwrap().all(|part| part != "." && part != ".."));
        }
    }
}
