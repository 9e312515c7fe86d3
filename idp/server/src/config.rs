//! Configuration: the embedded default file, then the operator's file, then the environment.
//!
//! The default file is also the list of known keys: a key that it does not name (in use or behind
//! `#`) is an error that names the nearest one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

/// The commented default file, as shipped.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// A configuration that cannot be used, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{problem}\nhint: {hint}")]
pub struct ConfigError {
    problem: String,
    hint: String,
}

impl ConfigError {
    /// A sentence and a hint.
    pub fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Issuer identifier (OpenID Connect Discovery 1.0 §3), without a trailing slash.
    pub issuer: String,
    /// `address:port`.
    pub listen: String,
    /// `address:port`, or empty.
    pub metrics_listen: String,
    /// Bytes.
    pub max_body_bytes: usize,
    /// Seconds.
    pub shutdown_seconds: u64,
    /// Written by `tongban demo`.
    pub demo: bool,
}

/// `[database]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`.
    pub url: String,
    /// Pool size.
    pub connections: u32,
}

/// `[secrets]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 32 bytes, base64url.
    #[serde(default)]
    pub master: String,
}

/// `[registration]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// `off`.
    pub mode: String,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Failures of one account from one network within the window.
    pub signin_failures_per_account: u32,
    /// Failures of one network within the window.
    pub signin_failures_per_network: u32,
    /// Minutes.
    pub signin_window_minutes: u32,
    /// Messages to one number within an hour.
    pub codes_per_phone_per_hour: u32,
    /// Messages within a day.
    pub codes_per_day: u32,
    /// Register matches of one network within an hour.
    pub register_matches_per_network_per_hour: u32,
}

/// `[sessions]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Minutes.
    pub idle_minutes: u32,
    /// Hours.
    pub absolute_hours: u32,
    /// Minutes.
    pub staff_idle_minutes: u32,
    /// Hours.
    pub staff_absolute_hours: u32,
}

/// `[plugins]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Directory of packages.
    pub directory: PathBuf,
    /// Directory of compiled components.
    pub cache: PathBuf,
    /// Calls into plugins that run at once.
    pub in_flight: u32,
}

/// `[items]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// Codes of items that an officer decides.
    pub person_decides: Vec<String>,
}

/// `[payment]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// Base address, or empty.
    pub gateway: String,
    /// 15 digits.
    pub merchant_id: String,
    /// RSA private key, PKCS#8 DER.
    #[serde(default)]
    pub merchant_key_file: PathBuf,
    /// RSA public key of the gateway, DER.
    #[serde(default)]
    pub gateway_key_file: PathBuf,
}

/// `[express]`, `[register]` and `[face]`: a counterpart spoken to over HTTP.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCounterpart {
    /// Base address, or empty.
    pub url: String,
    /// Shared secret of the message authentication code.
    #[serde(default)]
    pub secret: String,
    /// Where a browser reaches it, if elsewhere.
    #[serde(default)]
    pub page: String,
}

/// `[sms]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// `address:port`, or empty.
    pub address: String,
    /// CMPP `Source_Addr`.
    pub source: String,
    /// CMPP `Src_Id`.
    pub sender: String,
    /// Shared secret.
    #[serde(default)]
    pub secret: String,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter of `tracing`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

/// The whole configuration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[database]`
    pub database: Database,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[registration]`
    pub registration: Registration,
    /// `[limits]`
    pub limits: Limits,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[plugins]`
    pub plugins: Plugins,
    /// `[items]`
    pub items: Items,
    /// `[payment]`
    pub payment: Payment,
    /// `[express]`
    pub express: HttpCounterpart,
    /// `[sms]`
    pub sms: Sms,
    /// `[register]`
    pub register: HttpCounterpart,
    /// `[face]`
    pub face: HttpCounterpart,
    /// `[log]`
    pub log: Log,
}

impl Config {
    /// Reads `file`, lays the environment's `TONGBAN__SECTION__KEY` values over it, and checks.
    /// Relative paths in the file are relative to the file's directory.
    ///
    /// # Errors
    /// A sentence and a hint: unreadable file, unknown key, wrong type, two forms of one secret.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|cause| {
            ConfigError::new(
                format!("The configuration file {} cannot be read: {cause}.", file.display()),
                "give its path with --config, or --data DIR for a demo's data",
            )
        })?;
        let base = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::from_text(&text, &environment(), &base)
    }

    /// The same from a text and explicit variables, for tests.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(
        text: &str,
        variables: &BTreeMap<String, String>,
        base: &Path,
    ) -> Result<Self, ConfigError> {
        let mut table = parse(DEFAULTS)?;
        let known = known_keys();
        let own = parse(text)?;
        refuse_unknown(&own, &known)?;
        refuse_both_forms(&own)?;
        merge(&mut table, own);
        let from_environment = environment_table(variables, &known)?;
        refuse_both_forms(&from_environment)?;
        drop_other_forms(&mut table, &from_environment);
        merge(&mut table, from_environment);
        read_secret_files(&mut table, base)?;
        let mut config: Self = Value::Table(table).try_into().map_err(|cause| {
            ConfigError::new(
                format!("The configuration has a value of the wrong kind: {cause}"),
                "compare with `tongban config` which prints every key with its default",
            )
        })?;
        config.resolve(base);
        Ok(config)
    }

    fn resolve(&mut self, base: &Path) {
        for path in [
            &mut self.plugins.directory,
            &mut self.plugins.cache,
            &mut self.payment.merchant_key_file,
            &mut self.payment.gateway_key_file,
        ] {
            if path.is_relative() && !path.as_os_str().is_empty() {
                *path = base.join(&*path);
            }
        }
        if let Some(path) = self.database.url.strip_prefix("sqlite://")
            && Path::new(path).is_relative()
        {
            self.database.url = format!("sqlite://{}", base.join(path).display());
        }
    }
}

#[allow(clippy::disallowed_methods)] // The one place that reads the environment.
fn environment() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("TONGBAN__")).collect()
}

fn parse(text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|cause| {
        ConfigError::new(
            format!("The configuration is not valid TOML: {cause}"),
            "strings stand in quotes, sections in [brackets]",
        )
    })
}

/// Every `section.key` of the default file, also those behind `#`.
fn known_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some((name, _)) = line.split_once(" = ")
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            keys.insert(format!("{section}.{name}"));
        }
    }
    keys
}

fn refuse_unknown(table: &Table, known: &BTreeSet<String>) -> Result<(), ConfigError> {
    for (section, value) in table {
        let Some(keys) = value.as_table() else {
            return Err(unknown(section, known));
        };
        for key in keys.keys() {
            let path = format!("{section}.{key}");
            if !known.contains(&path) {
                return Err(unknown(&path, known));
            }
        }
    }
    Ok(())
}

fn unknown(path: &str, known: &BTreeSet<String>) -> ConfigError {
    let nearest = known.iter().min_by_key(|candidate| distance(path, candidate));
    ConfigError::new(
        format!("The configuration key `{path}` is not known."),
        nearest.map_or_else(String::new, |nearest| format!("did you mean `{nearest}`?")),
    )
}

/// Levenshtein distance; keys are short.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let cost = diagonal + usize::from(a != *b);
            diagonal = *cell;
            *cell = cost.min(previous + 1).min(diagonal + 1);
            previous = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn environment_table(
    variables: &BTreeMap<String, String>,
    known: &BTreeSet<String>,
) -> Result<Table, ConfigError> {
    let mut table = Table::new();
    for (name, text) in variables {
        let path = name.trim_start_matches("TONGBAN__").to_lowercase().replace("__", ".");
        if !known.contains(&path) {
            return Err(unknown(&path, known));
        }
        let (section, key) = path.split_once('.').unwrap_or((path.as_str(), ""));
        let value = format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("value"))
            .unwrap_or_else(|| Value::String(text.clone()));
        if let Value::Table(keys) =
            table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()))
        {
            keys.insert(key.to_owned(), value);
        }
    }
    Ok(table)
}

const SECRETS: &[(&str, &str)] = &[
    ("database", "url"),
    ("secrets", "master"),
    ("express", "secret"),
    ("sms", "secret"),
    ("register", "secret"),
    ("face", "secret"),
];

fn refuse_both_forms(table: &Table) -> Result<(), ConfigError> {
    for (section, key) in SECRETS {
        let Some(keys) = table.get(*section).and_then(Value::as_table) else { continue };
        if keys.contains_key(*key) && keys.contains_key(&format!("{key}_file")) {
            return Err(ConfigError::new(
                format!("Both `{section}.{key}` and `{section}.{key}_file` are set."),
                "keep one of the two",
            ));
        }
    }
    Ok(())
}

/// The environment overrides whichever form the file used.
fn drop_other_forms(below: &mut Table, above: &Table) {
    for (section, key) in SECRETS {
        let Some(set) = above.get(*section).and_then(Value::as_table) else { continue };
        let file_key = format!("{key}_file");
        if let Some(keys) = below.get_mut(*section).and_then(Value::as_table_mut) {
            if set.contains_key(*key) {
                keys.remove(&file_key);
            }
            if set.contains_key(&file_key) {
                keys.remove(*key);
            }
        }
    }
}

fn read_secret_files(table: &mut Table, base: &Path) -> Result<(), ConfigError> {
    for (section, key) in SECRETS {
        let Some(keys) = table.get_mut(*section).and_then(Value::as_table_mut) else { continue };
        let Some(file) = keys.remove(&format!("{key}_file")) else { continue };
        let path = base.join(file.as_str().unwrap_or_default());
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            ConfigError::new(
                format!("`{section}.{key}_file` names {}: {cause}.", path.display()),
                "the file must exist and be readable by this user",
            )
        })?;
        keys.insert((*key).to_owned(), Value::String(text.trim().to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let config = Config::from_text("[server]\nlisten = \"x\"", &variables, Path::new("."))
            .expect("loads");
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
}
