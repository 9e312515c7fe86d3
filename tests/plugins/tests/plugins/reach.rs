//! Guests that reach for what is not theirs: what is not granted is not linked, what is granted by
//! name is refused by name, as a value.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use plugins_hall::call::Effect;
use serde_json::json;

use crate::guest::Guest;
use crate::stage::{NOW, Shelf, Stage, context, host, load, refused};

#[tokio::test]
async fn sockets_files_clocks_and_outgoing_calls_are_not_to_be_had() {
    let manifest = Guest::new("reaches").manifest();
    for wanted in [
        "wasi:sockets/tcp@0.2.6",
        "wasi:sockets/udp-create-socket@0.2.6",
        "wasi:filesystem/types@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:clocks/wall-clock@0.2.6",
        "wasi:clocks/monotonic-clock@0.2.6",
        "wasi:random/random@0.2.6",
        "evil:host/shell@1.0.0",
        "env",
    ] {
        let text = format!("(component (import \"{wanted}\" (instance)))");
        let text = if wanted == "env" { text.replace("(instance)", "(func)") } else { text };
        let bytes = wat::parse_str(text).unwrap();
        let fault = load(&host(), &manifest, &bytes).await.unwrap_err().to_string();
        assert!(fault.contains("which no plugin may have") && fault.contains(wanted), "{fault}");
    }
}

#[tokio::test]
async fn an_interface_without_a_grant_is_refused_with_the_missing_line() {
    let text = "(param i32 i32 i32 i32 i32)";
    for (interface, name, signature, call, line) in [
        (
            "tongban:pay/payment@1.0.0",
            "request",
            "(param i32 i32 i32 i32 i32 i32 i32)",
            "(call $request (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))",
            "[grants.pay]",
        ),
        (
            "tongban:flow/flow@1.0.0",
            "note",
            text,
            "(call $note (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))",
            "[grants.flow]",
        ),
        (
            "tongban:identity/identity@1.0.0",
            "attribute",
            "(param i32 i32 i32)",
            "(call $attribute (i32.const 0) (i32.const 0) (i32.const 16))",
            "[grants.identity]",
        ),
        (
            "tongban:store/docs@1.0.0",
            "get",
            text,
            "(call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))",
            "[grants.store]",
        ),
    ] {
        let guest = Guest::new("reaches").import(interface, name, signature);
        let guest = guest.start(&format!("{call} (unreachable)"));
        let fault = refused(guest).await;
        assert!(fault.contains(interface) && fault.contains(line), "{fault}");
    }
}

#[tokio::test]
async fn a_core_module_rubbish_and_another_world_are_no_plugins() {
    let manifest = Guest::new("reaches").manifest();
    let core = wat::parse_str("(module)").unwrap();
    for (bytes, word) in [
        (core.as_slice(), "core module"),
        (b"\0asm".as_slice(), "no WebAssembly"),
        (b"MZ rubbish".as_slice(), "no WebAssembly"),
        (b"".as_slice(), "not admitted"),
        (&wat::parse_str("(component)").unwrap(), "not admitted"),
    ] {
        let fault = load(&host(), &manifest, bytes).await.unwrap_err().to_string();
        assert!(fault.contains(word), "{fault}");
    }
    let many = "(core module $m) ".to_owned() + &"(core instance (instantiate $m)) ".repeat(60);
    let many = wat::parse_str(format!("(component {many})")).unwrap();
    assert!(load(&host(), &manifest, &many).await.is_err(), "sixty instances in one");
}

/// Reads an attribute, and answers with an edge that tells whether it was given: `given`, `none` or
/// `denied`.
fn asking(name: &str) -> Guest {
    let mut guest = Guest::new("asks")
        .import("tongban:identity/identity@1.0.0", "attribute", "(param i32 i32 i32)")
        .grants("[grants.identity]\nattributes = [\"region\", \"name\"]");
    let name = guest.text(name);
    let edges = ["given", "none", "denied"].map(|edge| guest.answer(edge, "{}"));
    // result<option<string>, problem>: the case at 16, the option's at 20.
    let body = format!(
        "(call $attribute (i32.const {}) (i32.const {}) (i32.const 16))
         (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.const {denied}))
           (else (if (result i32) (i32.load8_u (i32.const 20))
             (then (i32.const {given})) (else (i32.const {none})))))",
        name.0,
        name.1,
        given = edges[0],
        none = edges[1],
        denied = edges[2],
    );
    guest.start(&body)
}

#[tokio::test]
async fn an_attribute_that_is_not_granted_is_denied_as_a_value_and_kept_for_the_audit() {
    // The context of a call holds the number, as if the engine had been careless.
    for (name, edge) in [
        ("region", "given"),
        ("name", "none"),
        ("number", "denied"),
        ("person_id", "denied"),
        ("Region", "denied"),
        ("", "denied"),
    ] {
        let stage = Stage::with(asking(name)).await;
        let outcome = stage.start("asks").await.unwrap();
        assert_eq!(outcome.transition.edge, edge, "{name}");
        let [call] = &outcome.calls[..] else { panic!("{:?}", outcome.calls) };
        assert_eq!(
            (call.function.as_str(), call.allowed),
            ("identity.attribute", edge != "denied")
        );
        let kept = serde_json::to_string(&outcome.calls).unwrap();
        assert!(!kept.contains("350102199003072412"), "{kept}");
    }
}

#[tokio::test]
async fn documents_of_other_collections_are_denied_and_the_store_is_not_even_asked() {
    let build = |collection: &str, id: &str| {
        let mut guest = Guest::new("guesses")
            .import("tongban:store/docs@1.0.0", "get", "(param i32 i32 i32 i32 i32)")
            .grants("[grants.store]\ncollections = [\"notes\"]");
        let (collection, id) = (guest.text(collection), guest.text(id));
        let edges = ["found", "none", "denied"].map(|edge| guest.answer(edge, "{}"));
        // result<option<doc>, problem>: a doc holds a u64, so the option's case stands at 24.
        let body = format!(
            "(call $get (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))
             (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.const {denied}))
               (else (if (result i32) (i32.load8_u (i32.const 24))
                 (then (i32.const {found})) (else (i32.const {none})))))",
            collection.0,
            collection.1,
            id.0,
            id.1,
            found = edges[0],
            none = edges[1],
            denied = edges[2],
        );
        guest.start(&body)
    };
    for (collection, id, edge, asked) in [
        ("notes", "mine", "found", 1),
        ("notes", "somebody-else", "none", 1),
        ("permits", "mine", "denied", 0),
        ("notes/../permits", "mine", "denied", 0),
        ("", "mine", "denied", 0),
    ] {
        let stage = Stage::with(build(collection, id)).await;
        let own = BTreeMap::from([(("notes".to_owned(), "mine".to_owned()), json!({"a": 1}))]);
        let shelf = Arc::new(Shelf { own, ..Shelf::default() });
        let mut here = context("guesses.item");
        here.documents = shelf.clone();
        assert_eq!(stage.start_in(here).await.unwrap().transition.edge, edge, "{collection} {id}");
        assert_eq!(shelf.asked.load(Ordering::SeqCst), asked, "{collection} {id}");
    }
}

#[tokio::test]
async fn a_price_a_queue_and_a_template_that_are_not_granted_are_denied() {
    let mut guest = Guest::new("wants")
        .import("tongban:flow/flow@1.0.0", "assign", "(param i32 i32 i32 i32 i32)")
        .import("tongban:pay/payment@1.0.0", "request", "(param i32 i32 i32 i32 i32 i32 i32)")
        .grants(
            "[grants.flow]\nqueues = [\"own\"]\n[grants.pay]\nquotes = [\"standard\", \"gone\"]",
        );
    let words = ["officer", "own", "elsewhere", "standard", "cheap", "gone"];
    let [officer, own, elsewhere, standard, cheap, gone] = words.map(|word| guest.text(word));
    let answer = guest.answer("stay", "{}");
    let assign = |queue: (u32, u32)| {
        format!(
            "(call $assign (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))",
            officer.0, officer.1, queue.0, queue.1
        )
    };
    let pay = |quote: (u32, u32)| {
        format!(
            "(call $request (i32.const {}) (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))",
            quote.0, quote.1
        )
    };
    let body = [assign(own), assign(elsewhere), pay(standard), pay(cheap), pay(gone)].concat();
    let stage = Stage::with(guest.start(&format!("{body} (i32.const {answer})"))).await;
    let outcome = stage.start("wants").await.unwrap();
    let allowed: Vec<bool> = outcome.calls.iter().map(|call| call.allowed).collect();
    assert_eq!(allowed, [true, false, true, false, false], "gone: granted, not in the catalogue");
    assert!(matches!(
        &outcome.effects[..],
        [Effect::Assign { queue, .. }, Effect::RequestPayment { quote, .. }]
            if queue == "own" && quote == "standard"
    ));
}

#[tokio::test]
async fn nothing_changes_during_a_call_that_only_reads() {
    let mut guest = Guest::new("sneaks")
        .import("tongban:flow/flow@1.0.0", "assign", "(param i32 i32 i32 i32 i32)")
        .grants("[grants.flow]\nqueues = [\"own\"]");
    let (officer, own) = (guest.text("officer"), guest.text("own"));
    let [written, kept] = ["{\"wrote\":true}", "{\"wrote\":false}"].map(|text| {
        let said = guest.text(text);
        guest.words(&[0, said.0, said.1])
    });
    let body = format!(
        "(call $assign (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))
         (if (result i32) (i32.load8_u (i32.const 16)) (then (i32.const {kept}))
           (else (i32.const {written})))",
        officer.0, officer.1, own.0, own.1
    );
    let stage = Stage::with(guest.form(&body)).await;
    assert_eq!(stage.form("sneaks").await.unwrap(), json!({"wrote": false}));
}

#[tokio::test]
async fn the_calendar_survives_every_number() {
    let times = [0_i64, -1, i64::MAX, i64::MIN, NOW];
    let spans = [i32::MAX, i32::MIN, 0, 1, -1];
    let mut guest = Guest::new("counts").import(
        "tongban:kit/calendar@1.0.0",
        "add-working-days",
        "(param i64 i32) (result i64)",
    );
    let answer = guest.answer("stay", "{}");
    let calls: String = times
        .iter()
        .flat_map(|at| spans.map(|days| (at, days)))
        .map(|(at, days)| {
            format!("(drop (call $add-working-days (i64.const {at}) (i32.const {days})))")
        })
        .collect();
    let stage = Stage::with(guest.start(&format!("{calls} (i32.const {answer})"))).await;
    assert_eq!(stage.start("counts").await.unwrap().usage.host_calls, 25);
    stage.unhurt("counts").await;
}

#[tokio::test]
async fn leaving_the_program_ends_the_call_and_nothing_else() {
    for status in [0, 1] {
        let guest = Guest::new("leaves")
            .import("wasi:cli/exit@0.2.6", "exit", "(param i32)")
            .start(&format!("(call $exit (i32.const {status})) (unreachable)"));
        Stage::with(guest).await.breaks("leaves", "trap").await;
    }
}

#[tokio::test]
async fn randomness_is_the_events_so_that_a_replay_is_the_same() {
    let mut guest = Guest::new("dices").import(
        "wasi:random/insecure-seed@0.2.6",
        "insecure-seed",
        "(param i32)",
    );
    let edges = ["low", "high"].map(|edge| guest.answer(edge, "{}"));
    let body = format!(
        "(call $insecure-seed (i32.const 16))
         (if (result i32) (i64.lt_u (i64.load (i32.const 16)) (i64.load (i32.const 24)))
           (then (i32.const {})) (else (i32.const {})))",
        edges[0], edges[1]
    );
    let stage = Stage::with(guest.start(&body)).await;
    let mut seen = Vec::new();
    for seed in 0..16_u8 {
        let mut edge = String::new();
        for _ in 0..2 {
            let mut here = context("dices.item");
            for (place, byte) in here.seed.iter_mut().enumerate() {
                *byte = u8::try_from(place)
                    .unwrap()
                    .wrapping_mul(31)
                    .wrapping_add(seed.wrapping_mul(73));
            }
            let found = stage.start_in(here).await.unwrap().transition.edge;
            assert!(edge.is_empty() || edge == found, "the same event, another answer");
            edge = found;
        }
        seen.push(edge);
    }
    assert!(seen.contains(&"low".to_owned()) && seen.contains(&"high".to_owned()), "{seen:?}");
}
