//! What a call into a plugin costs over the same Rust called natively: the form of the passport
//! renewal (a read) and the submission of a case (a write), one after the other on one thread.
//!
//! ```sh
//! cargo build -p plugins-exit-entry --target wasm32-wasip2 --profile plugin
//! cargo run --release -p tests-plugins --example read -- \
//!     target/wasm32-wasip2/plugin/plugins_exit_entry.wasm
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use plugin_sdk::Guest as _;
use plugins_exit_entry::{Component, MANIFEST, PASSPORT};
use plugins_hall::call::{Actor, Context, Event, Quote};
use plugins_hall::catalogue::Catalogue;
use plugins_hall::port::{Documents, Runtime as _};
use plugins_host::{Compiler, Host, Settings};
use serde_json::{Value, json};

const WARM: usize = 1_000;
const CALLS: usize = 10_000;

struct Empty;

#[async_trait]
impl Documents for Empty {
    async fn get(&self, _: &str, _: &str) -> Result<Option<(Value, u64)>, String> {
        Ok(None)
    }
}

fn context() -> Context {
    let quote = Quote {
        id: "standard".to_owned(),
        minor: 12_000,
        currency: "CNY".to_owned(),
        basis: "bench".to_owned(),
    };
    Context {
        item: PASSPORT.to_owned(),
        case: None,
        actor: Actor {
            subject: "bench".to_owned(),
            role: "citizen".to_owned(),
            proofing: 4,
            auth: 2,
            on_behalf_of: None,
        },
        now: 1_790_000_000_000,
        attributes: BTreeMap::from([("region".to_owned(), "350102".to_owned())]),
        quotes: BTreeMap::from([("standard".to_owned(), quote)]),
        settings: BTreeMap::new(),
        seed: [7; 32],
        calendar: Arc::new(Catalogue::embedded().unwrap().calendar().clone()),
        documents: Arc::new(Empty),
    }
}

fn actor() -> plugin_sdk::Actor {
    plugin_sdk::Actor {
        subject: "bench".to_owned(),
        role: "citizen".to_owned(),
        proofing: 4,
        auth: 2,
        on_behalf_of: None,
    }
}

/// Prints the middle and the slow end of the calls.
fn told(name: &str, mut times: Vec<Duration>) -> Duration {
    times.drain(..WARM);
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 1_000];
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    println!("{name:<24} p50 {:>9.1?}  p99 {:>9.1?}  mean {mean:>9.1?}", at(500), at(990));
    at(500)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args().nth(1).expect("the component's file");
    let package = tempfile::tempdir().unwrap();
    let manifest = include_str!("../../../plugins/exit-entry/plugin.toml");
    std::fs::write(package.path().join("plugin.toml"), manifest).unwrap();
    std::fs::copy(path, package.path().join("component.wasm")).unwrap();
    let settings = Settings { cache: None, in_flight: 8, compiler: Compiler::Here };
    let host = Host::new(settings).unwrap();
    host.load(package.path()).await.unwrap();

    let (here, prefill) = (context(), json!({"name": "林晓", "region": "350102"}));
    let (mut native, mut hosted, mut written, mut plain) = (vec![], vec![], vec![], vec![]);
    for _ in 0..WARM + CALLS {
        let begun = Instant::now();
        let (item, step) = (PASSPORT.to_owned(), "apply".to_owned());
        let text = Component::form(item, step, actor(), prefill.to_string()).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        native.push(begun.elapsed());

        let begun = Instant::now();
        let same = host.form(here.clone(), "apply", prefill.clone()).await.unwrap();
        hosted.push(begun.elapsed());
        assert_eq!(schema, same);
    }
    let form = json!({"reason": "full", "registered_staff": "no", "delivery": "pickup"});
    let event = || Event {
        seq: 1,
        kind: "case.submitted".to_owned(),
        at: here.now,
        actor: here.actor.clone(),
        payload: json!({}),
    };
    let mut hall = plugin_sdk::testing::Hall::of(MANIFEST);
    for _ in 0..WARM + CALLS {
        let begun = Instant::now();
        let told = plugin_sdk::Event {
            seq: 1,
            kind: "case.submitted".to_owned(),
            at: 1_790_000_000_000,
            actor: actor(),
            payload: "{}".to_owned(),
        };
        let work = || Component::start(PASSPORT.to_owned(), told, form.to_string());
        assert_eq!(hall.run(work).unwrap().edge, "ask_fee");
        plain.push(begun.elapsed());
        assert_eq!(hall.wishes().len(), 1);

        let begun = Instant::now();
        let outcome = host.start(here.clone(), event(), form.clone()).await.unwrap();
        written.push(begun.elapsed());
        assert_eq!(outcome.effects.len(), 1);
    }
    let (a, b) = (told("form, native", native), told("form, in the host", hosted));
    println!("a plugin read adds {:.1?} at p50", b.saturating_sub(a));
    let (a, b) = (told("start, native", plain), told("start, in the host", written));
    println!("a plugin write adds {:.1?} at p50", b.saturating_sub(a));
}
