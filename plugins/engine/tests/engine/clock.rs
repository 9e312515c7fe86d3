//! The clock is the hall's: signals come whatever anybody does.

use plugins_engine::view::Decision;

use crate::stage::{PASSPORT, Stage, officer};

const DAY: i64 = 86_400_000;

async fn signals_come_in_time_and_are_told_once(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    stage.wait(7 * DAY).await;
    assert_eq!(stage.count(&number, "signal.blue").await, 0);
    stage.wait(2 * DAY).await;
    assert_eq!(stage.count(&number, "signal.blue").await, 1);
    stage.wait(30 * DAY).await;
    let case = stage.see(&number).await;
    assert_eq!(case.line.signal.as_deref(), Some("red"));
    for kind in ["signal.blue", "signal.yellow", "signal.red"] {
        assert_eq!(stage.count(&number, kind).await, 1, "{kind}");
    }
    assert_eq!(stage.engine.supervision().await.unwrap().signals.len(), 1);
    stage.decide(&number, Decision::Approve).await;
    assert_eq!(stage.see(&number).await.line.signal, None);
}

async fn a_suspended_clock_stands_and_an_extension_is_granted_once(stage: Stage) {
    let number = stage.apply(PASSPORT, "t1").await;
    stage.pay(&number).await;
    let before = stage.see(&number).await.due;
    stage.later(DAY);
    stage.decide(&number, Decision::Suspend).await;
    let standing = stage.see(&number).await;
    assert_eq!(standing.line.state, "special_procedure");
    assert_eq!((standing.due.promised, standing.due.suspended.as_deref()), (None, Some("理由")));
    stage.wait(20 * DAY).await;
    assert_eq!(stage.see(&number).await.line.signal, None);
    stage.decide(&number, Decision::Resume).await;
    let after = stage.see(&number).await.due;
    assert!(after.promised.unwrap() >= before.promised.unwrap() + 19 * DAY);
    stage.decide(&number, Decision::Extend).await;
    let extended = stage.see(&number).await.due;
    assert!(extended.statutory > after.statutory);
    assert_eq!(extended.promised, after.promised);
    let twice = stage.engine.decide(&officer(), &number, None, Decision::Extend, "再延").await;
    assert!(twice.is_err());
    let kinds = stage.kinds(&number).await;
    for kind in ["clock.suspended", "clock.resumed", "clock.extended"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind}");
    }
}

crate::on_both! {
    signals => super::signals_come_in_time_and_are_told_once;
    suspended => super::a_suspended_clock_stands_and_an_extension_is_granted_once;
}
