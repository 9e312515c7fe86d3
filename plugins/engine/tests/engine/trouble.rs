//! A plugin that fails leaves its case as it was; a counterpart that fails costs nothing twice.

use plugins_engine::EngineError;
use plugins_engine::view::{Decision, Submitted};

use crate::outside::Mood;
use crate::stage::{PASSPORT, Stage, application, citizen};

fn mood(stage: &Stage, mood: Mood) {
    *stage.plugin.mood.lock().unwrap() = mood;
}

async fn a_plugin_that_fails_at_the_start_leaves_a_case_that_waits(stage: Stage) {
    for (round, bad) in [Mood::Traps, Mood::Lost, Mood::Greedy, Mood::Cruel].into_iter().enumerate()
    {
        mood(&stage, bad);
        let number = stage.apply(PASSPORT, &round.to_string()).await;
        assert_eq!(stage.state(&number).await, "submitted");
        assert_eq!(stage.kinds(&number).await, ["case.submitted", "plugin.failed"]);
        let failed = &stage.see(&number).await.timeline[1];
        assert!(failed.text[0]["zh-CN"].contains("没有变化"));
        mood(&stage, Mood::Well);
        stage.wait(120_000).await;
        assert_eq!(stage.state(&number).await, "fee_due");
    }
}

async fn a_plugin_that_fails_later_hides_neither_the_money_nor_the_time(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    mood(&stage, Mood::Traps);
    stage.pay(&number).await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "paid");
    assert!(case.due.promised.is_some());
    stage.wait(3_600_000).await;
    // One line a trouble, not one a try.
    let failures = stage.count(&number, "plugin.failed").await;
    assert!((1..=2).contains(&failures), "{failures}");
    mood(&stage, Mood::Well);
    stage.wait(3_600_000).await;
    assert_eq!(stage.state(&number).await, "review");
    assert_eq!(stage.count(&number, "payment.settled").await, 1);
}

async fn a_busy_host_is_no_trouble(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    mood(&stage, Mood::Busy);
    stage.pay(&number).await;
    stage.wait(2_000).await;
    assert_eq!(stage.count(&number, "plugin.failed").await, 0);
    mood(&stage, Mood::Well);
    stage.wait(2_000).await;
    assert_eq!(stage.state(&number).await, "review");
}

async fn a_plugin_may_refuse_a_form_and_no_case_is_made(stage: Stage) {
    mood(&stage, Mood::Refuses);
    let answer = stage.engine.submit(&citizen(), PASSPORT, application("t1")).await.unwrap();
    let Submitted::Refused(problems) = answer else { panic!("it was taken") };
    assert_eq!(problems[0].code, "passport.lost");
    assert!(stage.engine.cases("sub-1").await.unwrap().is_empty());
    assert!(stage.engine.load_draft(&citizen(), PASSPORT).await.unwrap().is_some());
}

async fn a_lost_answer_of_the_carrier_is_settled_by_asking(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    *stage.carrier.deaf.lock().unwrap() = 4;
    stage.decide(&number, Decision::Approve).await;
    assert_eq!(stage.count(&number, "express.booked").await, 0);
    stage.wait(120_000).await;
    // The stage panics on a second booking under one key.
    assert_eq!(stage.carrier.parcels.lock().unwrap().len(), 1);
    assert_eq!(stage.count(&number, "express.booked").await, 1);
}

async fn a_refused_parcel_is_a_problem_that_supervision_sees(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    *stage.carrier.refuses.lock().unwrap() = true;
    stage.decide(&number, Decision::Approve).await;
    let kinds = stage.kinds(&number).await;
    assert!(kinds.iter().any(|kind| kind == "express.problem"), "{kinds:?}");
    let board = stage.engine.supervision().await.unwrap();
    assert_eq!(board.signals.len(), 1);
}

async fn a_parcel_is_followed_by_asking_where_no_push_comes(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    stage.decide(&number, Decision::Approve).await;
    let event = serde_json::json!({ "id": "9", "kind": "delivered", "at": 1, "place": "厦门" });
    stage.carrier.way.lock().unwrap().push(event);
    stage.wait(13 * 3_600_000).await;
    assert_eq!(stage.state(&number).await, "delivered");
    assert_eq!(stage.count(&number, "express.delivered").await, 1);
}

async fn a_message_may_be_sent_again_and_then_is_given_up(stage: Stage) {
    *stage.telephone.down.lock().unwrap() = 2;
    let number = stage.apply(PASSPORT, "t1").await;
    stage.wait(30_000).await;
    assert_eq!(stage.telephone.texts.lock().unwrap().len(), 1);
    assert_eq!(stage.count(&number, "notice.sent").await, 1);
    *stage.telephone.down.lock().unwrap() = 99;
    let number = stage.apply(PASSPORT, "t2").await;
    stage.wait(600_000).await;
    assert_eq!(stage.count(&number, "notice.failed").await, 1);
}

async fn a_push_without_signature_or_of_a_strange_parcel_changes_nothing(stage: Stage) {
    let unsigned = stage.engine.express_notice(&Default::default(), b"[]").await;
    assert!(matches!(unsigned, Err(EngineError::Forged("signature"))));
    let signed = [("signed".to_owned(), "yes".to_owned())].into();
    let strange = br#"[{"key":"nobody","source_id":"1","kind":"delivered","at":1,"place":null}]"#;
    stage.engine.express_notice(&signed, strange).await.unwrap();
    stage.work().await;
}

async fn the_steps_where_a_test_may_stop_the_program_are_passed(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    stage.decide(&number, Decision::Approve).await;
    let passed = stage.steps.passed.lock().unwrap().clone();
    for step in [
        "submit.answered",
        "submit.committed",
        "payment.started",
        "payment.notice",
        "outbox.claimed",
        "outbox.answered",
        "outbox.settled",
        "inbox.applied",
        "turn.call",
        "turn.answered",
        "turn.committed",
        "decided",
    ] {
        assert!(passed.contains(&step), "{step}");
    }
}

crate::on_both! {
    start => super::a_plugin_that_fails_at_the_start_leaves_a_case_that_waits;
    later => super::a_plugin_that_fails_later_hides_neither_the_money_nor_the_time;
    busy => super::a_busy_host_is_no_trouble;
    refused => super::a_plugin_may_refuse_a_form_and_no_case_is_made;
    asked => super::a_lost_answer_of_the_carrier_is_settled_by_asking;
    parcel => super::a_refused_parcel_is_a_problem_that_supervision_sees;
    followed => super::a_parcel_is_followed_by_asking_where_no_push_comes;
    messages => super::a_message_may_be_sent_again_and_then_is_given_up;
    pushes => super::a_push_without_signature_or_of_a_strange_parcel_changes_nothing;
    steps => super::the_steps_where_a_test_may_stop_the_program_are_passed;
}
