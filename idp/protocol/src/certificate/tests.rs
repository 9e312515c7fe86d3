//! With certificates that rcgen makes.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, RevocationReason,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use serde_json::json;

use super::*;

/// Within the validity of what rcgen makes by itself (1975 to 4096).
const NOW: i64 = 1_800_000_000;

fn authority() -> (String, Vec<u8>, Issuer<'static, KeyPair>) {
    authority_named("an authority")
}

fn authority_named(name: &str) -> (String, Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
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
    assert!(authorities.vouch_for(std::slice::from_ref(&leaf), NOW).is_ok());
    // Another's authority of the same name, and nobody's.
    let (other, _, stranger) = authority();
    assert!(authorities.vouch_for(&[issued(&params(), &stranger)], NOW).is_err());
    assert!(
        Authorities::from_pem(&other).unwrap().vouch_for(std::slice::from_ref(&leaf), NOW).is_err()
    );
    assert!(Authorities::default().vouch_for(std::slice::from_ref(&leaf), NOW).is_err());
    assert!(authorities.vouch_for(&[], NOW).is_err());
    assert!(authorities.vouch_for(&[b"nonsense".to_vec()], NOW).is_err());
    // A certificate for servers is not one for clients.
    let mut server = params();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(authorities.vouch_for(&[issued(&server, &by)], NOW).is_err());
    server.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    assert!(authorities.vouch_for(&[issued(&server, &by)], NOW).is_ok());
    // An expired one.
    let mut old = params();
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    assert!(authorities.vouch_for(&[issued(&old, &by)], NOW).is_err());
    // Whoever was issued a certificate is no authority because of it.
    let key = KeyPair::generate().unwrap();
    let middle = params().signed_by(&key, &by).unwrap().der().to_vec();
    let below = issued(&params(), &Issuer::new(params(), key));
    assert!(authorities.vouch_for(&[below, middle], NOW).is_err());
    // One between that may is.
    let key = KeyPair::generate().unwrap();
    let mut between = params();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle = between.signed_by(&key, &by).unwrap().der().to_vec();
    let below = issued(&params(), &Issuer::new(between, key));
    assert!(authorities.vouch_for(&[below.clone(), middle], NOW).is_ok());
    assert!(authorities.vouch_for(&[below], NOW).is_err());
    assert_eq!(Authorities::from_pem("").unwrap_err(), NoCertificate);
    // What was named itself, and nothing of its name.
    let key = KeyPair::generate().unwrap();
    let own = params().self_signed(&key).unwrap();
    let named = Authorities::from_pem(&own.pem()).unwrap();
    assert!(named.vouch_for(&[own.der().to_vec()], NOW).is_ok());
    assert!(named.vouch_for(&[own.der().to_vec()], i64::MAX).is_err());
    let other = params().self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(named.vouch_for(&[other.der().to_vec()], NOW).is_err());
}

/// What was found good once is good as long as its dates and the lists' say so, not longer.
#[test]
fn rfc_5280_6_a_chain_that_was_believed_is_not_when_its_time_is_over() {
    let (pem, _, by) = authority();
    let authorities = Authorities::from_pem(&pem).unwrap();
    let mut between = params();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    between.not_after = date_time_ymd(2027, 3, 1);
    let key = KeyPair::generate().unwrap();
    let middle = between.signed_by(&key, &by).unwrap().der().to_vec();
    let mut below = params();
    (below.not_before, below.not_after) = (date_time_ymd(2027, 1, 1), date_time_ymd(2027, 4, 1));
    let chain = [issued(&below, &Issuer::new(between, key)), middle];
    let at = |year, month, day| {
        let time = date_time_ymd(year, month, day).unix_timestamp();
        [time - 1, time, time + 1].map(|now| authorities.vouch_for(&chain, now))
    };
    let (good, nobody) = (Ok(()), Err(Unvouched::Nobody));
    assert_eq!(at(2027, 2, 1), [good, good, good]);
    assert_eq!(at(2027, 1, 1), [nobody, good, good]);
    assert_eq!(at(2027, 3, 1), [good, good, nobody]);
    // A list that names nobody, until a day before.
    authorities.withdrawn.replace(&list(&by, 1, (2027, 2), &[])).unwrap();
    let old = Err(Unvouched::ListOutOfDate);
    assert_eq!(at(2027, 1, 20), [good, good, good]);
    assert_eq!(at(2027, 2, 1), [good, old, old]);
    // Another chain of the same certificates is another.
    assert_eq!(authorities.vouch_for(&chain[..1], NOW), nobody);
}

/// A list of an authority that names some serial numbers.
fn list(by: &Issuer<'_, KeyPair>, number: u64, until: (i32, u8), serials: &[u64]) -> String {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1) + Duration::from_secs(number),
        next_update: date_time_ymd(until.0, until.1, 1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: serials
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(by).unwrap().pem().unwrap()
}

#[test]
fn rfc_5280_5_what_its_authority_withdrew_is_not_believed() {
    let (pem, _, by) = authority();
    let authorities = Authorities::from_pem(&pem).unwrap();
    let numbered = |serial: u64, by: &Issuer<'_, KeyPair>| {
        let mut params = params();
        params.serial_number = Some(SerialNumber::from(serial));
        issued(&params, by)
    };
    let (kept, lost) = (numbered(7, &by), numbered(8, &by));
    let of = |one: &Vec<u8>| authorities.vouch_for(std::slice::from_ref(one), NOW);
    assert_eq!((of(&kept), of(&lost)), (Ok(()), Ok(())));
    let lists = &authorities.withdrawn;
    assert_eq!(lists.until(), None);
    // NOW is in January 2027.
    assert_eq!(lists.replace(&list(&by, 1, (2027, 6), &[8])), Ok(1));
    assert_eq!((of(&kept), of(&lost)), (Ok(()), Err(Unvouched::Withdrawn)));
    assert_eq!(lists.until(), Some(1_811_808_000));
    // A list of another authority says nothing about this one's.
    let (_, _, other) = authority_named("another");
    lists.replace(&list(&other, 1, (2027, 6), &[7])).unwrap();
    assert_eq!((of(&kept), of(&lost)), (Ok(()), Ok(())));
    // Nor does one of its name that it did not sign: but then nothing is known.
    let (_, _, stranger) = authority();
    lists.replace(&list(&stranger, 1, (2027, 6), &[7])).unwrap();
    assert_eq!(
        (of(&kept), of(&lost)),
        (Err(Unvouched::ListUnsigned), Err(Unvouched::ListUnsigned))
    );
    // Out of date, and then the newer of two, wherever it stands.
    let old = list(&by, 1, (2026, 6), &[]);
    lists.replace(&old).unwrap();
    assert_eq!(of(&kept), Err(Unvouched::ListOutOfDate));
    assert_eq!(lists.replace(&format!("{old}{}", list(&by, 2, (2027, 6), &[8]))), Ok(2));
    assert_eq!((of(&kept), of(&lost)), (Ok(()), Err(Unvouched::Withdrawn)));
    // What holds no list changes nothing.
    for unusable in ["", &pem, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"] {
        assert_eq!(lists.replace(unusable), Err(NoList));
        assert_eq!(of(&lost), Err(Unvouched::Withdrawn));
    }
    // An authority between that was taken back takes all below with it.
    let key = KeyPair::generate().unwrap();
    let mut between = params();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    between.serial_number = Some(SerialNumber::from(9));
    let middle = between.signed_by(&key, &by).unwrap().der().to_vec();
    let chain = [numbered(7, &Issuer::new(between, key)), middle];
    assert_eq!(authorities.vouch_for(&chain, NOW), Ok(()));
    lists.replace(&list(&by, 3, (2027, 6), &[9])).unwrap();
    assert_eq!(authorities.vouch_for(&chain, NOW), Err(Unvouched::Withdrawn));
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
