//! Guests that answer nonsense: the host says so and believes none of it.

use plugins_hall::call::Failure;
use plugins_hall::machine::Machine;
use plugins_hall::port::Runtime as _;
use serde_json::json;

use crate::guest::Guest;
use crate::stage::{Stage, context};

#[tokio::test]
async fn data_that_is_no_json_is_nonsense() {
    let mut guest = Guest::new("babbles");
    let answer = guest.answer("stay", "{\"a\":");
    Stage::with(guest.start(&format!("(i32.const {answer})")))
        .await
        .breaks("babbles", "nonsense")
        .await;
}

#[tokio::test]
async fn json_that_is_deeper_than_any_data_is_nonsense() {
    let mut guest = Guest::new("digs");
    let deep = "[".repeat(20_000);
    let answer = guest.answer("stay", &deep);
    Stage::with(guest.start(&format!("(i32.const {answer})")))
        .await
        .breaks("digs", "nonsense")
        .await;
}

#[tokio::test]
async fn a_form_that_is_no_object_is_nonsense() {
    for text in ["[]", "null", "{", "\u{feff}{}"] {
        let mut guest = Guest::new("forms");
        let said = guest.text(text);
        let form = guest.words(&[0, said.0, said.1]);
        let stage = Stage::with(guest.form(&format!("(i32.const {form})"))).await;
        let Err(Failure::Broken { code, .. }) = stage.form("forms").await else { panic!("{text}") };
        assert_eq!(code, "nonsense", "{text}");
        assert!(stage.start("forms").await.is_ok());
    }
}

#[tokio::test]
async fn addresses_outside_of_its_memory_and_broken_texts_are_refused() {
    // The address of a guest's answer, given its words: `edge` and `data` are "stay".
    let words: [&[u32]; 8] = [
        // Where there is no memory, a length beyond the end, an end that wraps around.
        &[0, 0x7fff_0000, 4, 1_024, 4, 0, 0, 0, 0, 0, 0],
        &[0, 1_024, 0x7fff_ffff, 1_024, 4, 0, 0, 0, 0, 0, 0],
        &[0, 1_024, u32::MAX, 1_024, 4, 0, 0, 0, 0, 0, 0],
        // A list of two thousand million reasons; one that is not aligned.
        &[0, 1_024, 4, 1_024, 4, 0, 0, 1_024, 0x7fff_ffff, 0, 0],
        &[0, 1_024, 4, 1_024, 4, 0, 0, 1_025, 1, 0, 0],
        // Neither ok nor err; a text that is no UTF-8; an answer of half its size.
        &[9, 1_024, 4, 1_024, 4, 0, 0, 0, 0, 0, 0],
        &[0, 16, 4, 1_024, 4, 0, 0, 0, 0, 0, 0],
        &[],
    ];
    for words in words {
        let mut guest = Guest::new("points");
        let at = if words.is_empty() { 131_064 } else { guest.words(words) };
        let spoil = "(i32.store (i32.const 16) (i32.const -1))";
        let stage = Stage::with(guest.start(&format!("{spoil} (i32.const {at})"))).await;
        let answer = stage.start("points").await;
        let Err(Failure::Broken { code, .. }) = answer else { panic!("{words:?}: {answer:?}") };
        assert!(["nonsense", "trap"].contains(&code.as_str()), "{words:?}: {code}");
        stage.unhurt("points").await;
    }
}

#[tokio::test]
async fn an_edge_that_no_machine_has_comes_back_as_it_was_said_and_leads_nowhere() {
    let mut guest = Guest::new("flies");
    let answer = guest.answer("fly", "{}");
    let stage = Stage::with(guest.start(&format!("(i32.const {answer})"))).await;
    let edge = stage.start("flies").await.unwrap().transition.edge;
    for machine in ["A", "B"] {
        let machine = Machine::find(machine).unwrap();
        assert!(!machine.allows("submitted", &edge, "rule"), "{edge}");
        assert!(!machine.allows("review", "refuse", "rule"), "no rule refuses");
    }
    stage.unhurt("flies").await;
}

#[tokio::test]
async fn a_hundred_thousand_problems_are_too_many() {
    // A problem of nothing is thirty-two zeros.
    let mut guest = Guest::new("scolds").pages(70);
    let many = guest.words(&[131_072, 100_000]);
    let stage = Stage::with(guest.validate(&format!("(i32.const {many})"))).await;
    let answer = stage.host.validate(context("scolds.item"), "apply", json!({})).await;
    let Err(Failure::Broken { code, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(code, "output");
    stage.unhurt("scolds").await;

    let mut guest = Guest::new("nags").pages(4);
    let few = guest.words(&[131_072, 200]);
    let guest = guest.validate(&format!("(i32.const {few})"));
    let stage = Stage::with(guest).await;
    let found = stage.host.validate(context("nags.item"), "apply", json!({})).await.unwrap();
    assert_eq!(found.len(), 100, "a page shows so many at most");
}
