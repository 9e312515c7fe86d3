//! Money: asked once, charged once, given back where nothing was owed.

use std::collections::BTreeMap;

use plugins_engine::EngineError;
use plugins_engine::view::Decision;

use crate::stage::{PASSPORT, Stage};

fn held() -> BTreeMap<String, i64> {
    BTreeMap::from([("clearing".to_owned(), 12_000), ("treasury".to_owned(), -12_000)])
}

async fn two_tabs_and_reloading_are_one_order(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let first = stage.engine.start_payment("sub-1", &number).await.unwrap();
    let second = stage.engine.start_payment("sub-1", &number).await.unwrap();
    assert_eq!(first.order_id, second.order_id);
    assert_eq!(stage.count(&number, "payment.started").await, 1);
    stage.bank.pay(&first.order_id, first.minor);
    for _ in 0..3 {
        stage.notice(&first.order_id).await;
        stage.work().await;
    }
    assert_eq!(stage.count(&number, "payment.settled").await, 1);
    assert_eq!(stage.balances().await, held());
    let again = stage.engine.start_payment("sub-1", &number).await;
    assert!(matches!(again, Err(EngineError::Conflict)));
}

async fn a_forged_notice_is_refused_and_a_signed_one_is_not_believed_before_a_query(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let order = stage.engine.start_payment("sub-1", &number).await.unwrap();
    let forged = [("orderId".to_owned(), order.order_id.clone())];
    let answer = stage.engine.payment_notice(&forged).await;
    assert!(matches!(answer, Err(EngineError::Forged("signature"))));
    // The bank's key was stolen: the notice is signed, but the bank's books know nothing.
    stage.notice(&order.order_id).await;
    stage.wait(5_000).await;
    assert_eq!(stage.state(&number).await, "fee_due");
    assert_eq!(stage.count(&number, "payment.settled").await, 0);
}

async fn a_lost_notice_is_made_good_by_asking(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let order = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.wait(20_000).await;
    stage.bank.pay(&order.order_id, order.minor);
    stage.wait(60_000).await;
    assert_eq!(stage.count(&number, "payment.settled").await, 1);
}

async fn another_amount_is_not_this_payment(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    *stage.bank.lie.lock().unwrap() = Some(1);
    stage.pay(&number).await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.state, "fee_due");
    assert_eq!(case.line.signal.as_deref(), Some("red"));
    assert_eq!(stage.count(&number, "payment.disputed").await, 1);
}

async fn a_failed_payment_makes_room_for_a_new_attempt_and_a_late_success_is_given_back(
    stage: Stage,
) {
    let number = stage.apply(PASSPORT, "t1").await;
    let first = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.bank.failed.lock().unwrap().insert(first.order_id.clone());
    stage.notice_of(&first.order_id, "51").await;
    stage.work().await;
    assert_eq!(stage.count(&number, "payment.failed").await, 1);
    let second = stage.see(&number).await.payment.unwrap();
    assert_ne!(first.order_id, second.order_id);
    stage.pay(&number).await;
    assert_eq!(stage.count(&number, "payment.settled").await, 1);
    // The old attempt succeeds after all, and the bank tells so under another notice.
    stage.bank.failed.lock().unwrap().clear();
    stage.bank.pay(&first.order_id, first.minor);
    stage.notice(&first.order_id).await;
    stage.work().await;
    assert_eq!(stage.count(&number, "refund.settled").await, 1);
    assert_eq!(stage.bank.refunds.lock().unwrap().len(), 1);
    assert_eq!(stage.state(&number).await, "review");
    assert_eq!(stage.balances().await, held());
}

async fn an_old_attempt_that_succeeds_first_is_the_payment(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let first = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.bank.failed.lock().unwrap().insert(first.order_id.clone());
    stage.notice_of(&first.order_id, "51").await;
    stage.work().await;
    let second = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.bank.failed.lock().unwrap().clear();
    stage.bank.pay(&first.order_id, first.minor);
    stage.notice(&first.order_id).await;
    stage.work().await;
    assert_eq!(stage.state(&number).await, "review");
    // The tab of the second attempt was still open.
    stage.bank.pay(&second.order_id, second.minor);
    stage.notice(&second.order_id).await;
    stage.work().await;
    assert_eq!(stage.bank.refunds.lock().unwrap().len(), 1);
    assert_eq!(stage.state(&number).await, "review");
    assert_eq!(stage.balances().await, held());
}

async fn who_pays_after_withdrawing_gets_the_money_back(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let order = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.engine.withdraw("sub-1", &number).await.unwrap();
    assert_eq!(stage.state(&number).await, "withdrawn");
    stage.bank.pay(&order.order_id, order.minor);
    stage.notice(&order.order_id).await;
    stage.work().await;
    assert_eq!(stage.state(&number).await, "refunded");
    assert_eq!(stage.bank.refunds.lock().unwrap().len(), 1);
    assert!(stage.balances().await.is_empty());
}

async fn who_is_refused_after_paying_gets_the_money_back(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    stage.decide(&number, Decision::Refuse).await;
    assert_eq!(stage.state(&number).await, "refused", "the decision stays what it is");
    assert_eq!(stage.bank.refunds.lock().unwrap().len(), 1);
    assert!(stage.balances().await.is_empty());
    let kinds = stage.kinds(&number).await;
    for kind in ["decision.refused", "refund.due", "refund.settled"] {
        assert_eq!(kinds.iter().filter(|known| *known == kind).count(), 1, "{kind}");
    }
}

async fn who_withdraws_after_paying_gets_the_money_back_once(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    *stage.bank.deaf.lock().unwrap() = true;
    stage.engine.withdraw("sub-1", &number).await.unwrap();
    stage.engine.withdraw("sub-1", &number).await.unwrap_err();
    assert_eq!(stage.state(&number).await, "refund_due");
    stage.wait(10_000).await;
    assert_eq!(stage.state(&number).await, "refunded");
    assert_eq!(stage.bank.refunds.lock().unwrap().len(), 1);
    assert!(stage.balances().await.is_empty());
    let kinds = stage.kinds(&number).await;
    for kind in ["case.withdrawn", "refund.due", "refund.settled"] {
        assert_eq!(kinds.iter().filter(|known| *known == kind).count(), 1, "{kind}");
    }
}

async fn nothing_is_withdrawn_after_the_decision(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    stage.decide(&number, Decision::Approve).await;
    let late = stage.engine.withdraw("sub-1", &number).await;
    assert!(matches!(late, Err(EngineError::Conflict)));
    assert_eq!(stage.balances().await, held());
}

async fn an_order_that_nobody_pays_ends_and_another_takes_its_place(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    let order = stage.engine.start_payment("sub-1", &number).await.unwrap();
    stage.wait(26 * 3_600_000).await;
    assert_eq!(stage.count(&number, "payment.failed").await, 1);
    let next = stage.see(&number).await.payment.unwrap();
    assert_ne!(next.order_id, order.order_id);
    assert!(!next.started);
}

crate::on_both! {
    one_order => super::two_tabs_and_reloading_are_one_order;
    forged => super::a_forged_notice_is_refused_and_a_signed_one_is_not_believed_before_a_query;
    lost => super::a_lost_notice_is_made_good_by_asking;
    lie => super::another_amount_is_not_this_payment;
    failed => super::a_failed_payment_makes_room_for_a_new_attempt_and_a_late_success_is_given_back;
    first => super::an_old_attempt_that_succeeds_first_is_the_payment;
    late => super::who_pays_after_withdrawing_gets_the_money_back;
    withdrawn => super::who_withdraws_after_paying_gets_the_money_back_once;
    refusal => super::who_is_refused_after_paying_gets_the_money_back;
    decided => super::nothing_is_withdrawn_after_the_decision;
    expired => super::an_order_that_nobody_pays_ends_and_another_takes_its_place;
}
