//! Guests that take more than they may have: the call ends with the limit's name, the next call of
//! the same plugin and of another one works, and the host's memory stays where it was.

use std::sync::Arc;

use plugins_hall::call::Failure;
use plugins_hall::port::Runtime as _;
use serde_json::json;

use crate::guest::Guest;
use crate::stage::{Shelf, Stage, context, refused};

const NOTE: &str = "(param i32 i32 i32 i32 i32)";
const FLOW: &str = "tongban:flow/flow@1.0.0";

fn noting(id: &str) -> Guest {
    Guest::new(id).import(FLOW, "note", NOTE).grants("[grants.flow]\nqueues = []")
}

/// Resident memory of this process, bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test]
async fn a_guest_that_loops_for_ever_is_stopped_by_its_cpu_limit() {
    let guest = Guest::new("loops").limits("cpu_ms = 60").start("(loop $l (br $l)) (unreachable)");
    Stage::with(guest).await.breaks("loops", "cpu").await;
}

#[tokio::test]
async fn a_form_that_loops_for_ever_is_stopped_too() {
    let guest = Guest::new("loops").limits("cpu_ms = 60").form("(loop $l (br $l)) (unreachable)");
    let stage = Stage::with(guest).await;
    let Err(Failure::Broken { code, .. }) = stage.form("loops").await else { panic!("it ended") };
    assert_eq!(code, "cpu");
    assert_eq!(stage.start("loops").await.unwrap().transition.edge, "stay");
    assert_eq!(stage.start("good").await.unwrap().transition.edge, "stay");
}

#[tokio::test]
async fn a_guest_that_loops_over_host_calls_is_stopped_by_their_number() {
    let mut guest =
        Guest::new("chatty").import("tongban:kit/calendar@1.0.0", "now", "(result i64)");
    guest = guest.start("(loop $l (drop (call $now)) (br $l)) (unreachable)");
    Stage::with(guest).await.breaks("chatty", "host_calls").await;
}

/// Makes so many notes, then answers.
fn many(id: &str, times: u32) -> Guest {
    let mut guest = noting(id);
    let (kind, body) = (guest.text("note"), guest.text("{}"));
    let answer = guest.answer("stay", "{}");
    guest.start(&format!(
        "(global.set $n (i32.const {times}))
         (loop $l
           (call $note (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))
           (global.set $n (i32.sub (global.get $n) (i32.const 1)))
           (br_if $l (global.get $n)))
         (i32.const {answer})",
        kind.0, kind.1, body.0, body.1
    ))
}

#[tokio::test]
async fn a_guest_with_a_hundred_thousand_effects_gets_none_of_them() {
    let guest = many("greedy", 100_000).limits("host_calls = 500\noutput_kb = 1024");
    Stage::with(guest).await.breaks("greedy", "host_calls").await;
}

#[tokio::test]
async fn more_effects_than_one_call_may_have_are_refused_as_values() {
    let stage = Stage::with(many("eager", 90)).await;
    let outcome = stage.start("eager").await.unwrap();
    assert_eq!(outcome.effects.len(), 50);
    assert_eq!(outcome.calls.iter().filter(|call| !call.allowed).count(), 40);
    stage.unhurt("eager").await;
}

#[tokio::test]
async fn ten_megabytes_of_notes_are_stopped_before_they_are_parsed() {
    // Zeros are no JSON: what counts is that they are counted.
    let mut guest = noting("writes").pages(40);
    let kind = guest.text("note");
    let write = format!(
        "(loop $l (call $note (i32.const {}) (i32.const {}) (i32.const 131072)
           (i32.const 1048576) (i32.const 16)) (br $l)) (unreachable)",
        kind.0, kind.1
    );
    Stage::with(guest.start(&write)).await.breaks("writes", "output").await;
}

#[tokio::test]
async fn small_notes_add_up() {
    let mut guest = noting("drips").pages(4).limits("host_calls = 500\noutput_kb = 64");
    let kind = guest.text("note");
    let write = format!(
        "(loop $l (call $note (i32.const {}) (i32.const {}) (i32.const 131072) (i32.const 1024)
           (i32.const 16)) (br $l)) (unreachable)",
        kind.0, kind.1
    );
    Stage::with(guest.start(&write)).await.breaks("drips", "output").await;
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_not_taken() {
    // `data` of one mebibyte in `start`, and of three in the form, which the engine itself refuses.
    let mut guest = Guest::new("large").pages(60);
    let edge = guest.text("stay");
    let large = guest.words(&[0, edge.0, edge.1, 65_536, 1 << 20, 0, 0, 0, 0, 0, 0]);
    let form = guest.words(&[0, 65_536, 3 << 20]);
    let fill = "(memory.fill (i32.const 65536) (i32.const 0x20) (i32.const 0x300000))";
    let guest = guest
        .start(&format!("{fill} (i32.const {large})"))
        .form(&format!("{fill} (i32.const {form})"));
    let stage = Stage::with(guest).await;
    for _ in 0..2 {
        for answer in [stage.start("large").await.map(drop), stage.form("large").await.map(drop)] {
            let Err(Failure::Broken { code, .. }) = answer else { panic!("{answer:?}") };
            assert_eq!(code, "output");
        }
    }
    assert_eq!(stage.start("good").await.unwrap().transition.edge, "stay");
}

#[tokio::test]
async fn a_guest_that_allocates_without_end_gets_what_the_manifest_says_and_no_more() {
    let take = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    let guest = Guest::new("hungry")
        .limits("memory_mb = 4\ncpu_ms = 1000")
        .start(&format!("{take} (unreachable)"));
    let stage = Stage::with(guest).await;
    stage.breaks("hungry", "memory").await;

    // One that meets the limit and goes on is none that failed; its use is told.
    let mut guest = Guest::new("modest").limits("memory_mb = 4\ncpu_ms = 1000");
    let answer = guest.answer("stay", "{}");
    let stage = Stage::with(guest.start(&format!("{take} (i32.const {answer})"))).await;
    let outcome = stage.start("modest").await.unwrap();
    assert!(outcome.usage.memory <= 4 << 20, "{:?}", outcome.usage);
    assert!(outcome.usage.memory > 2 << 20, "{:?}", outcome.usage);
}

#[tokio::test]
async fn the_host_stays_small_however_often_a_guest_takes_all_it_can() {
    // Touches every page of 32 MiB, so that it is really there.
    let fill = "(drop (memory.grow (i32.const 500)))
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 32000000)) (unreachable)";
    let guest = Guest::new("fat").limits("cpu_ms = 1000\nwall_ms = 5000").start(fill);
    let stage = Stage::with(guest).await;
    let _ = stage.start("fat").await;
    let before = resident();
    for _ in 0..12 {
        // Of twenty calls half may fail before the version rests; good ones go between.
        assert!(matches!(stage.start("fat").await, Err(Failure::Broken { .. })));
        for _ in 0..2 {
            stage.form("fat").await.unwrap();
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 << 20, "12 calls of 32 MB each left {grown} bytes");
}

#[tokio::test]
async fn a_guest_that_recurses_without_end_meets_the_end_of_its_own_stack() {
    let guest = Guest::new("deep")
        .function("(func $deeper (param i64) (result i64) (i64.add (i64.const 1) (call $deeper (i64.add (local.get 0) (i64.const 1)))))")
        .start("(drop (call $deeper (i64.const 0))) (unreachable)");
    Stage::with(guest).await.breaks("deep", "trap").await;
}

#[tokio::test]
async fn a_guest_that_traps_leaves_nothing_of_what_it_wished_for() {
    let mut guest = noting("traps");
    let (kind, body) = (guest.text("note"), guest.text("{}"));
    let wish = format!(
        "(call $note (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))
         (unreachable)",
        kind.0, kind.1, body.0, body.1
    );
    Stage::with(guest.start(&wish)).await.breaks("traps", "trap").await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_waits_for_what_never_comes_is_stopped_by_the_wall_clock() {
    let mut guest = Guest::new("waits")
        .import("tongban:store/docs@1.0.0", "get", "(param i32 i32 i32 i32 i32)")
        .grants("[grants.store]\ncollections = [\"notes\"]");
    let (collection, id) = (guest.text("notes"), guest.text("1"));
    let read = format!(
        "(call $get (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 16))
         (unreachable)",
        collection.0, collection.1, id.0, id.1
    );
    let stage = Stage::with(guest.start(&read)).await;
    let shelf = Arc::new(Shelf { deaf: true, ..Shelf::default() });
    let mut here = context("waits.item");
    here.documents = shelf;
    let Err(Failure::Broken { code, .. }) = stage.start_in(here).await else { panic!("it ended") };
    assert_eq!(code, "wall");
    stage.unhurt("waits").await;
}

#[tokio::test]
async fn a_guest_that_fails_most_of_its_calls_rests_and_the_others_go_on() {
    let stage = Stage::with(Guest::new("bad").start("(unreachable)")).await;
    let mut busy = 0;
    for _ in 0..60 {
        match stage.start("bad").await {
            Err(Failure::Broken { .. }) => assert_eq!(busy, 0, "it rests"),
            Err(Failure::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
        assert!(stage.start("good").await.is_ok());
    }
    assert!(busy >= 30, "{busy}");
    let standing = stage.host.standing();
    let rests = |id: &str| standing.iter().find(|one| one.plugin == id).unwrap().quarantined;
    assert!(rests("bad") && !rests("good"));
}

#[tokio::test]
async fn a_guest_that_misbehaves_before_its_first_call_is_not_taken() {
    let loops = Guest::new("a").limits("cpu_ms = 60").describe("(loop $l (br $l))");
    assert!(refused(loops).await.contains("describe: cpu"));
    let begins =
        Guest::new("b").limits("cpu_ms = 60").function("(func $go (loop $l (br $l))) (start $go)");
    assert!(refused(begins).await.contains("cpu"));
    let traps = Guest::new("c").describe("(unreachable)");
    assert!(refused(traps).await.contains("describe: trap"));
    let large = Guest::new("d").pages(1_040);
    let fault = refused(large).await;
    assert!(fault.contains("memory"), "65 MiB from the start: {fault}");
    let lies = Guest::new("e").version("9.9.9");
    assert!(refused(lies).await.contains("1.0.0 in plugin.toml and 9.9.9 in the component"));
}

#[tokio::test]
async fn many_calls_of_a_looping_guest_at_once_leave_room_for_another() {
    let guest = Guest::new("loops")
        .limits("cpu_ms = 60\nin_flight = 2")
        .start("(loop $l (br $l)) (unreachable)");
    let stage = Arc::new(Stage::with(guest).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let stage = stage.clone();
        calls.spawn(async move { stage.start("loops").await.map(drop) });
    }
    let good = stage.host.form(context("good.item"), "apply", json!({})).await;
    assert!(good.is_ok(), "{good:?}");
    while let Some(call) = calls.join_next().await {
        assert!(matches!(call.unwrap(), Err(Failure::Broken { .. } | Failure::Busy)));
    }
}
