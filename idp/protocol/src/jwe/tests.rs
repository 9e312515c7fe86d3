use proptest::prelude::*;

use super::*;

fn opener(management: Management) -> Opener {
    Opener::new(management, &generate(management).unwrap()).unwrap()
}

#[test]
fn rfc_7518_appendix_c_both_sides_derive_the_same_key() {
    let d = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        PrivateKey::from_private_key(&ECDH_P256, &bytes).unwrap()
    };
    let alice = json!({"crv": "P-256", "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"});
    let bob = json!({"crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"});
    for (own, other) in [
        ("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo", &bob),
        ("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw", &alice),
    ] {
        let key = agree(&d(own), &point(other).unwrap(), |secret| {
            derive(secret, Content::A128Gcm, b"Alice", b"Bob")
        });
        assert_eq!(encode(key.unwrap().as_slice()), "VqqN6vgjbSBcIijNcacQGg");
    }
}

#[test]
fn rfc_7516_3_what_is_encrypted_to_a_key_is_opened_by_it_alone() {
    for management in Management::ALL {
        let (ours, other) = (opener(management), opener(management));
        for content in Content::ALL {
            let token = encrypt(b"hush", ours.jwk(), management, content, Some("JWT")).unwrap();
            assert!(is_encrypted(&token));
            assert_eq!(open(std::slice::from_ref(&ours), &token).unwrap(), b"hush");
            assert_eq!(open(std::slice::from_ref(&other), &token), Err(JoseError::Key));
            let mut nameless = ours.jwk().clone();
            nameless.as_object_mut().unwrap().remove("kid");
            let token = encrypt(b"hush", &nameless, management, content, None).unwrap();
            assert_eq!(open(std::slice::from_ref(&other), &token), Err(JoseError::Signature));
        }
    }
}

#[test]
fn rfc_7519_5_3_the_issuer_stands_in_the_header_of_an_encrypted_token() {
    let ours = opener(Management::EcdhEs);
    let header = |iss| {
        let token = encrypt_token("a.b.c", ours.jwk(), Management::EcdhEs, Content::A256Gcm, iss);
        let token = token.unwrap();
        assert_eq!(open(std::slice::from_ref(&ours), &token).unwrap(), b"a.b.c");
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()
    };
    let said = header(Some("https://id.example"));
    assert_eq!((&said["iss"], &said["cty"]), (&json!("https://id.example"), &json!("JWT")));
    assert_eq!((&said["alg"], &said["enc"]), (&json!("ECDH-ES"), &json!("A256GCM")));
    assert_eq!(said["kid"], ours.kid());
    assert!(header(None).get("iss").is_none());
}

#[test]
fn attack_47_after_a_rotation_old_and_new_key_open_what_names_neither() {
    for management in Management::ALL {
        let ring: Vec<Opener> = (0..3).map(|_| opener(management)).collect();
        for key in &ring {
            let mut nameless = key.jwk().clone();
            nameless.as_object_mut().unwrap().remove("kid");
            let token = encrypt(b"hush", &nameless, management, Content::A128Gcm, None).unwrap();
            assert_eq!(open(&ring, &token).unwrap(), b"hush");
        }
    }
    // However often it was rotated, the key in use is among those that are tried.
    let ring: Vec<Opener> = (0..7).map(|_| opener(Management::EcdhEs)).collect();
    let mut nameless = ring.last().unwrap().jwk().clone();
    nameless.as_object_mut().unwrap().remove("kid");
    let token = encrypt(b"x", &nameless, Management::EcdhEs, Content::A128Gcm, None).unwrap();
    assert_eq!(open(&ring, &token).unwrap(), b"x");
}

#[test]
fn rfc_8725_3_4_a_key_that_cannot_be_encrypted_to_does_not_fit() {
    let (ec, rsa) = (opener(Management::EcdhEs), opener(Management::RsaOaep256));
    assert!(fits(ec.jwk(), Management::EcdhEs) && fits(rsa.jwk(), Management::RsaOaep256));
    let mut off = ec.jwk().clone();
    off["y"] = off["x"].clone();
    assert!(!fits(&off, Management::EcdhEs), "a point off the curve");
    let mut short = rsa.jwk().clone();
    short["n"] = json!(encode([0xc5; 128]));
    assert!(!fits(&short, Management::RsaOaep256), "1024 bits");
}

#[test]
fn attack_12_a_changed_token_is_not_opened() {
    let ours = opener(Management::EcdhEs);
    let token = encrypt(b"hush", ours.jwk(), Management::EcdhEs, Content::A256Gcm, None).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    for at in [0, 2, 3, 4] {
        let mut bytes = decode(parts[at]).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let changed = encode(bytes);
        let mut parts = parts.clone();
        parts[at] = &changed;
        assert!(open(std::slice::from_ref(&ours), &parts.join(".")).is_err(), "part {at}");
    }
    for (name, value) in [
        ("alg", json!("dir")),
        ("alg", json!("RSA1_5")),
        ("alg", json!("none")),
        ("enc", json!("A128CBC-HS256")),
        ("zip", json!("DEF")),
        ("crit", json!(["x"])),
        ("epk", json!({"crv": "P-256", "x": "AA", "y": "AA"})),
        ("epk", Value::Null),
    ] {
        let mut header: Value = serde_json::from_slice(&decode(parts[0]).unwrap()).unwrap();
        header[name] = value;
        let header = encode(header.to_string());
        let mut parts = parts.clone();
        parts[0] = &header;
        assert!(open(std::slice::from_ref(&ours), &parts.join(".")).is_err(), "{name}");
    }
}

#[test]
fn attack_11_a_key_of_another_kind_does_not_fit() {
    let rsa = opener(Management::RsaOaep256);
    let ec = opener(Management::EcdhEs);
    for (key, management) in [(rsa.jwk(), Management::EcdhEs), (ec.jwk(), Management::RsaOaep256)] {
        assert!(encrypt(b"x", key, management, Content::A128Gcm, None).is_err());
    }
}

proptest! {
    #[test]
    fn outside_text_never_panics(text: String, parts in proptest::collection::vec("[A-Za-z0-9_-]{0,40}", 5)) {
        let ours = [opener(Management::EcdhEs)];
        prop_assert!(open(&ours, &text).is_err());
        prop_assert!(open(&ours, &parts.join(".")).is_err());
    }

    #[test]
    fn whatever_is_encrypted_comes_back(plain: Vec<u8>) {
        let ours = opener(Management::EcdhEs);
        let token = encrypt(&plain, ours.jwk(), Management::EcdhEs, Content::A128Gcm, None).unwrap();
        prop_assert_eq!(open(&[ours], &token).unwrap(), plain);
    }
}
