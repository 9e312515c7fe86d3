//! Two at once: one wins, nothing is lost, nothing happens twice.

use plugins_engine::view::Decision;

use crate::stage::{PASSPORT, Stage, application, citizen, officer};

async fn withdrawing_and_approving_at_once_has_one_winner(stage: Stage) {
    for round in 0..6 {
        let number = stage.apply(PASSPORT, &round.to_string()).await;
        stage.pay(&number).await;
        let engine = stage.engine.clone();
        let of = number.clone();
        let withdrawal = tokio::spawn(async move { engine.withdraw("sub-1", &of).await });
        let engine = stage.engine.clone();
        let of = number.clone();
        let approval = tokio::spawn(async move {
            engine.decide(&officer(), &of, None, Decision::Approve, "").await
        });
        let outcomes = (withdrawal.await.unwrap(), approval.await.unwrap());
        assert!(outcomes.0.is_ok() != outcomes.1.is_ok(), "{outcomes:?}");
        stage.work().await;
        let state = stage.state(&number).await;
        let expected = if outcomes.0.is_ok() { "refunded" } else { "dispatch" };
        assert_eq!(state, expected);
    }
}

async fn the_same_submission_at_once_is_one_case(stage: Stage) {
    let tries = (0..6).map(|_| {
        let engine = stage.engine.clone();
        tokio::spawn(async move { engine.submit(&citizen(), PASSPORT, application("t")).await })
    });
    let mut numbers = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        numbers.push(format!("{:?}", one.await.unwrap().unwrap()));
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 1);
    assert_eq!(stage.engine.cases("sub-1").await.unwrap().len(), 1);
}

async fn several_workers_carry_each_effect_once(stage: Stage) {
    let mut numbers = Vec::new();
    for round in 0..4 {
        let number = stage.apply(PASSPORT, &round.to_string()).await;
        let order = stage.engine.start_payment("sub-1", &number).await.unwrap();
        stage.bank.pay(&order.order_id, order.minor);
        stage.notice(&order.order_id).await;
        numbers.push(number);
    }
    let workers = (0..3).map(|_| {
        let worker = plugins_engine::Worker::new(stage.engine.clone());
        tokio::spawn(async move { worker.step().await.map(drop) })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap().unwrap();
    }
    stage.work().await;
    for number in numbers {
        assert_eq!(stage.count(&number, "payment.settled").await, 1);
        assert_eq!(stage.state(&number).await, "review");
        stage.decide(&number, Decision::Approve).await;
    }
    assert_eq!(stage.carrier.parcels.lock().unwrap().len(), 4);
}

async fn the_officer_decides_about_what_the_page_showed(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    let seen = stage.engine.desk_case(&officer(), &number).await.unwrap().seq;
    stage.decide(&number, Decision::Suspend).await;
    stage.decide(&number, Decision::Resume).await;
    let stale = stage.engine.decide(&officer(), &number, Some(seen), Decision::Approve, "").await;
    assert!(matches!(stale, Err(plugins_engine::EngineError::Conflict)));
}

async fn a_text_that_left_in_between_refuses_no_decision(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    let who = officer();
    stage.engine.decide(&who, &number, None, Decision::Correct, "照片不清").await.unwrap();
    let seen = stage.engine.desk_case(&officer(), &number).await.unwrap().seq;
    stage.work().await;
    let later = stage.engine.desk_case(&officer(), &number).await.unwrap();
    assert!(later.seq > seen, "the text left after the page was shown");
    assert_eq!(later.timeline.last().unwrap().kind, "notice.sent");
    stage.engine.decide(&who, &number, Some(seen), Decision::Extend, "材料多").await.unwrap();
}

crate::on_both! {
    quiet => super::a_text_that_left_in_between_refuses_no_decision;
    withdrawal => super::withdrawing_and_approving_at_once_has_one_winner;
    submission => super::the_same_submission_at_once_is_one_case;
    workers => super::several_workers_carry_each_effect_once;
    stale => super::the_officer_decides_about_what_the_page_showed;
}
