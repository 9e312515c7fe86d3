//! Clients that show a certificate (RFC 8705).

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use idp_protocol::certificate::{self, Authorities};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use serde_json::{Value, json};

use super::dpop::Key;
use super::house::{Answer, Browser, House, ISSUER, SECRET, basic, bearer, claims, on_both};
use crate::certificate::Certificates;

/// Where the listener that asks for certificates is known.
const ELSEWHERE: &str = "https://mtls.example:8443";
/// The proxy that the house trusts.
const PROXY: u8 = 200;
const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "partners");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> &'static (String, Issuer<'static, KeyPair>) {
    static AUTHORITY: OnceLock<(String, Issuer<'static, KeyPair>)> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let (key, mut params) = (KeyPair::generate().unwrap(), named("authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    })
}

/// How certificates reach the houses of these tests.
pub(super) fn settings() -> Certificates {
    Certificates {
        asked: true,
        address: Some(ELSEWHERE.to_owned()),
        header: Some(http::HeaderName::from_static("client-cert")),
        authorities: Authorities::from_pem(&authority().0).unwrap(),
    }
}

pub(super) fn issued(name: &str) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    named(name).signed_by(&key, &authority().1).unwrap().der().to_vec()
}

fn self_made(name: &str) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    named(name).self_signed(&key).unwrap().der().to_vec()
}

/// A certificate as its client registers it (RFC 8705 §2.2.2).
pub(super) fn published(certificate: &[u8]) -> Value {
    let mut key = Key::new().jwk();
    key["x5c"] = json!([STANDARD.encode(certificate)]);
    key
}

async fn with(
    house: &House,
    certificate: Option<&[u8]>,
    headers: &[(&str, String)],
    fields: &[(&str, &str)],
) -> Answer {
    house.shows(certificate);
    let answer = house.post("/oauth2/token", headers, fields).await;
    house.shows(None);
    answer
}

async fn userinfo(house: &House, certificate: Option<&[u8]>, token: &str) -> Answer {
    house.shows(certificate);
    let answer = house.send(Method::GET, "/oauth2/userinfo", &[bearer(token)], "").await;
    house.shows(None);
    answer
}

fn refused(answer: &Answer, status: StatusCode, error: &str, told: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (status, error), "{told}");
}

fn cnf(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    claims(answer.json()["access_token"].as_str().unwrap())["cnf"].clone()
}

async fn vouched(house: &House) {
    house
        .register(json!({"client_id": "vouched", "token_endpoint_auth_method": "tls_client_auth",
            "grant_types": ["client_credentials"],
            "tls_client_auth_subject_dn": "CN=vouched,O=partners"}))
        .await;
}

async fn rfc_8705_2_1_a_client_is_whom_an_authority_says(house: House) {
    vouched(&house).await;
    let right = issued("vouched");
    let fields = [GRANT[0], ("client_id", "vouched")];
    let answer = with(&house, Some(&right), &[], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // RFC 8705 §3: authenticated so, and not bound, because it did not register that.
    assert_eq!(cnf(&answer), Value::Null);
    let invalid = (StatusCode::UNAUTHORIZED, "invalid_client");
    for (told, certificate) in [
        ("none", None),
        ("another client of the authority", Some(issued("other"))),
        ("of the same name, by nobody", Some(self_made("vouched"))),
        ("no certificate", Some(b"nonsense".to_vec())),
    ] {
        let answer = with(&house, certificate.as_deref(), &[], &fields).await;
        refused(&answer, invalid.0, invalid.1, told);
    }
    // No other method in its place, and no other client by its certificate.
    let answer = with(&house, Some(&right), &[basic("vouched", SECRET)], &GRANT).await;
    refused(&answer, invalid.0, invalid.1, "a secret");
    let answer = with(&house, Some(&right), &[], &[GRANT[0], ("client_id", "a")]).await;
    refused(&answer, invalid.0, invalid.1, "a client with a secret");
    // The other endpoints ask the same.
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        let fields = [("client_id", "vouched"), ("token", "x")];
        refused(&house.post(path, &[], &fields).await, invalid.0, invalid.1, path);
        house.shows(Some(&right));
        assert_eq!(house.post(path, &[], &fields).await.status, StatusCode::OK, "{path}");
        house.shows(None);
    }
}

async fn rfc_8705_2_2_a_client_is_whose_certificate_was_registered(house: House) {
    let (own, other) = (self_made("own"), self_made("own"));
    let key = published(&own);
    house
        .register(json!({"client_id": "own", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [key]}}))
        .await;
    let fields = [GRANT[0], ("client_id", "own")];
    assert_eq!(with(&house, Some(&own), &[], &fields).await.status, StatusCode::OK);
    for (told, certificate) in
        [("none", None), ("another", Some(&other)), ("an authority's", Some(&issued("own")))]
    {
        let answer = with(&house, certificate.map(Vec::as_slice), &[], &fields).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid_client", told);
    }
}

async fn rfc_8705_3_a_bound_token_opens_nothing_without_its_certificate(house: House) {
    house
        .register(json!({"client_id": "bound", "client_secret": SECRET, "legal_basis": "test",
            "redirect_uris": ["https://bound.example/cb"], "scope": "openid",
            "tls_client_certificate_bound_access_tokens": true}))
        .await;
    let (own, other) = (self_made("own"), self_made("own"));
    let mut browser = Browser::signed_in(&house).await;
    let back = ("redirect_uri", "https://bound.example/cb");
    let asked = [("client_id", "bound"), back, ("scope", "openid")];
    let code = browser.code(&house, &asked).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), back];
    let headers = [basic("bound", SECRET)];
    let answer = with(&house, None, &headers, &fields).await;
    refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", "holder of key");
    let answer = with(&house, Some(&own), &headers, &fields).await;
    assert_eq!(cnf(&answer), json!({"x5t#S256": certificate::thumbprint(&own)}));
    // RFC 8705 §3: the type of the token stays.
    assert_eq!(answer.json()["token_type"], "Bearer");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(userinfo(&house, Some(&own), &token).await.status, StatusCode::OK);
    for certificate in [None, Some(other.as_slice())] {
        let answer = userinfo(&house, certificate, &token).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid_token", "another's");
    }
    // RFC 8705 §3.2.
    let seen = house.post("/oauth2/introspect", &headers, &[("token", &token)]).await.json();
    assert_eq!(seen["cnf"]["x5t#S256"], json!(certificate::thumbprint(&own)));
    assert_eq!(seen["token_type"], "Bearer");
}

async fn fapi2_5_3_2_1_either_key_binds_and_one_must(house: House) {
    house
        .register(json!({"client_id": "fapi", "token_endpoint_auth_method": "tls_client_auth",
            "grant_types": ["client_credentials"], "policy": "fapi2",
            "tls_client_auth_subject_dn": "CN=fapi,O=partners"}))
        .await;
    let (own, key) = (issued("fapi"), Key::new());
    let fields = [GRANT[0], ("client_id", "fapi")];
    // mTLS and mTLS.
    let answer = with(&house, Some(&own), &[], &fields).await;
    assert_eq!(cnf(&answer), json!({"x5t#S256": certificate::thumbprint(&own)}));
    // mTLS and DPoP; RFC 8705 §5: the proof may name the address of the other listener.
    for address in [ISSUER, ELSEWHERE] {
        let proof = key.to(&house, &format!("{address}/oauth2/token"));
        let answer = with(&house, Some(&own), &[proof], &fields).await;
        assert_eq!(cnf(&answer), json!({"jkt": key.jkt()}));
        assert_eq!(answer.json()["token_type"], "DPoP");
    }
    let proof = key.to(&house, "https://evil.example/oauth2/token");
    let answer = with(&house, Some(&own), &[proof], &fields).await;
    refused(&answer, StatusCode::BAD_REQUEST, "invalid_dpop_proof", "another address");
}

async fn rfc_8705_4_a_public_clients_refresh_token_is_bound_to_its_certificate(house: House) {
    house
        .register(json!({"client_id": "native", "redirect_uris": ["https://n.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "legal_basis": "test",
            "token_endpoint_auth_method": "none", "scope": "openid offline_access",
            "tls_client_certificate_bound_access_tokens": true}))
        .await;
    let (own, other) = (self_made("own"), self_made("own"));
    let back = ("redirect_uri", "https://n.example/cb");
    let asked = [
        ("client_id", "native"),
        back,
        ("scope", "openid"),
        ("code_challenge", super::house::CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = Browser::signed_in(&house).await.code(&house, &asked).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", &code),
        back,
        ("code_verifier", super::house::VERIFIER),
    ];
    let tokens = with(&house, Some(&own), &[], &fields).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", refresh)];
    let answer = with(&house, Some(&other), &[], &fields).await;
    refused(&answer, StatusCode::BAD_REQUEST, "invalid_grant", "another's");
    assert_eq!(with(&house, Some(&own), &[], &fields).await.status, StatusCode::OK);
}

async fn attack_49_a_certificate_in_a_header_is_believed_from_our_proxies_only(house: House) {
    vouched(&house).await;
    let own = issued("vouched");
    let fields = [GRANT[0], ("client_id", "vouched")];
    let header = |der: &[u8]| ("client-cert", format!(":{}:", STANDARD.encode(der)));
    let invalid = (StatusCode::UNAUTHORIZED, "invalid_client");
    let answer = with(&house, None, &[header(&own)], &fields).await;
    refused(&answer, invalid.0, invalid.1, "a stranger's word");
    // Nor in the place of the certificate that the stranger has.
    let answer = with(&house, Some(&issued("other")), &[header(&own)], &fields).await;
    refused(&answer, invalid.0, invalid.1, "a stranger with a certificate");
    house.peer.store(PROXY, std::sync::atomic::Ordering::Relaxed);
    let answer = with(&house, None, &[header(&own)], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // The proxy's own certificate is not its visitors'.
    let answer = with(&house, Some(&own), &[], &fields).await;
    refused(&answer, invalid.0, invalid.1, "the proxy's");
    let two = [header(&own), header(&issued("other"))];
    refused(&with(&house, None, &two, &fields).await, invalid.0, invalid.1, "two lines");
}

on_both! {
    rfc_8705_2_1_a_client_is_whom_an_authority_says;
    rfc_8705_2_2_a_client_is_whose_certificate_was_registered;
    rfc_8705_3_a_bound_token_opens_nothing_without_its_certificate;
    fapi2_5_3_2_1_either_key_binds_and_one_must;
    rfc_8705_4_a_public_clients_refresh_token_is_bound_to_its_certificate;
    attack_49_a_certificate_in_a_header_is_believed_from_our_proxies_only;
}
