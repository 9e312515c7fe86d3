//! What an operator may write, and what is said of mistakes.

use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(text, &BTreeMap::new(), Path::new("/base"))
}

#[test]
fn the_default_file_is_a_whole_configuration() {
    let config = load("").expect("defaults");
    assert_eq!(config.server.issuer, "http://localhost:8080");
    assert_eq!(config.database.url, "sqlite:///base/tongban.sqlite");
}

#[test]
fn every_key_of_the_default_file_may_be_written() {
    let config = load(&DEFAULTS.replace("sm2 = false", "sm2 = true")).expect("its own text");
    assert!(config.protocol.sm2);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = load("[server]\nisuer = \"x\"").err().expect("refused").to_string();
    assert!(error.contains("`server.isuer` is not known"), "{error}");
    assert!(error.contains("did you mean `server.issuer`?"), "{error}");
    assert!(load("[servr]\nissuer = \"x\"").is_err());
    assert!(load("issuer = \"x\"").is_err());
}

#[test]
fn a_secret_is_a_value_or_a_file_never_both() {
    let error = load("[sms]\nsecret = \"a\"\nsecret_file = \"b\"").err().expect("refused");
    assert!(error.to_string().contains("keep one of the two"));
    let error = load("[sms]\nsecret_file = \"missing\"").err().expect("refused");
    assert!(error.to_string().contains("/base/missing"));
}

#[test]
fn the_environment_overrides_the_file() {
    let variables = BTreeMap::from([
        ("TONGBAN__SERVER__LISTEN".to_owned(), "127.0.0.1:9".to_owned()),
        ("TONGBAN__LIMITS__CODES_PER_DAY".to_owned(), "7".to_owned()),
    ]);
    let config =
        Config::from_text("[server]\nlisten = \"x\"", &variables, Path::new(".")).expect("loads");
    assert_eq!(config.server.listen, "127.0.0.1:9");
    assert_eq!(config.limits.codes_per_day, 7);
    let variables = BTreeMap::from([("TONGBAN__SERVER__LISTN".to_owned(), String::new())]);
    assert!(Config::from_text("", &variables, Path::new(".")).is_err());
}

#[test]
fn a_wrong_type_is_a_sentence() {
    let error = load("[limits]\ncodes_per_day = \"many\"").err().expect("refused");
    assert!(error.to_string().contains("wrong kind"), "{error}");
}

#[test]
fn rfc_8705_6_5_certificates_are_asked_for_where_they_can_be_believed() {
    let certificates =
        |text: &str| load(text).and_then(|config| crate::listen::certificates(&config));
    let plain = certificates("").expect("defaults");
    assert!(!plain.asked && plain.address.is_none());
    for (contradiction, told) in [
        ("[tls]\nclient_certificates = \"require\"", "neither `off` nor `request`"),
        ("[tls]\nclient_certificates = \"request\"", "does not end TLS"),
        ("[tls]\nmtls_listen = \"127.0.0.1:8443\"", "does not end TLS"),
        ("[tls]\ncertificate_header = \"Client-Cert\"", "no proxy is trusted"),
        ("[tls]\ncertificate_header = \"a b\"", "no name of a header"),
        (
            "[server]\ntrusted_proxies = [\"10.0.0.1\"]\n[tls]\ncertificate_header = \"A\"\nclient_ca = \"x\"",
            "`tls.client_ca` holds something that is no certificate",
        ),
    ] {
        let error = certificates(contradiction).expect_err(contradiction).to_string();
        assert!(error.contains(told), "{error}");
    }
    let proxy = "[server]\nissuer = \"https://id.example\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    let behind = format!(
        "{proxy}[tls]\ncertificate_header = \"Client-Cert\"\nmtls_address = \"https://m.example/\""
    );
    let behind = certificates(&behind).expect("a proxy");
    assert_eq!(behind.header.as_ref().map(http::HeaderName::as_str), Some("client-cert"));
    assert_eq!((behind.asked, behind.address.as_deref()), (true, Some("https://m.example")));
    let second = "[server]\nissuer = \"https://id.example\"\n[tls]\ncertificate = \"x\"\nkey = \"y\"\nmtls_listen = \"0.0.0.0:8443\"";
    let second = certificates(second).expect("a second listener");
    assert_eq!(second.address.as_deref(), Some("https://id.example:8443"));
}

#[test]
fn half_an_identity_is_refused() {
    for half in ["certificate = \"x\"", "key = \"x\"", "certificate = \"x\"\nkey = \"y\""] {
        let config = load(&format!("[tls]\n{half}")).expect("loads");
        assert!(crate::listen::tls::Identity::open(&config.tls).is_err(), "{half}");
    }
    assert!(load("[tls]\nkey = \"x\"\nkey_file = \"y\"").is_err());
}
