use proptest::prelude::*;

use super::*;

fn signer(algorithm: Algorithm) -> Signer {
    Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap()
}

fn check(
    token: &str,
    key: &Value,
    allowed: Algorithm,
    typ: Option<&str>,
) -> Result<Value, JoseError> {
    Unverified::parse(token)?.verify(std::slice::from_ref(key), &[allowed], typ)
}

#[test]
fn rfc_7515_what_is_signed_verifies_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let signer = signer(algorithm);
        let token = signer.sign("JWT", &json!({"sub": "x"})).unwrap();
        assert_eq!(check(&token, signer.jwk(), algorithm, None).unwrap()["sub"], "x");
        assert!(signer.jwk().get("d").is_none(), "no private member is published");
    }
}

#[test]
fn attack_11_none_and_confused_algorithms_are_refused() {
    let signer = signer(Algorithm::Es256);
    let token = signer.sign("JWT", &json!({"sub": "x"})).unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (_, body) = signed.split_once('.').unwrap();
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#, "{}"] {
        let forged = format!("{}.{body}.", encode(header));
        let refused = check(&forged, signer.jwk(), Algorithm::Es256, None);
        assert_eq!(refused, Err(JoseError::Algorithm), "{header}");
    }
    let stripped = format!("{signed}.");
    assert_eq!(check(&stripped, signer.jwk(), Algorithm::Es256, None), Err(JoseError::Signature));
}

#[test]
fn attack_11_a_key_inside_the_token_is_not_trusted() {
    let (ours, theirs) = (signer(Algorithm::Es256), signer(Algorithm::Es256));
    let header = json!({"alg": "ES256", "jwk": theirs.jwk(), "jku": "https://evil.example/"});
    let signed = format!("{}.{}", encode(header.to_string()), encode(r#"{"sub":"x"}"#));
    let forged = format!("{signed}.{}", encode(theirs.raw(signed.as_bytes()).unwrap()));
    assert_eq!(check(&forged, ours.jwk(), Algorithm::Es256, None), Err(JoseError::Signature));
    assert!(check(&forged, theirs.jwk(), Algorithm::Es256, None).is_ok(), "the forgery is sound");
}

#[test]
fn attack_11_a_token_of_one_kind_is_not_taken_for_another() {
    let signer = signer(Algorithm::Es256);
    let access = signer.sign("at+jwt", &json!({})).unwrap();
    let id = signer.sign("JWT", &json!({})).unwrap();
    assert_eq!(check(&access, signer.jwk(), Algorithm::Es256, None), Err(JoseError::Type));
    assert_eq!(check(&id, signer.jwk(), Algorithm::Es256, Some("at+jwt")), Err(JoseError::Type));
    assert!(check(&access, signer.jwk(), Algorithm::Es256, Some("at+jwt")).is_ok());
}

#[test]
fn rfc_7515_4_1_11_critical_extensions_are_refused() {
    let token = format!("{}.{}.AA", encode(r#"{"alg":"ES256","crit":["b64"]}"#), encode("{}"));
    assert_eq!(Unverified::parse(&token).err(), Some(JoseError::Critical));
}

#[test]
fn keys_have_distinct_names() {
    assert_ne!(signer(Algorithm::Es256).kid(), signer(Algorithm::Es256).kid());
    let key = generate(Algorithm::Rs256).unwrap();
    let (rs, ps) = (
        Signer::new(Algorithm::Rs256, &key).unwrap(),
        Signer::new(Algorithm::Ps256, &key).unwrap(),
    );
    assert_ne!(rs.kid(), ps.kid());
    assert!(Signer::new(Algorithm::Es256, &key).is_err());
}

proptest! {
    #[test]
    fn outside_text_never_panics(text in "[A-Za-z0-9_.{}\":-]{0,200}") {
        if let Ok(token) = Unverified::parse(&text) {
            let _ = token.verify(&[json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": ""})], &Algorithm::ALL, None);
        }
    }
}
