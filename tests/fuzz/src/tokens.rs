//! Tokens, proofs and certificates. Whoever is believed here has forged a signature.

use std::sync::OnceLock;

use idp_protocol::certificate::{self, Certificate};
use idp_protocol::client::Client;
use idp_protocol::dpop::{self, Expected};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use idp_protocol::jwe::{self, Management, Opener};
use idp_protocol::parameters::Parameters;
use idp_protocol::{assertion, ciba, hint, request_object};
use serde_json::{Value, json};

use crate::{ISSUER, NOW, text};

/// A client with a key of each kind.
struct Keys {
    client: Client,
    public: Vec<Value>,
    openers: Vec<Opener>,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let made = |algorithm: Algorithm| {
            let private = generate(algorithm).expect("a key");
            Signer::new(algorithm, &private).expect("a signer").jwk().clone()
        };
        let public: Vec<Value> = Algorithm::ALL.into_iter().map(made).collect();
        let opener = |management| {
            let private = jwe::generate(management).expect("a key");
            Opener::new(management, &private).expect("an opener")
        };
        let registration = json!({"client_id": "a", "redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": public},
            "backchannel_token_delivery_mode": "poll", "scope": "openid",
            "grant_types": ["authorization_code", ciba::GRANT]});
        let client = Client::from_json(registration).expect("a registration");
        Keys { client, public, openers: Management::ALL.into_iter().map(opener).collect() }
    })
}

/// A compact JWS.
pub(crate) fn jwt(bytes: &[u8]) {
    let parsed = || text(bytes).and_then(|text| Unverified::parse(text).ok());
    for typ in [None, Some("at+jwt"), Some("logout+jwt")] {
        let Some(token) = parsed() else { return };
        let _ = (token.kid(), token.jwk(), token.algorithm());
        assert!(token.verify(&keys().public, &Algorithm::ALL, typ).is_err(), "forged");
    }
}

/// A compact JWE: nothing is opened that was not encrypted to us.
pub(crate) fn jwe(bytes: &[u8]) {
    let Some(token) = text(bytes) else { return };
    let _ = jwe::is_encrypted(token);
    assert!(jwe::open(&keys().openers, token).is_err(), "opened");
}

/// A DPoP proof, which brings its key: what is believed is about this request and fresh.
pub(crate) fn dpop(bytes: &[u8]) {
    let Some(header) = text(bytes) else { return };
    let addresses = [format!("{ISSUER}/oauth2/token")];
    let expected = Expected { method: "POST", addresses: &addresses, token: None, now: NOW };
    let Ok(proof) = dpop::check(&[header], expected) else { return };
    assert!(NOW.abs_diff(proof.issued) <= dpop::WINDOW.unsigned_abs(), "stale");
    assert!((1..=256).contains(&proof.jti.len()) && proof.jkt.len() == 43);
    // RFC 9449 §4.3, item 1: not two.
    assert!(dpop::check(&[header, header], expected).is_err());
    let elsewhere = ["https://other.example/token".to_owned()];
    assert!(dpop::check(&[header], Expected { addresses: &elsewhere, ..expected }).is_err());
    assert!(dpop::check(&[header], Expected { method: "GET", ..expected }).is_err());
    assert!(dpop::check(&[header], Expected { token: Some("t"), ..expected }).is_err());
}

/// An assertion, about its client or about a person.
pub(crate) fn assertion(bytes: &[u8]) {
    let Some(token) = text(bytes) else { return };
    let Keys { client, public, .. } = keys();
    assert!(assertion::check(client, public, token, &[ISSUER], NOW).is_err(), "forged");
    assert!(assertion::spoken(client, public, token, &[ISSUER], NOW).is_err(), "forged");
    let _ = assertion::unverified_client_id(token);
}

/// A request object, beside parameters.
pub(crate) fn request_object(bytes: &[u8]) {
    let Some(token) = text(bytes) else { return };
    let Keys { client, public, .. } = keys();
    let outside = Parameters::parse(b"client_id=a&scope=openid").expect("parameters");
    let opened = request_object::open(client, token, &outside, public, ISSUER, NOW);
    assert!(opened.is_err(), "forged");
}

/// A signed request of the back channel, and a plain one.
pub(crate) fn ciba(bytes: &[u8]) {
    let Keys { client, public, .. } = keys();
    if let Some(token) = text(bytes) {
        assert!(ciba::open(client, token, public, ISSUER, NOW).is_err(), "forged");
    }
    if let Ok(parameters) = Parameters::parse(bytes) {
        let _ = ciba::check(client, &parameters, ISSUER);
    }
}

/// An ID token as a hint.
pub(crate) fn hint(bytes: &[u8]) {
    let Some(token) = text(bytes) else { return };
    assert!(hint::check(token, &keys().public, ISSUER).is_err(), "forged");
}

/// A certificate in DER.
pub(crate) fn certificate(bytes: &[u8]) {
    let _ = certificate::is_registered(&keys().public, bytes);
    let Ok(read) = Certificate::read(bytes) else { return };
    let _ = (read.is_valid_at(NOW), read.names_host("a.example"));
    assert!(!read.is_of(&keys().client), "no name of it is registered");
}
