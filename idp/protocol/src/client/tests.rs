use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::Algorithm;

#[test]
fn defaults_are_those_of_registration_2() {
    let client = Client::from_json(json!({"client_id": "a",
        "redirect_uris": ["https://a.example/cb"], "extra": 1}))
    .unwrap();
    assert_eq!(client.token_endpoint_auth_method, AuthMethod::ClientSecretBasic);
    assert_eq!(client.id_token_signed_response_alg, "RS256");
    assert_eq!(client.sector().as_deref(), Some("a.example"));
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = Client::from_json(json!({"redirect_uris": ["http://a.example/cb"],
        "grant_types": ["authorization_code", "password"], "response_types": ["token"],
        "token_endpoint_auth_method": "private_key_jwt"}))
    .unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:?}");
}

#[test]
fn registration_2_a_response_type_has_its_grant() {
    let faults = |grants: &[&str], types: &[&str]| {
        let sent = json!({"redirect_uris": ["https://a.example/cb"], "grant_types": grants,
            "response_types": types});
        Client::from_json(sent).err().unwrap_or_default().len()
    };
    assert_eq!(faults(&["implicit"], &["code"]), 1, "it could never sign anybody in");
    assert_eq!(faults(&["implicit"], &["id_token"]), 0);
    assert_eq!(faults(&["implicit"], &["code id_token"]), 1);
    assert_eq!(faults(&["authorization_code"], &["code id_token"]), 1);
    assert_eq!(faults(&["authorization_code", "implicit"], &["code", "code id_token"]), 0);
    // What is not said is `code`, of who uses no browser, too (RFC 7591 §2).
    assert_eq!(faults(&["client_credentials"], &["code"]), 0);
}

#[test]
fn fapi_ciba_5_2_2_whoever_must_sign_has_registered_with_what() {
    let faults = |more: serde_json::Value| {
        let mut sent = json!({"policy": "ciba", "grant_types": [crate::ciba::GRANT],
            "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example",
            "backchannel_token_delivery_mode": "poll"});
        sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Client::from_json(sent).err().unwrap_or_default()
    };
    assert_eq!(faults(json!({})), ["Signed requests need `jwks` or `jwks_uri`."]);
    assert!(faults(json!({"jwks_uri": "https://a.example/jwks.json"})).is_empty());
}

#[test]
fn core_8_1_two_hosts_without_a_registered_sector_share_it_with_nobody() {
    let uris = json!(["https://a.example/cb", "https://b.example/cb"]);
    let sector = |more: serde_json::Value| {
        let mut sent = json!({"client_id": "c1", "redirect_uris": uris});
        sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Client::from_json(sent).unwrap().sector()
    };
    assert_eq!(sector(json!({})).as_deref(), Some("client:c1"));
    assert_eq!(sector(json!({"sector": "ab"})).as_deref(), Some("ab"));
}

#[test]
fn rfc_7591_2_a_registration_without_a_scope_gets_the_default() {
    let client = Client::from_json(json!({"redirect_uris": ["https://a.example/cb"]})).unwrap();
    assert!(client.scopes().has("openid") && client.scopes().has("offline_access"));
    for scope in ["identity", "cases", "staff"] {
        assert!(!client.scopes().has(scope), "{scope}");
    }
    let machine = Client::from_json(json!({"grant_types": ["client_credentials"]})).unwrap();
    assert!(machine.scopes().is_empty());
    let none = json!({"redirect_uris": ["https://a.example/cb"], "scope": ""});
    assert!(Client::from_json(none).unwrap().scopes().is_empty());
}

#[test]
fn core_8_1_the_sector_is_registered_or_a_host() {
    let uris = json!(["https://a.example/cb"]);
    for (member, value) in [
        ("sector", "s.example"),
        ("sector_identifier", "s.example"),
        ("sector_identifier_uri", "https://s.example/uris.json"),
    ] {
        let client = Client::from_json(json!({"redirect_uris": uris, member: value})).unwrap();
        assert_eq!(client.sector().as_deref(), Some("s.example"), "{member}");
    }
}

#[test]
fn attack_37_addresses_that_become_links_are_https_and_names_are_text() {
    for (member, value) in [
        ("logo_uri", "javascript:alert(1)"),
        ("policy_uri", "http://a.example/"),
        ("tos_uri", "https://u@a.example/"),
        ("initiate_login_uri", "http://localhost/start"),
        ("client_name", "a\u{202e}b"),
        ("client_name#en", "a\nb"),
        ("client_id", "a b"),
        ("client_id", "<b>"),
    ] {
        let registration = json!({"redirect_uris": ["https://a.example/cb"], member: value});
        assert!(Client::from_json(registration).is_err(), "{member} {value}");
    }
}

#[test]
fn attack_11_a_key_set_that_is_not_public_or_not_usable_is_refused() {
    let key = |algorithm| {
        let pkcs8 = crate::jose::generate(algorithm).unwrap();
        crate::jose::Signer::new(algorithm, &pkcs8).unwrap().jwk().clone()
    };
    let (ec, ed, rsa) = (key(Algorithm::Es256), key(Algorithm::EdDsa), key(Algorithm::Rs256));
    let mut private = ec.clone();
    private["d"] = json!("AA");
    let mut off_curve = ec.clone();
    off_curve["y"] = off_curve["x"].clone();
    let client = |keys: Value| {
        Client::from_json(json!({"redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks": keys}))
    };
    for good in [&ec, &ed, &rsa] {
        assert!(client(json!({"keys": [good]})).is_ok(), "{good}");
    }
    assert!(client(json!({"keys": [ec, rsa, {"kty": "EC", "crv": "P-521"}]})).is_ok());
    for bad in [
        json!([]),
        json!({"keys": []}),
        json!({"keys": [1]}),
        json!({"keys": [private]}),
        json!({"keys": [off_curve]}),
        json!({"keys": [ec, ec]}),
        json!({"keys": [{"kty": "oct", "k": "AA"}]}),
        json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}),
        json!({"keys": vec![json!({"kty": "EC"}); 17]}),
    ] {
        assert!(client(bad.clone()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(
        name in "[a-z\u{4e00}-\u{4e10} ]{0,20}",
        scope in "[a-z]{1,6}( [a-z]{1,6}){0,3}",
        path in "[a-z]{0,8}",
        auth in prop_oneof!["client_secret_basic", "client_secret_post", "none"],
        age in proptest::option::of(0_i64..100_000),
    ) {
        let client = Client::from_json(json!({"client_id": "a", "client_name": name, "scope": scope,
            "redirect_uris": [format!("https://a.example/{path}")], "default_max_age": age,
            "token_endpoint_auth_method": auth})).unwrap();
        let text = serde_json::to_string(&client).unwrap();
        prop_assert_eq!(Client::from_json(serde_json::from_str(&text).unwrap()).unwrap(), client);
    }

    #[test]
    fn outside_text_never_panics(text: String, member in "[a-z_#]{1,20}") {
        let _ = Client::from_json(json!({"redirect_uris": [text], "client_name": text, member: text}));
    }
}

#[test]
fn attack_34_only_a_house_with_a_legal_basis_learns_who_an_officer_is() {
    let mut registration =
        json!({"redirect_uris": ["https://a.example/cb"], "scope": "openid staff"});
    assert!(Client::from_json(registration.clone()).is_err());
    registration["legal_basis"] = json!("operator");
    assert!(Client::from_json(registration).is_ok());
}

#[test]
fn fapi2_5_3_2_1_nobody_speaks_for_absent_people_under_that_policy() {
    let key = json!({"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let registration = |policy: &str| {
        json!({"redirect_uris": ["https://a.example/cb"], "policy": policy,
            "grant_types": ["authorization_code", crate::assertion::GRANT],
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}})
    };
    assert!(Client::from_json(registration("openid")).is_ok());
    for policy in ["fapi2", "fapi2-message-signing", "ciba"] {
        let faults = Client::from_json(registration(policy)).unwrap_err();
        assert_eq!(faults, ["The policy does not know the grant `jwt-bearer`."], "{policy}");
    }
}

#[test]
fn rfc_8693_5_a_client_without_credentials_exchanges_nothing() {
    let registration = |method: &str| {
        json!({"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", crate::exchange::GRANT]})
    };
    assert!(Client::from_json(registration("client_secret_basic")).is_ok());
    let faults = Client::from_json(registration("none")).unwrap_err();
    assert!(faults.iter().any(|fault| fault.contains("exchange")), "{faults:?}");
}
