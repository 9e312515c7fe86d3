//! Who a component says it is, and whether its manifest says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use plugins_hall::call::{Actor, Context};
use plugins_hall::port::{Documents, WorkingDays};
use serde_json::{Value, json};

use crate::bindings::exports::tongban::service::plugin::Descriptor;
use crate::manifest::Manifest;

/// What the hall is told about a plugin.
pub(crate) fn descriptor(manifest: &Manifest, digest: &str) -> Value {
    json!({
        "id": manifest.id,
        "version": manifest.version,
        "state_version": manifest.state_version,
        "items": manifest.items,
        "digest": digest,
        "manifest": manifest,
    })
}

/// Compares the component with its manifest, which alone was read and approved.
///
/// # Errors
/// A sentence about the first difference.
pub(crate) fn agree(manifest: &Manifest, said: &Descriptor) -> Result<(), String> {
    let pairs = [
        ("id", manifest.id.as_str(), said.id.as_str()),
        ("version", manifest.version.as_str(), said.version.as_str()),
    ];
    for (what, written, told) in pairs {
        if written != told {
            let told: String = told.chars().take(80).collect();
            return Err(format!(
                "its {what} is {written} in plugin.toml and {told} in the component"
            ));
        }
    }
    if manifest.state_version != said.state_version {
        return Err(format!(
            "its state_version is {} in plugin.toml and {} in the component",
            manifest.state_version, said.state_version
        ));
    }
    let written: BTreeSet<&str> = manifest.items.iter().map(String::as_str).collect();
    let told: BTreeSet<&str> = said.items.iter().map(|item| item.code.as_str()).collect();
    if written == told {
        return Ok(());
    }
    Err("plugin.toml and the component name different items".to_owned())
}

/// The context of a call that stands for nobody.
pub(crate) fn nowhere() -> Context {
    Context {
        item: String::new(),
        case: None,
        actor: Actor {
            subject: "system".to_owned(),
            role: "timer".to_owned(),
            proofing: 0,
            auth: 0,
            on_behalf_of: None,
        },
        now: 0,
        attributes: BTreeMap::new(),
        quotes: BTreeMap::new(),
        settings: BTreeMap::new(),
        seed: [0; 32],
        calendar: Arc::new(Nothing),
        documents: Arc::new(Nothing),
    }
}

struct Nothing;

impl WorkingDays for Nothing {
    fn add_working_days(&self, at: i64, _days: i32) -> i64 {
        at
    }
}

#[async_trait]
impl Documents for Nothing {
    async fn get(&self, _: &str, _: &str) -> Result<Option<(Value, u64)>, String> {
        Ok(None)
    }
}
