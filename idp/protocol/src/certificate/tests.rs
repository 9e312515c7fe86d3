//! With certificates that rcgen makes.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use serde_json::json;

use super::*;

/// Within the validity of what rcgen makes by itself (1975 to 4096).
const NOW: i64 = 1_800_000_000;

fn authority() -> (String, Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&key).unwrap();
    (made.pem(), made.der().to_vec(), Issuer::new(params, key))
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "CN");
    params.distinguished_name.push(DnType::OrganizationName, "省厅, 一处");
    params.distinguished_name.push(DnType::CommonName, "partner");
    params.subject_alt_names = vec![
        SanType::DnsName("Partner.example".try_into().unwrap()),
        SanType::URI("urn:partner:1".try_into().unwrap()),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::Rfc822Name("ops@partner.example".try_into().unwrap()),
    ];
    params
}

fn issued(params: &CertificateParams, by: &Issuer<'_, KeyPair>) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().der().to_vec()
}

fn client(more: Value) -> Client {
    let mut value = json!({"client_id": "a", "redirect_uris": ["https://a.example/cb"],
        "token_endpoint_auth_method": "tls_client_auth"});
    for (name, member) in more.as_object().unwrap() {
        value[name] = member.clone();
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn rfc_8705_2_1_2_a_client_is_known_by_one_name_of_its_certificate() {
    let (_, _, by) = authority();
    let certificate = Certificate::read(&issued(&params(), &by)).unwrap();
    for (name, right, wrong) in [
        ("tls_client_auth_subject_dn", "CN=partner,O=省厅\\, 一处,C=CN", "CN=partner,C=CN"),
        (
            "tls_client_auth_subject_dn",
            "cn=partner, O=省厅\\, 一处, C=CN",
            "C=CN,O=省厅\\, 一处,CN=partner",
        ),
        (
            "tls_client_auth_subject_dn",
            "2.5.4.3=partner,2.5.4.10=省厅\\2c 一处,C=CN",
            "CN=Partner,O=省厅\\, 一处,C=CN",
        ),
        ("tls_client_auth_san_dns", "partner.example", "evil.example"),
        ("tls_client_auth_san_uri", "urn:partner:1", "urn:partner:10"),
        ("tls_client_auth_san_ip", "192.0.2.7", "192.0.2.8"),
        ("tls_client_auth_san_ip", "192.0.2.7", "::ffff:192.0.2.7"),
        ("tls_client_auth_san_email", "ops@partner.example", "OPS@partner.example"),
    ] {
        let right = client(json!({ name: right }));
        assert_eq!(right.faults(), Vec::<String>::new());
        assert!(certificate.is_of(&right), "{name}");
        assert!(!certificate.is_of(&client(json!({ name: wrong }))), "{name} {wrong}");
    }
    // Nothing registered is nobody; two names are no registration.
    assert!(!certificate.is_of(&client(json!({}))));
    let two = json!({"tls_client_auth_san_dns": "partner.example", "tls_client_auth_san_uri": "urn:partner:1"});
    assert!(!certificate.is_of(&client(two.clone())));
    for unusable in [
        json!({}),
        two,
        json!({"tls_client_auth_subject_dn": ""}),
        json!({"tls_client_auth_subject_dn": "partner"}),
        json!({"tls_client_auth_san_ip": "partner.example"}),
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"}),
        json!({"token_endpoint_auth_method": "self_signed_tls_client_auth",
            "jwks": {"keys": [{"kty": "oct"}]}}),
    ] {
        assert!(!client(unusable.clone()).certificate_faults().is_empty(), "{unusable}");
    }
}

#[test]
fn rfc_8705_2_1_only_a_chain_to_our_authority_is_believed() {
    let (pem, _, by) = authority();
    let authorities = Authorities::from_pem(&pem).unwrap();
    let leaf = issued(&params(), &by);
    assert!(authorities.vouch_for(std::slice::from_ref(&leaf), NOW));
    // Another's authority of the same name, and nobody's.
    let (other, _, stranger) = authority();
    assert!(!authorities.vouch_for(&[issued(&params(), &stranger)], NOW));
    assert!(!Authorities::from_pem(&other).unwrap().vouch_for(std::slice::from_ref(&leaf), NOW));
    assert!(!Authorities::default().vouch_for(std::slice::from_ref(&leaf), NOW));
    assert!(!authorities.vouch_for(&[], NOW));
    assert!(!authorities.vouch_for(&[b"nonsense".to_vec()], NOW));
    // A certificate for servers is not one for clients.
    let mut server = params();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(!authorities.vouch_for(&[issued(&server, &by)], NOW));
    server.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(authorities.vouch_for(&[issued(&server, &by)], NOW));
    // An expired one.
    let mut old = params();
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    assert!(!authorities.vouch_for(&[issued(&old, &by)], NOW));
    // Whoever was issued a certificate is no authority because of it.
    let key = KeyPair::generate().unwrap();
    let middle = params().signed_by(&key, &by).unwrap().der().to_vec();
    let below = issued(&params(), &Issuer::new(params(), key));
    assert!(!authorities.vouch_for(&[below, middle], NOW));
    // One between that may is.
    let key = KeyPair::generate().unwrap();
    let mut between = params();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle = between.signed_by(&key, &by).unwrap().der().to_vec();
    let below = issued(&params(), &Issuer::new(between, key));
    assert!(authorities.vouch_for(&[below.clone(), middle], NOW));
    assert!(!authorities.vouch_for(&[below], NOW));
    assert_eq!(Authorities::from_pem("").unwrap_err(), NoCertificate);
    // What was named itself, and nothing of its name.
    let key = KeyPair::generate().unwrap();
    let own = params().self_signed(&key).unwrap();
    let named = Authorities::from_pem(&own.pem()).unwrap();
    assert!(named.vouch_for(&[own.der().to_vec()], NOW));
    assert!(!named.vouch_for(&[own.der().to_vec()], i64::MAX));
    let other = params().self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(!named.vouch_for(&[other.der().to_vec()], NOW));
}

#[test]
fn rfc_8705_2_2_2_a_self_signed_certificate_is_the_registered_one() {
    let (_, der, _) = authority();
    let (_, other, _) = authority();
    let by_x5c = [json!({"kty": "EC", "x5c": [STANDARD.encode(&der)]})];
    let by_print = [json!({"kty": "EC", "x5t#S256": thumbprint(&der)})];
    for keys in [&by_x5c, &by_print] {
        assert!(is_registered(keys, &der));
        assert!(!is_registered(keys, &other));
    }
    // The authority above a registered certificate is not the client.
    let above = [json!({"x5c": [STANDARD.encode(&other), STANDARD.encode(&der)]})];
    assert!(!is_registered(&above, &der));
    assert!(!is_registered(&[], &der));
}

#[test]
fn rfc_6125_6_4_a_host_is_among_the_names() {
    let (_, _, by) = authority();
    let mut params = params();
    params.subject_alt_names.push(SanType::DnsName("*.wild.example".try_into().unwrap()));
    let certificate = Certificate::read(&issued(&params, &by)).unwrap();
    for host in ["partner.example", "a.wild.example", "192.0.2.7"] {
        assert!(certificate.names_host(host), "{host}");
    }
    for host in ["example", "a.partner.example", "wild.example", "a.b.wild.example", "192.0.2.8"] {
        assert!(!certificate.names_host(host), "{host}");
    }
    assert!(certificate.is_valid_at(NOW) && !certificate.is_valid_at(0));
    assert_eq!(Certificate::read(b"").unwrap_err(), NoCertificate);
}

#[test]
fn rfc_8705_5_the_metadata_names_what_works() {
    let issuer = "https://id.example".to_owned();
    let plain = crate::metadata::document(&Offer { issuer: issuer.clone(), ..Offer::default() });
    assert!(plain.get("tls_client_certificate_bound_access_tokens").is_none());
    assert!(plain.get("mtls_endpoint_aliases").is_none());
    let mtls = Some("https://id.example:8443".to_owned());
    let offer = Offer { issuer, certificates: true, authorities: false, mtls, ..Offer::default() };
    let document = crate::metadata::document(&offer);
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
    let aliases = &document["mtls_endpoint_aliases"];
    assert_eq!(aliases["token_endpoint"], "https://id.example:8443/oauth2/token");
    assert!(aliases.get("authorization_endpoint").is_none());
    let methods = |document: &Value| document["token_endpoint_auth_methods_supported"].clone();
    let has = |document: &Value, method: &str| {
        methods(document).as_array().unwrap().contains(&json!(method))
    };
    assert!(has(&document, "self_signed_tls_client_auth") && !has(&document, "tls_client_auth"));
    let offer = Offer { authorities: true, ..offer };
    assert!(has(&crate::metadata::document(&offer), "tls_client_auth"));
}
