use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::{Signer, generate};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

struct Parts {
    signer: Signer,
    client: Client,
}

fn parts(policy: &str) -> Parts {
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let client = serde_json::from_value(json!({"client_id": "a", "policy": policy,
        "redirect_uris": ["https://a.example/cb"]}))
    .unwrap();
    Parts { signer, client }
}

fn good() -> Value {
    json!({"iss": "a", "aud": ISSUER, "exp": NOW + 300, "nbf": NOW, "client_id": "a",
        "response_type": "code", "scope": "openid", "max_age": 60, "claims": {"userinfo": {}}})
}

fn opened(parts: &Parts, claims: &Value, outside: &str) -> Result<Parameters, ErrorCode> {
    let text = parts.signer.sign(TYP, claims).unwrap();
    let outside = Parameters::parse(outside.as_bytes()).unwrap();
    let keys = [parts.signer.jwk().clone()];
    open(&parts.client, &text, &outside, &keys, ISSUER, NOW).map_err(|error| error.code)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[test]
fn rfc_9101_4_members_become_parameters() {
    let parameters = opened(&parts("openid"), &good(), "client_id=a&state=s").unwrap();
    assert_eq!(parameters.get("max_age"), Some("60"));
    assert_eq!(parameters.get("claims"), Some(r#"{"userinfo":{}}"#));
    assert_eq!(parameters.get("state"), Some("s"), "Core section 6.1: beside it");
    assert_eq!(parameters.get("exp"), None);
    let parameters = opened(&parts("fapi2-message-signing"), &good(), "state=s").unwrap();
    assert_eq!(parameters.get("state"), None, "RFC 9101 section 5: nothing beside it");
}

#[test]
fn core_6_1_the_signed_parameter_wins() {
    let claims = with("redirect_uri", json!("https://a.example/cb"));
    let outside = "redirect_uri=https%3A%2F%2Fevil.example&nonce=n";
    let parameters = opened(&parts("openid"), &claims, outside).unwrap();
    assert_eq!(parameters.get("redirect_uri"), Some("https://a.example/cb"));
    assert_eq!(parameters.get("nonce"), Some("n"));
}

#[test]
fn fapi2_message_signing_5_3_1_harmless_differences_are_accepted() {
    let parts = parts("fapi2-message-signing");
    for claims in [
        with("aud", json!([ISSUER, "https://other.example"])),
        with("nbf", json!(NOW + 8)),
        with("nbf", json!(NOW - 3500)),
        with("exp", json!(NOW + 3600)),
        with("jti", json!("1")),
    ] {
        let claims = if claims["nbf"] == json!(NOW - 3500) {
            let mut claims = claims;
            claims["exp"] = json!(NOW + 90);
            claims
        } else {
            claims
        };
        assert!(opened(&parts, &claims, "client_id=a").is_ok(), "{claims}");
    }
}

#[test]
fn attack_13_an_object_that_is_stale_or_meant_for_others_is_refused() {
    let parts = parts("fapi2-message-signing");
    for (name, value) in [
        ("exp", Value::Null),
        ("exp", json!(NOW - 60)),
        ("exp", json!(NOW + 70 * 60)),
        ("exp", json!("soon")),
        ("nbf", Value::Null),
        ("nbf", json!(NOW - 70 * 60)),
        ("nbf", json!(NOW + 60)),
        ("aud", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!(["https://id.example/oauth2/par"])),
        ("aud", json!({})),
        ("iss", Value::Null),
        ("iss", json!("b")),
        ("client_id", json!("b")),
        ("request", json!("x")),
        ("request_uri", json!("urn:x")),
    ] {
        let told = format!("{name} {value}");
        let error = opened(&parts, &with(name, value), "client_id=a").unwrap_err();
        assert_eq!(error, ErrorCode::InvalidRequestObject, "{told}");
    }
    assert!(opened(&parts, &good(), "state=other").is_ok(), "beside it: not looked at");
    let state = with("state", json!("inside"));
    assert!(opened(&parts, &state, "state=outside").is_err(), "and never against it");
}

#[test]
fn attack_13_even_a_lenient_client_is_held_to_what_its_object_says() {
    let parts = parts("openid");
    for name in ["exp", "nbf", "aud", "iss"] {
        assert!(opened(&parts, &with(name, Value::Null), "client_id=a").is_ok(), "{name}");
    }
    for claims in [
        with("exp", json!(NOW - 60)),
        with("nbf", json!(NOW + 60)),
        with("aud", json!("https://other.example")),
        with("iss", json!("b")),
        with("client_id", json!("b")),
    ] {
        assert!(opened(&parts, &claims, "client_id=a").is_err(), "{claims}");
    }
    assert!(opened(&parts, &good(), "response_type=code+id_token").is_err());
}

#[test]
fn attack_11_the_algorithm_is_the_registered_one() {
    let mut parts = parts("openid");
    parts.client.request_object_signing_alg = Some("PS256".into());
    assert_eq!(opened(&parts, &good(), ""), Err(ErrorCode::InvalidRequestObject));
    parts.client.request_object_signing_alg = Some("ES256".into());
    assert!(opened(&parts, &good(), "").is_ok());
    let other = super::tests::parts("openid");
    let text = other.signer.sign(TYP, &good()).unwrap();
    let (keys, outside) = ([parts.signer.jwk().clone()], Parameters::parse(b"").unwrap());
    assert!(open(&parts.client, &text, &outside, &keys, ISSUER, NOW).is_err(), "another's key");
    let body = text.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{body}.");
    let error = open(&parts.client, &none, &outside, &keys, ISSUER, NOW).unwrap_err();
    assert_eq!(error.code, ErrorCode::RequestNotSupported);
    // RFC 9101 §6.2: where it has to be signed, it is the object that is wrong.
    for policy in ["fapi2", "fapi2-message-signing"] {
        let parts = super::tests::parts(policy);
        let error = open(&parts.client, &none, &outside, &keys, ISSUER, NOW).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{policy}");
    }
    let at = parts.signer.sign("at+jwt", &good()).unwrap();
    assert!(open(&parts.client, &at, &outside, &keys, ISSUER, NOW).is_err(), "another kind");
}

proptest! {
    #[test]
    fn outside_text_never_panics(text: String, name: String, value: String) {
        let parts = parts("openid");
        let outside = Parameters::parse(b"").unwrap();
        prop_assert!(open(&parts.client, &text, &outside, &[], ISSUER, NOW).is_err());
        let _ = opened(&parts, &with(&name, json!(value)), "");
    }
}

#[test]
fn rfc_9101_10_8_a_type_is_a_media_type_whose_case_means_nothing() {
    let parts = parts("fapi2-message-signing");
    let (keys, outside) = ([parts.signer.jwk().clone()], Parameters::parse(b"").unwrap());
    let read = |typ: &str| {
        let text = parts.signer.sign(typ, &good()).unwrap();
        open(&parts.client, &text, &outside, &keys, ISSUER, NOW).map(drop)
    };
    for typ in [TYP, "OAuth-AutHZ-REQ+jwt", "application/oauth-authz-req+JWT", "jwt"] {
        assert!(read(typ).is_ok(), "{typ}");
    }
    assert!(read("at+jwt").is_err());
}
