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
