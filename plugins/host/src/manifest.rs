//! `plugin.toml`: what a plugin is and what it may do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The manifest of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Id; the first part of its items' codes.
    pub id: String,
    /// Version of the package.
    pub version: String,
    /// World that it was built for.
    pub world: String,
    /// Department that answers for it.
    pub department: String,
    /// Version of its own data.
    pub state_version: u32,
    /// Items that it serves.
    pub items: Vec<String>,
    /// Texts of the messages that it sends, by template and language (`zh-CN`, `en`); `{name}`
    /// stands for a parameter, `{number}` for the case's number.
    #[serde(default)]
    pub messages: BTreeMap<String, BTreeMap<String, String>>,
    /// What it may do; an interface that is absent is not linked.
    #[serde(default)]
    pub grants: Grants,
    /// What one call may use.
    #[serde(default)]
    pub limits: Limits,
    /// The component that the manifest speaks of.
    #[serde(default)]
    pub component: Option<Digest>,
}

/// The component's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256, hex.
    pub sha256: String,
}

/// Granted interfaces, each with the names that it may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Verified facts.
    pub identity: Option<Identity>,
    /// Queues of officers, notes, the clock.
    pub flow: Option<Flow>,
    /// Collections of its own documents.
    pub store: Option<Store>,
    /// Quotes that it may ask for.
    pub pay: Option<Pay>,
    /// Templates of messages.
    pub notify: Option<Templates>,
    /// Kinds of parcels.
    pub express: Option<Express>,
    /// Templates of documents.
    pub files: Option<Templates>,
}

/// See [`Grants::identity`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Names of facts.
    pub attributes: Vec<String>,
}

/// See [`Grants::flow`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Names of queues.
    pub queues: Vec<String>,
}

/// See [`Grants::store`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Names of collections.
    pub collections: Vec<String>,
}

/// See [`Grants::pay`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// Names of quotes of the catalogue.
    pub quotes: Vec<String>,
}

/// See [`Grants::notify`] and [`Grants::files`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// Names of templates.
    pub templates: Vec<String>,
}

/// See [`Grants::express`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Express {
    /// Kinds of parcels.
    pub kinds: Vec<String>,
}

/// What one call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory, MiB.
    pub memory_mb: u32,
    /// CPU time, milliseconds.
    pub cpu_ms: u32,
    /// Wall time, milliseconds.
    pub wall_ms: u32,
    /// Number of host calls.
    pub host_calls: u32,
    /// Everything that it hands to the host in one call, KiB.
    pub output_kb: u32,
    /// Its calls that run at once; further ones wait a little, then the caller tries again.
    pub in_flight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mb: 32,
            cpu_ms: 200,
            wall_ms: 2_000,
            host_calls: 100,
            output_kb: 256,
            in_flight: 16,
        }
    }
}

/// What the product allows at most, whatever a manifest says.
const CEILING: Limits = Limits {
    memory_mb: 64,
    cpu_ms: 1_000,
    wall_ms: 5_000,
    host_calls: 500,
    output_kb: 1_024,
    in_flight: 64,
};

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// A sentence about the first fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|cause| cause.to_string())?;
        if manifest.world != "tongban:service/service@1.0.0" {
            return Err(format!("the world {} is not served here", manifest.world));
        }
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if manifest.id.is_empty() || !manifest.id.chars().all(named) {
            return Err("the id is not made of lower-case letters, digits and hyphens".to_owned());
        }
        let prefix = format!("{}.", manifest.id);
        if let Some(item) = manifest.items.iter().find(|item| !item.starts_with(&prefix)) {
            return Err(format!("the item {item} does not begin with {prefix}"));
        }
        let asked = manifest.limits;
        let over = asked.memory_mb > CEILING.memory_mb
            || asked.cpu_ms > CEILING.cpu_ms
            || asked.wall_ms > CEILING.wall_ms
            || asked.host_calls > CEILING.host_calls
            || asked.output_kb > CEILING.output_kb
            || asked.in_flight > CEILING.in_flight;
        if over {
            return Err(format!("limits above the product's own: {CEILING:?}"));
        }
        if asked.in_flight == 0 || asked.memory_mb == 0 || asked.cpu_ms == 0 {
            return Err("a limit of nothing lets no call run".to_owned());
        }
        manifest.worded()?;
        Ok(manifest)
    }

    /// Every template that may be sent has its words in both languages.
    fn worded(&self) -> Result<(), String> {
        let templates = self.grants.notify.as_ref().map(|grant| grant.templates.as_slice());
        for template in templates.unwrap_or_default() {
            let texts = self.messages.get(template);
            for language in ["zh-CN", "en"] {
                if texts.and_then(|texts| texts.get(language)).is_none_or(String::is_empty) {
                    return Err(format!(
                        "the message {template} has no text in {language}\nhint: add it to [messages.{template}]"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Interfaces that are granted, by package name, with the line that grants them.
    #[must_use]
    pub fn granted(&self) -> BTreeMap<&'static str, bool> {
        let grants = &self.grants;
        BTreeMap::from([
            ("identity", grants.identity.is_some()),
            ("flow", grants.flow.is_some()),
            ("store", grants.store.is_some()),
            ("pay", grants.pay.is_some()),
            ("notify", grants.notify.is_some()),
            ("express", grants.express.is_some()),
            ("files", grants.files.is_some()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../exit-entry/plugin.toml");

    #[test]
    fn the_shipped_manifest_reads_and_each_fault_is_told() {
        assert_eq!(Manifest::parse(GOOD).unwrap().id, "exit-entry");
        let faults = [
            ("service@1.0.0", "service@9.0.0", "world"),
            ("\"exit-entry\"\nversion", "\"Exit Entry\"\nversion", "lower-case"),
            ("exit-entry.passport", "traffic.passport", "begin"),
            ("memory_mb = 32", "memory_mb = 3200", "limits"),
            ("[grants.pay]", "[grants.money]", "unknown"),
        ];
        for (from, to, word) in faults {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            let fault = Manifest::parse(&text).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
