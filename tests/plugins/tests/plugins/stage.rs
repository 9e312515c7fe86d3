//! The real host with guests in it, and what a call is given.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use plugins_hall::call::{Actor, CaseSnapshot, Context, Event, Failure, Outcome, Quote};
use plugins_hall::catalogue::Catalogue;
use plugins_hall::port::{Documents, Runtime as _};
use plugins_host::{Compiler, Host, LoadError, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guest::Guest;

/// 2026-09-21 in China.
pub(crate) const NOW: i64 = 1_790_000_000_000;

/// Documents of the plugin that calls, as plugins/store gives them: only its own exist here.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) own: BTreeMap<(String, String), Value>,
    /// Whether an answer ever comes.
    pub(crate) deaf: bool,
    pub(crate) asked: AtomicUsize,
}

#[async_trait]
impl Documents for Shelf {
    async fn get(&self, collection: &str, id: &str) -> Result<Option<(Value, u64)>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.deaf {
            std::future::pending::<()>().await;
        }
        Ok(self.own.get(&(collection.to_owned(), id.to_owned())).map(|body| (body.clone(), 1)))
    }
}

/// A host with guests.
pub(crate) struct Stage {
    pub(crate) host: Host,
    _place: TempDir,
}

fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::embedded().unwrap())
}

/// A host without plugins.
pub(crate) fn host() -> Host {
    Host::new(Settings { cache: None, in_flight: 8, compiler: Compiler::Here }).unwrap()
}

/// Puts a component with its manifest into the host.
pub(crate) async fn load(host: &Host, manifest: &str, bytes: &[u8]) -> Result<String, LoadError> {
    let place = TempDir::new().unwrap();
    std::fs::write(place.path().join("plugin.toml"), manifest).unwrap();
    std::fs::write(place.path().join("component.wasm"), bytes).unwrap();
    host.load(place.path()).await
}

/// What the host says about a guest that it does not take.
pub(crate) async fn refused(mut guest: Guest) -> String {
    let host = host();
    let bytes = guest.build();
    let fault = load(&host, &guest.manifest(), &bytes).await.unwrap_err().to_string();
    assert!(host.standing().is_empty(), "nothing of it stays");
    fault
}

pub(crate) fn actor() -> Actor {
    Actor {
        subject: "pairwise".to_owned(),
        role: "citizen".to_owned(),
        proofing: 4,
        auth: 2,
        on_behalf_of: None,
    }
}

/// What a call about an item may see.
pub(crate) fn context(item: &str) -> Context {
    let quote = Quote {
        id: "standard".to_owned(),
        minor: 12_000,
        currency: "CNY".to_owned(),
        basis: "test".to_owned(),
    };
    let facts = [("region", "350102"), ("number", "350102199003072412"), ("age_over_16", "true")];
    Context {
        item: item.to_owned(),
        case: None,
        actor: actor(),
        now: NOW,
        attributes: facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        quotes: BTreeMap::from([("standard".to_owned(), quote)]),
        settings: BTreeMap::new(),
        seed: [7; 32],
        calendar: Arc::new(catalogue().calendar().clone()),
        documents: Arc::new(Shelf::default()),
    }
}

/// The submission of a case.
pub(crate) fn submitted() -> Event {
    event("case.submitted", json!({}))
}

/// An event of a case.
pub(crate) fn event(kind: &str, payload: Value) -> Event {
    Event { seq: 1, kind: kind.to_owned(), at: NOW, actor: actor(), payload }
}

/// A case of an item, in a state.
pub(crate) fn case(item: &str, state: &str, form: Value) -> CaseSnapshot {
    CaseSnapshot {
        number: "T0000000000000000".to_owned(),
        item: item.to_owned(),
        state: state.to_owned(),
        state_version: 1,
        data: json!({}),
        form,
        opened: NOW,
    }
}

impl Stage {
    /// The guest in a host, and a good one beside it.
    pub(crate) async fn with(guest: Guest) -> Self {
        let host = host();
        for mut guest in [guest, Guest::new("good")] {
            let bytes = guest.build();
            load(&host, &guest.manifest(), &bytes).await.unwrap();
        }
        Self { host, _place: TempDir::new().unwrap() }
    }

    /// `start` of a guest.
    pub(crate) async fn start(&self, id: &str) -> Result<Outcome, Failure> {
        self.start_in(context(&format!("{id}.item"))).await
    }

    pub(crate) async fn start_in(&self, context: Context) -> Result<Outcome, Failure> {
        self.host.start(context, submitted(), json!({})).await
    }

    pub(crate) async fn form(&self, id: &str) -> Result<Value, Failure> {
        self.host.form(context(&format!("{id}.item")), "apply", json!({})).await
    }

    /// Another call of the guest, and a call of the good one, end well.
    pub(crate) async fn unhurt(&self, id: &str) {
        assert_eq!(self.form(id).await.unwrap()["type"], "object", "the next call of {id}");
        assert_eq!(self.start("good").await.unwrap().transition.edge, "stay", "another plugin");
    }

    /// The guest's `start` fails with a code, twice the same, and nobody else is hurt.
    pub(crate) async fn breaks(&self, id: &str, code: &str) {
        for _ in 0..2 {
            match self.start(id).await {
                Err(Failure::Broken { code: found, cause }) => {
                    assert_eq!(found, code, "{id}: {cause}");
                }
                other => panic!("{id} gave {other:?}"),
            }
            self.unhurt(id).await;
        }
        assert!(self.host.standing().iter().all(|one| !one.quarantined));
    }
}
