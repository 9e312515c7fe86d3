use proptest::prelude::*;

use super::*;
use crate::jose::{Signer, generate};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

fn client(more: &Value) -> Client {
    let mut value = json!({"client_id": "a", "scope": "openid profile",
        "backchannel_token_delivery_mode": "poll"});
    for (name, member) in more.as_object().unwrap() {
        value[name] = member.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn checked(query: &str) -> Result<Request, ErrorCode> {
    let parameters = Parameters::parse(query.as_bytes()).unwrap();
    check(&client(&json!({})), &parameters, ISSUER).map_err(|error| error.code)
}

#[test]
fn registration_2_levels_that_a_client_always_wants_hold_over_the_back_channel() {
    let floor = client(&json!({"default_acr_values": ["urn:tongban:proofing:4"]}));
    let wanted = |query: &str| {
        let parameters = Parameters::parse(query.as_bytes()).unwrap();
        check(&floor, &parameters, ISSUER).unwrap().acr
    };
    assert_eq!(wanted("scope=openid&login_hint=x").proofing, 4);
    let named = wanted("scope=openid&login_hint=x&acr_values=urn:tongban:auth:2");
    assert_eq!((named.proofing, named.auth), (0, 2));
}

#[test]
fn ciba_7_1_a_request_has_one_hint_and_a_short_message() {
    let request = checked("scope=openid+other&login_hint=x&binding_message=1234").unwrap();
    assert_eq!((request.scope.text().as_str(), request.life), ("openid", LIFE));
    assert_eq!(request.binding_message.as_deref(), Some("1234"));
    for (query, code) in [
        ("login_hint=x", ErrorCode::InvalidScope),
        ("scope=openid", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint=x&id_token_hint=y", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint_token=y", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint=x&user_code=1", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint=x&requested_expiry=0", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint=x&requested_expiry=soon", ErrorCode::InvalidRequest),
        ("scope=openid&login_hint=x&binding_message=a%0Ab", ErrorCode::InvalidBindingMessage),
        ("scope=openid&login_hint=x&binding_message=%E2%80%AEx", ErrorCode::InvalidBindingMessage),
    ] {
        assert_eq!(checked(query).unwrap_err(), code, "{query}");
    }
    assert_eq!(checked("scope=openid&login_hint=x&requested_expiry=10").unwrap().life, 10);
    assert_eq!(checked("scope=openid&login_hint=x&requested_expiry=9999").unwrap().life, LIFE);
}

#[test]
fn ciba_7_1_a_client_that_is_pinged_says_with_what() {
    let ping = client(&json!({"backchannel_token_delivery_mode": "ping"}));
    for (query, passes) in [
        ("", false),
        ("&client_notification_token=8d67dc78-7faa", true),
        ("&client_notification_token=a%20b", false),
    ] {
        let query = format!("scope=openid&login_hint=x{query}");
        let parameters = Parameters::parse(query.as_bytes()).unwrap();
        assert_eq!(check(&ping, &parameters, ISSUER).is_ok(), passes, "{query}");
    }
}

#[test]
fn fapi_ciba_5_2_2_a_signed_request_is_held_to_every_claim() {
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let client = client(&json!({"policy": "ciba"}));
    let keys = [signer.jwk().clone()];
    let good = json!({"iss": "a", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "nbf": NOW,
        "jti": "1", "scope": "openid", "login_hint": "x", "requested_expiry": 10});
    let open =
        |claims: &Value| open(&client, &signer.sign("JWT", claims).unwrap(), &keys, ISSUER, NOW);
    let signed = open(&good).unwrap();
    assert_eq!((signed.jti.as_str(), signed.parameters.get("login_hint")), ("1", Some("x")));
    assert_eq!(check(&client, &signed.parameters, ISSUER).unwrap().life, 10, "a number");
    for (name, value) in [
        ("iss", Value::Null),
        ("iss", json!("b")),
        ("aud", Value::Null),
        ("aud", json!("https://other.example")),
        ("exp", Value::Null),
        ("exp", json!(NOW - 60)),
        ("exp", json!(NOW + 70 * 60)),
        ("iat", Value::Null),
        ("iat", json!(NOW + 600)),
        ("nbf", Value::Null),
        ("nbf", json!(NOW + 600)),
        ("nbf", json!(NOW - 70 * 60)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("request", json!("x")),
    ] {
        let mut claims = good.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        assert!(open(&claims).is_err(), "{name} {claims}");
    }
    let other = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let foreign = other.sign("JWT", &good).unwrap();
    assert!(super::open(&client, &foreign, &keys, ISSUER, NOW).is_err(), "another's key");
    let rsa = Signer::new(Algorithm::Rs256, &generate(Algorithm::Rs256).unwrap()).unwrap();
    let weak = rsa.sign("JWT", &good).unwrap();
    assert!(super::open(&client, &weak, &[rsa.jwk().clone()], ISSUER, NOW).is_err(), "RS256");
}

proptest! {
    #[test]
    fn outside_text_never_panics(text: String, bytes: Vec<u8>) {
        let plain = client(&json!({}));
        prop_assert!(open(&plain, &text, &[], ISSUER, NOW).is_err());
        if let Ok(parameters) = Parameters::parse(&bytes) {
            let _ = check(&plain, &parameters, ISSUER);
        }
    }
}

#[test]
fn ciba_4_a_client_that_asks_for_user_codes_is_not_registered() {
    let registration = |asks: bool| {
        json!({"client_id": "c", "grant_types": [GRANT], "response_types": [], "sector": "s",
            "scope": "openid", "backchannel_token_delivery_mode": "poll",
            "backchannel_user_code_parameter": asks})
    };
    assert!(Client::from_json(registration(false)).is_ok());
    let faults = Client::from_json(registration(true)).unwrap_err();
    assert!(faults.iter().any(|fault| fault.contains("user codes")), "{faults:?}");
}
