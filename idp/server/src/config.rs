//! Configuration: the embedded default file, then the operator's file, then the environment.
//!
//! The default file is also the list of known keys: a key that it does not name (in use or behind
//! `#`) is an error that names the nearest one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

mod sections;
#[cfg(test)]
mod tests;

pub use sections::*;

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
            &mut self.audit.checkpoint,
            &mut self.payment.merchant_key_file,
            &mut self.payment.gateway_key_file,
            &mut self.outgoing.ca_file,
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
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
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
    ("tls", "certificate"),
    ("tls", "key"),
    ("tls", "client_ca"),
    ("tls", "client_crl"),
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
        // These are renewed while the program runs, and read again.
        if matches!((*section, *key), ("tls", "certificate" | "key" | "client_crl")) {
            keys.insert(format!("{key}_file"), Value::String(path.display().to_string()));
        }
    }
    Ok(())
}
