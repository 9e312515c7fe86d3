//! What a plugin may see during one call, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugins_hall::call::{Actor, CaseSnapshot, Context, Event};
use plugins_hall::catalogue::Item;
use plugins_hall::form;
use plugins_hall::key;
use plugins_store::case::Case;
use plugins_store::document::PluginDocuments;
use plugins_store::event::CaseEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Shared;
use crate::error::EngineError;

/// Facts that a plugin may be granted; the key of the audit chain is none.
const FACTS: &[&str] = &[
    "name",
    "sex",
    "birth_date",
    "region",
    "number",
    "number_masked",
    "phone",
    "phone_masked",
    "address",
    "proofing_level",
    "age_over_16",
    "age_over_18",
];

/// A form as it is kept: what was entered, and which fields the plugin sees as references only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Filed {
    pub(crate) values: Value,
    pub(crate) hidden: Vec<String>,
}

impl Filed {
    pub(crate) fn of(case: &Case) -> Self {
        serde_json::from_value(case.form.clone()).unwrap_or_default()
    }

    /// The form as the plugin sees it: telephone numbers, addresses and document numbers are
    /// references that the host resolves.
    pub(crate) fn seen(&self) -> Value {
        let mut seen = self.values.clone();
        for path in &self.hidden {
            let pointer = format!("/{}", path.replace('.', "/"));
            if let Some(value) = seen.pointer_mut(&pointer) {
                *value = json!(format!("ref:{path}"));
            }
        }
        seen
    }
}

/// The fields of a schema that reach the plugin as references, unless its grant names them.
pub(crate) fn hidden(schema: &Value, granted: &[String]) -> Vec<String> {
    form::fields(schema)
        .into_iter()
        .filter(|field| {
            let format = field.schema.get("format").and_then(Value::as_str).unwrap_or_default();
            matches!(format, "phone" | "address" | "document-number") && !field.locked()
        })
        .map(|field| field.path)
        .filter(|path| !granted.contains(path))
        .collect()
}

impl Shared {
    /// The attributes that the manifest of a plugin asks for.
    pub(crate) fn granted(&self, plugin: &str) -> Vec<String> {
        let descriptors = self.parts.runtime.descriptors();
        let names = descriptors
            .get(plugin)
            .and_then(|one| one.pointer("/manifest/grants/identity/attributes"))
            .and_then(Value::as_array);
        let text = |name: &Value| name.as_str().map(str::to_owned);
        names.into_iter().flatten().filter_map(text).collect()
    }

    /// The applicant as a plugin knows them: another pseudonym for each plugin.
    pub(crate) fn actor(&self, plugin: &str, subject: &str, proofing: u8, auth: u8) -> Actor {
        let pairwise = format!("{plugin} {subject}");
        let subject = self.parts.db.vault().blind("plugin.subject", &pairwise);
        Actor { subject, role: "citizen".to_owned(), proofing, auth, on_behalf_of: None }
    }

    /// Verified facts that the plugin was granted.
    pub(crate) async fn attributes(
        &self,
        plugin: &str,
        subject: &str,
    ) -> Result<BTreeMap<String, String>, EngineError> {
        let granted = self.granted(plugin);
        let names: Vec<&str> =
            granted.iter().map(String::as_str).filter(|name| FACTS.contains(name)).collect();
        // The empty subject is nobody in particular: a form with no fact filled in.
        if names.is_empty() || subject.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self.parts.identity.facts(subject, &names).await?)
    }

    /// Everything for one call about `item`.
    pub(crate) fn context(
        &self,
        item: &Item,
        actor: Actor,
        attributes: BTreeMap<String, String>,
        now: i64,
        seed: &[&str],
    ) -> Context {
        let settings = self.parts.settings.items.get(&item.code).cloned().unwrap_or_default();
        Context {
            item: item.code.clone(),
            case: None,
            actor,
            now,
            attributes,
            quotes: item.quotes_at(now),
            settings,
            seed: key::hash(seed),
            calendar: Arc::new(self.catalogue.calendar().clone()),
            documents: Arc::new(PluginDocuments {
                db: self.parts.db.clone(),
                plugin: item.plugin.clone(),
            }),
        }
    }

    /// Whether the item's rule may approve: it may unless the operator has switched it off.
    pub(crate) fn auto_approve(&self, item: &str) -> bool {
        let settings = self.parts.settings.items.get(item);
        settings.and_then(|one| one.get("auto_approve")).is_none_or(|value| value != "false")
    }
}

/// The case as the plugin sees it.
pub(crate) fn snapshot(case: &Case) -> CaseSnapshot {
    CaseSnapshot {
        number: case.number.clone(),
        item: case.item.clone(),
        state: case.state.clone(),
        state_version: u32::try_from(case.state_version).unwrap_or_default(),
        data: case.data.clone(),
        form: Filed::of(case).seen(),
        opened: case.opened_at,
    }
}

/// The event as the plugin hears it: an officer's id stays here.
pub(crate) fn heard(event: &CaseEvent, applicant: &Actor) -> Event {
    let role = event.actor.split(':').next().unwrap_or_default();
    let actor = match role {
        "citizen" => applicant.clone(),
        role => Actor {
            subject: "system".to_owned(),
            role: if role == "system" { "timer" } else { role }.to_owned(),
            proofing: 0,
            auth: 0,
            on_behalf_of: None,
        },
    };
    let payload = event.payload.clone();
    Event { seq: event.seq, kind: event.kind.clone(), at: event.at, actor, payload }
}
