//! The plugin that ships and the smallest one: built as a department builds it, made of what it needs and no more, and
//! able to answer in the real host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use plugins_hall::call::{Effect, Failure};
use plugins_hall::port::Runtime as _;
use plugins_host::admit;
use plugins_host::manifest::Manifest;
use serde_json::{Value, json};

use crate::stage::{case, context, event, host, load};

const TARGET: &str = "wasm32-wasip2";
const MANIFEST: &str = include_str!("../../../../plugins/exit-entry/plugin.toml");
const PASSPORT: &str = "exit-entry.passport-renewal";

fn component() -> &'static [u8] {
    &built().0
}

/// Builds both once; where the compiler lacks the target, rustup adds it.
fn built() -> &'static (Vec<u8>, Vec<u8>) {
    static BUILT: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
        let has = |out: &[u8]| String::from_utf8_lossy(out).lines().any(|line| line == TARGET);
        if listed.is_ok_and(|listed| !has(&listed.stdout)) {
            let added = Command::new("rustup").args(["target", "add", TARGET]).status();
            assert!(added.unwrap().success(), "rustup target add {TARGET}");
        }
        let output = Command::new(env!("CARGO"))
            .current_dir(&root)
            .args(["build", "--message-format", "json-render-diagnostics"])
            .args(["-p", "plugins-exit-entry", "-p", "plugin-sdk-examples-library-card"])
            .args(["--target", TARGET, "--profile", "plugin"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        // Cargo says where it put them, whatever target directory is set.
        let files: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| message["filenames"].as_array().cloned())
            .flatten()
            .filter_map(|file| file.as_str().map(PathBuf::from))
            .collect();
        let named = |name: &str| {
            let file = files.iter().find(|file| file.ends_with(format!("{name}.wasm"))).unwrap();
            std::fs::read(file).unwrap()
        };
        (named("plugins_exit_entry"), named("plugin_sdk_examples_library_card"))
    })
}

#[test]
fn it_imports_what_it_uses_and_nothing_else() {
    let mut imports = admit::imports(component()).unwrap();
    imports.retain(|name| name.starts_with("tongban:"));
    imports.sort();
    assert_eq!(
        imports,
        [
            "tongban:express/shipment@1.0.0",
            "tongban:files/document@1.0.0",
            "tongban:flow/flow@1.0.0",
            "tongban:identity/identity@1.0.0",
            "tongban:kit/calendar@1.0.0",
            "tongban:notify/message@1.0.0",
            "tongban:pay/payment@1.0.0",
            "tongban:service/model@1.0.0",
            "tongban:types/types@1.0.0",
        ]
    );
    assert!(component().len() < 400_000, "{} bytes", component().len());
}

#[test]
fn each_grant_of_its_manifest_is_needed() {
    let imports = admit::imports(component()).unwrap();
    let check = |manifest: &Manifest| admit::check(imports.iter().map(String::as_str), manifest);
    assert_eq!(check(&Manifest::parse(MANIFEST).unwrap()), Ok(()));
    for grant in ["identity", "pay", "express", "files", "notify", "flow"] {
        // The table goes on under another name that the manifest does not look at.
        let mut manifest = Manifest::parse(MANIFEST).unwrap();
        match grant {
            "identity" => manifest.grants.identity = None,
            "pay" => manifest.grants.pay = None,
            "express" => manifest.grants.express = None,
            "files" => manifest.grants.files = None,
            "notify" => manifest.grants.notify = None,
            _ => manifest.grants.flow = None,
        }
        let fault = check(&manifest).unwrap_err();
        assert!(fault.contains(&format!("[grants.{grant}]")), "{fault}");
    }
}

#[tokio::test]
async fn it_answers_in_the_real_host_within_its_limits() {
    let host = host();
    assert_eq!(load(&host, MANIFEST, component()).await.unwrap(), "exit-entry");
    let schema = host.form(context(PASSPORT), "apply", json!({"name": "林晓"})).await.unwrap();
    let mut form = json!({});
    for (name, field) in schema["properties"].as_object().unwrap() {
        if let Some(example) = field.get("examples").and_then(|all| all.get(0)) {
            form[name] = example.clone();
        }
    }
    let faults = host.validate(context(PASSPORT), "apply", form.clone()).await.unwrap();
    assert_eq!(faults, vec![], "the published examples are accepted");
    form["address"] = json!("");
    let faults = host.validate(context(PASSPORT), "apply", form.clone()).await.unwrap();
    assert_eq!(faults[0].field.as_deref(), Some("address"));

    let asked = event("case.submitted", json!({}));
    let started = host.start(context(PASSPORT), asked, form.clone()).await.unwrap();
    assert_eq!(started.transition.edge, "ask_fee");
    assert!(
        matches!(&started.effects[..], [Effect::RequestPayment { quote, .. }] if quote == "standard")
    );
    assert_eq!(started.version, "1.0.0");

    let mut paid = context(PASSPORT);
    paid.case = Some(case(PASSPORT, "paid", form));
    let decided = host.advance(paid, event("payment.settled", json!({}))).await.unwrap();
    assert_eq!(decided.transition.edge, "approve", "{:?}", decided.transition.reasons);
    assert!(decided.transition.reasons.iter().all(|reason| reason.len() == 2));
    let used = decided.usage;
    assert!(used.memory < 8 << 20 && used.host_calls < 10, "{used:?}");
}

#[tokio::test]
async fn the_smallest_plugin_answers_beside_it() {
    let manifest = include_str!("../../../../plugin-sdk/examples/library-card/plugin.toml");
    let (large, small) = built();
    let imports = admit::imports(small).unwrap();
    let own: Vec<&str> =
        imports.iter().map(String::as_str).filter(|i| i.starts_with("tongban:")).collect();
    for unused in ["pay", "notify", "express", "identity", "store", "kit"] {
        assert!(!own.iter().any(|name| name.contains(&format!(":{unused}/"))), "{own:?}");
    }
    let host = host();
    load(&host, MANIFEST, large).await.unwrap();
    assert_eq!(load(&host, manifest, small).await.unwrap(), "library-card");
    let item = "library-card.card";
    let schema = host.form(context(item), "apply", json!({})).await.unwrap();
    assert_eq!(schema["properties"]["wants"]["enum"], json!(["books", "rare-books"]));
    assert_eq!(schema["properties"]["age"]["minimum"], 3);
    for (form, edge) in [
        (json!({"age": 30, "wants": "books"}), "approve"),
        (json!({"age": 30, "wants": "rare-books"}), "review"),
    ] {
        let asked = event("case.submitted", json!({}));
        let outcome = host.start(context(item), asked, form).await.unwrap();
        assert_eq!(outcome.transition.edge, edge);
        assert_eq!(outcome.transition.data, json!({}));
    }
    let mut approved = context(item);
    approved.case = Some(case(item, "approved", json!({"age": 30, "wants": "books"})));
    let made = host.advance(approved.clone(), event("decision.approved", json!({}))).await.unwrap();
    assert_eq!(made.transition.edge, "make");
    assert!(
        matches!(&made.effects[..], [Effect::IssueDocument { template, .. }] if template == "library-card")
    );
    let other = host.advance(approved.clone(), event("case.rated", json!({}))).await.unwrap();
    assert_eq!(other.transition.edge, "stay");
    // A form of another age than the plugin: a problem, nothing broken.
    approved.case = Some(case(item, "approved", json!({"age": "old"})));
    let odd = host.advance(approved, event("decision.approved", json!({}))).await;
    assert!(matches!(odd, Err(Failure::Refused(problem)) if problem.code == "age.unreadable"));
}
