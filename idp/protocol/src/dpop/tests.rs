use proptest::prelude::*;

use super::*;
use crate::jose::{Signer, generate};

const NOW: i64 = 1_800_000_000;
const HERE: &str = "https://id.example/oauth2/token";

fn signer(algorithm: Algorithm) -> Signer {
    Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap()
}

/// A proof with one header member and one claim changed (null removes).
fn proof(signer: &Signer, header: (&str, Value), claim: (&str, Value)) -> String {
    let mut jwk = signer.jwk().clone();
    jwk.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "kid" | "alg" | "use"));
    let mut head = json!({"typ": "dpop+jwt", "alg": signer.algorithm().name(), "jwk": jwk});
    let mut claims = json!({"jti": "1", "htm": "POST", "htu": HERE, "iat": NOW});
    for (object, (name, value)) in [(&mut head, header), (&mut claims, claim)] {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value;
        }
    }
    signer.sign_with_header(&head, &claims).unwrap()
}

fn at(text: &str, token: Option<&str>) -> Result<Proof, ProtocolError> {
    let addresses = [HERE.to_owned()];
    check(&[text], Expected { method: "POST", addresses: &addresses, token, now: NOW })
}

const AS_IT_IS: (&str, Value) = ("none", Value::Null);

#[test]
fn rfc_9449_4_3_a_good_proof_names_its_key() {
    for algorithm in ALGORITHMS {
        let signer = signer(algorithm);
        let good = at(&proof(&signer, AS_IT_IS, AS_IT_IS), None).unwrap();
        assert_eq!(good.jkt, jose::thumbprint(signer.jwk()).unwrap());
        assert_eq!((good.jti.as_str(), good.issued, good.nonce), ("1", NOW, None));
    }
}

#[test]
fn rfc_9449_4_3_harmless_differences_are_accepted() {
    let signer = signer(Algorithm::Es256);
    for claim in [
        ("htu", json!("https://id.example/oauth2/token?x=1#y")),
        ("htu", json!("HTTPS://ID.example:443/oauth2/token")),
        ("iat", json!(NOW - 10)),
        ("iat", json!(NOW + 10)),
        ("iat", json!(1_800_000_000.5)),
        ("exp", json!(NOW - 1)),
        ("nbf", json!(NOW + 9)),
        ("extra", json!({"a": 1})),
        ("nonce", json!("n")),
    ] {
        let name = claim.0;
        assert!(at(&proof(&signer, AS_IT_IS, claim), None).is_ok(), "{name}");
    }
    assert!(at(&proof(&signer, ("typ", json!("application/dpop+jwt")), AS_IT_IS), None).is_ok());
}

#[test]
fn attack_15_a_proof_about_something_else_is_refused() {
    let signer = signer(Algorithm::Es256);
    for claim in [
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("htm", Value::Null),
        ("htm", json!("GET")),
        ("iat", json!(i64::MIN)),
        ("iat", json!(i64::MIN + NOW)),
        ("iat", json!(i64::MAX)),
        ("htm", json!("post")),
        ("htu", Value::Null),
        ("htu", json!("https://id.example/oauth2/par")),
        ("htu", json!("https://other.example/oauth2/token")),
        ("htu", json!("http://id.example/oauth2/token")),
        ("htu", json!("/oauth2/token")),
        ("iat", Value::Null),
        ("iat", json!("now")),
        ("iat", json!(NOW - 3600)),
        ("iat", json!(NOW + 3600)),
    ] {
        let told = format!("{claim:?}");
        let error = at(&proof(&signer, AS_IT_IS, claim), None).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidDpopProof, "{told}");
    }
}

#[test]
fn attack_15_a_proof_by_another_key_is_refused() {
    let (ours, other) = (signer(Algorithm::Es256), signer(Algorithm::Es256));
    let private = {
        let mut key = ours.jwk().clone();
        key["d"] = json!("AAAA");
        key
    };
    for header in [
        ("typ", Value::Null),
        ("typ", json!("JWT")),
        ("alg", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("jwk", Value::Null),
        ("jwk", json!("key")),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
        ("jwk", other.jwk().clone()),
        ("jwk", private),
    ] {
        let told = format!("{header:?}");
        assert!(at(&proof(&ours, header, AS_IT_IS), None).is_err(), "{told}");
    }
    let rsa = signer(Algorithm::Rs256);
    assert!(at(&proof(&rsa, AS_IT_IS, AS_IT_IS), None).is_err(), "RS256");
    let good = proof(&ours, AS_IT_IS, AS_IT_IS);
    let cut = good.get(..good.len() - 4).unwrap();
    assert!(at(cut, None).is_err(), "signature");
    let addresses = [HERE.to_owned()];
    let expected = Expected { method: "POST", addresses: &addresses, token: None, now: NOW };
    assert!(check(&[], expected).is_err(), "none");
    assert!(check(&[&good, &good], expected).is_err(), "two");
}

#[test]
fn attack_15_a_proof_goes_with_one_token() {
    let signer = signer(Algorithm::EdDsa);
    let ath = |token: &str| json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
    let with = |claim| at(&proof(&signer, AS_IT_IS, claim), Some("token"));
    assert!(with(("ath", ath("token"))).is_ok());
    assert!(with(("ath", ath("other"))).is_err());
    assert!(with(("ath", Value::Null)).is_err());
}

proptest! {
    #[test]
    fn outside_text_never_panics(text: String) {
        prop_assert!(at(&text, Some("token")).is_err());
    }
}
