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

#[test]
fn attack_11_typ_is_compared_whole_and_the_prefix_changes_nothing() {
    let signer = signer(Algorithm::EdDsa);
    for (typ, expected, passes) in [
        ("JWT", None, true),
        ("jwt", None, true),
        ("application/jwt", None, true),
        ("application/at+jwt", None, false),
        ("application/at+jwt", Some("at+jwt"), true),
        ("dpop+jwt", None, false),
        ("logout+jwt", None, false),
        ("at+jwtx", Some("at+jwt"), false),
        ("", Some("at+jwt"), false),
    ] {
        let token = signer.sign(typ, &json!({})).unwrap();
        let outcome = check(&token, signer.jwk(), Algorithm::EdDsa, expected);
        assert_eq!(outcome.is_ok(), passes, "{typ} {expected:?}");
    }
    for typ in [json!(1), json!(null), json!(["JWT"])] {
        let header = json!({"alg": "EdDSA", "typ": typ});
        let signed = format!("{}.{}", encode(header.to_string()), encode("{}"));
        let token = format!("{signed}.{}", encode(signer.raw(signed.as_bytes()).unwrap()));
        assert_eq!(check(&token, signer.jwk(), Algorithm::EdDsa, None), Err(JoseError::Type));
    }
}

#[test]
fn attack_11_a_public_key_is_no_secret_of_a_mac() {
    // The classic confusion: HS256 with the published key as the secret.
    let signer = signer(Algorithm::Rs256);
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(r#"{"sub":"x"}"#));
    for secret in [signer.jwk().to_string(), signer.jwk()["n"].as_str().unwrap().to_owned()] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let forged = format!("{signed}.{}", encode(mac));
        for allowed in Algorithm::ALL {
            assert_eq!(check(&forged, signer.jwk(), allowed, None), Err(JoseError::Algorithm));
        }
    }
}

#[test]
fn attack_11_the_registered_algorithm_is_the_only_one() {
    let key = generate(Algorithm::Rs256).unwrap();
    let ps = Signer::new(Algorithm::Ps256, &key).unwrap();
    let rs = Signer::new(Algorithm::Rs256, &key).unwrap();
    let token = ps.sign("JWT", &json!({})).unwrap();
    assert_eq!(check(&token, ps.jwk(), Algorithm::Rs256, None), Err(JoseError::Algorithm));
    // A key registered for one padding does not check the other (RFC 7517 §4.4).
    assert_eq!(check(&token, rs.jwk(), Algorithm::Ps256, None), Err(JoseError::Key));
}

#[test]
fn attack_11_the_kid_chooses_among_trusted_keys_only() {
    let (one, two) = (signer(Algorithm::Es256), signer(Algorithm::Es256));
    let keys = [one.jwk().clone(), two.jwk().clone()];
    let token = two.sign("JWT", &json!({})).unwrap();
    let verify = |keys: &[Value]| Unverified::parse(&token)?.verify(keys, &Algorithm::ALL, None);
    assert!(verify(&keys).is_ok());
    assert_eq!(verify(&keys[..1]), Err(JoseError::Key), "a revoked key's name finds nothing");
    let mut renamed = one.jwk().clone();
    renamed["kid"] = two.kid().into();
    assert_eq!(verify(&[renamed]), Err(JoseError::Signature));
}

#[test]
fn a_token_with_a_nul_is_none() {
    let signer = signer(Algorithm::EdDsa);
    for (claims, whole) in [(json!({"jti": "a\0"}), false), (json!({"jti": "a\u{1}"}), true)] {
        let token = signer.sign("JWT", &claims).unwrap();
        assert_eq!(Unverified::parse(&token).is_ok(), whole, "{claims}");
    }
}

#[test]
fn attack_42_a_huge_token_is_not_looked_at() {
    let signer = signer(Algorithm::EdDsa);
    let token = signer.sign("JWT", &json!({"x": "x".repeat(16 * 1024)})).unwrap();
    assert_eq!(Unverified::parse(&token).err(), Some(JoseError::Malformed));
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let token =
        format!("{}.{}.AA", encode(r#"{"alg":"ES256"}"#), encode(format!("{{\"a\":{deep}}}")));
    assert_eq!(Unverified::parse(&token).err(), Some(JoseError::Malformed));
}

#[test]
fn core_3_1_3_6_at_hash_is_the_left_half_of_the_algorithms_hash() {
    // SHA-256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 …
    assert_eq!(half_hash(Algorithm::Es256, "abc"), "ungWv48Bz-pBQUDeXa4iIw");
    assert_eq!(half_hash(Algorithm::Rs256, "abc"), half_hash(Algorithm::Ps256, "abc"));
    // SM3("abc") = 66c7f0f4 62eeedd9 d1f2d46b dc10e4e2 … (GB/T 32905-2016, annex A).
    assert_eq!(half_hash(Algorithm::Sm2, "abc"), "Zsfw9GLu7dnR8tRr3BDk4g");
    // SHA-512("abc") = ddaf35a1 …: 32 bytes are 43 characters.
    let long = half_hash(Algorithm::EdDsa, "abc");
    assert!(long.len() == 43 && long.starts_with("3a81oZ"), "{long}");
}

#[test]
fn attack_47_a_key_reads_back_as_the_same_key() {
    for algorithm in Algorithm::ALL {
        let pkcs8 = generate(algorithm).unwrap();
        let (one, two) =
            (Signer::new(algorithm, &pkcs8).unwrap(), Signer::new(algorithm, &pkcs8).unwrap());
        assert_eq!(one.jwk(), two.jwk());
        assert_eq!(registrable(&json!({"keys": [one.jwk()]})), Ok(()));
        assert_eq!(format!("{one:?}"), format!("Signer({}, {})", algorithm.name(), one.kid()));
        for other in Algorithm::ALL {
            let rsa = |algorithm| matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256);
            let fits = other == algorithm || rsa(other) && rsa(algorithm);
            assert_eq!(Signer::new(other, &pkcs8).is_ok(), fits, "{algorithm:?} as {other:?}");
        }
    }
}

static KEY: std::sync::LazyLock<Signer> = std::sync::LazyLock::new(|| signer(Algorithm::EdDsa));

proptest! {
    #[test]
    fn attack_11_one_changed_character_is_no_token(
        claims in proptest::collection::btree_map("[a-z]{1,8}", "[^\\x00\n]{0,16}", 0..6),
        at in any::<proptest::sample::Index>(),
        to in proptest::char::range('0', 'z'),
    ) {
        let token = KEY.sign("JWT", &claims).unwrap();
        let read = check(&token, KEY.jwk(), Algorithm::EdDsa, None).unwrap();
        prop_assert_eq!(read, serde_json::to_value(&claims).unwrap());
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to.to_string());
        prop_assert!(changed == token || check(&changed, KEY.jwk(), Algorithm::EdDsa, None).is_err());
    }

    #[test]
    fn outside_key_sets_never_panic(text in "[a-zA-Z0-9_=-]{0,90}", kty in "RSA|EC|OKP|oct|x") {
        let key = json!({"kty": kty, "crv": "P-256", "x": text, "y": text, "n": text, "e": text});
        let _ = registrable(&json!({"keys": [key]}));
        let token = KEY.sign("JWT", &json!({})).unwrap();
        prop_assert!(Unverified::parse(&token).unwrap().verify(&[key], &Algorithm::ALL, None).is_err());
    }

    #[test]
    fn outside_text_never_panics(text in "[A-Za-z0-9_.{}\":-]{0,200}") {
        if let Ok(token) = Unverified::parse(&text) {
            let _ = token.verify(&[json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": ""})], &Algorithm::ALL, None);
        }
    }
}

#[test]
fn rfc_7638_3_1_the_example_has_its_thumbprint() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
        oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0\
        _FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI\
        4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    assert_eq!(thumbprint(&key).unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert!(thumbprint(&json!({"kty": "oct", "k": "AA"})).is_err());
}
