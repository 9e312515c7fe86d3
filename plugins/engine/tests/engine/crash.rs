//! The program stops between any two steps, once in every place that the line passes; whoever
//! comes next goes on, and the books of both sides agree.

use std::sync::Arc;

use plugins_engine::view::{Decision, Submitted};
use plugins_engine::{Engine, EngineError, Worker};
use plugins_hall::port::Tracking;

use crate::outside::START;
use crate::stage::{PASSPORT, Stage, application, citizen, officer};

/// Longer than a lease: what the stopped one held is free again.
const LEASE: i64 = 61_000;

/// Runs one step as a task of its own; none if the program stopped in it.
async fn step<T: Send + 'static>(
    stage: &Stage,
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Option<T> {
    match tokio::spawn(work).await {
        Ok(outcome) => Some(outcome.unwrap()),
        Err(stopped) => {
            assert!(stopped.is_panic());
            let said = stopped.into_panic();
            assert_eq!(said.downcast_ref::<&str>(), Some(&"stopped"), "a step failed");
            stage.later(LEASE);
            None
        }
    }
}

async fn work(stage: &Stage) {
    let engine = stage.engine.clone();
    while step(stage, {
        let worker = Worker::new(engine.clone());
        async move { worker.step().await.map(drop) }
    })
    .await
    .is_none()
    {}
}

async fn submit(stage: &Stage, transaction: &str) -> String {
    loop {
        let (engine, transaction) = (stage.engine.clone(), transaction.to_owned());
        let form = application(&transaction);
        let done = step(stage, async move { engine.submit(&citizen(), PASSPORT, form).await });
        match done.await {
            Some(Submitted::Case(number)) => return number,
            Some(Submitted::Refused(problems)) => panic!("{problems:?}"),
            None => {}
        }
    }
}

async fn pay(stage: &Stage, number: &str) {
    let order = loop {
        let (engine, of) = (stage.engine.clone(), number.to_owned());
        let order = step(stage, async move { engine.start_payment("sub-1", &of).await }).await;
        if let Some(order) = order {
            break order;
        }
    };
    stage.bank.pay(&order.order_id, order.minor);
    loop {
        let engine = stage.engine.clone();
        let fields = [("orderId", order.order_id.as_str()), ("signature", "good")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        // The bank repeats its notice until it hears that it was received.
        if step(stage, async move { engine.payment_notice(&fields).await }).await.is_some() {
            break;
        }
    }
}

async fn approve(stage: &Stage, number: &str) {
    while stage.state(number).await == "review" {
        let (engine, of) = (stage.engine.clone(), number.to_owned());
        step(
            stage,
            async move { engine.decide(&officer(), &of, None, Decision::Approve, "").await },
        )
        .await;
    }
}

async fn deliver(stage: &Stage, number: &str) {
    let case = stage.see(number).await;
    let booked = case.timeline.iter().find(|row| row.kind == "express.booked").unwrap();
    let line = Tracking {
        key: booked.payload["key"].as_str().unwrap().to_owned(),
        source_id: "1".into(),
        kind: "delivered".into(),
        at: START,
        place: None,
    };
    let body: Arc<[u8]> = serde_json::to_vec(&[line]).unwrap().into();
    loop {
        let (engine, body) = (stage.engine.clone(), body.clone());
        let pushed = step(stage, async move {
            let signed = [("signed".to_owned(), "yes".to_owned())].into();
            engine.express_notice(&signed, &body).await
        });
        if pushed.await.is_some() {
            return;
        }
    }
}

async fn line(stage: &Stage, transaction: &str) -> String {
    let number = submit(stage, transaction).await;
    work(stage).await;
    pay(stage, &number).await;
    work(stage).await;
    approve(stage, &number).await;
    work(stage).await;
    deliver(stage, &number).await;
    work(stage).await;
    number
}

async fn once(stage: &Stage, number: &str, kinds: &[&str]) {
    let found = stage.kinds(number).await;
    for kind in kinds {
        let times = found.iter().filter(|known| known == kind).count();
        assert_eq!(times, 1, "{kind} in {found:?}");
    }
}

async fn stopping_anywhere_loses_nothing_and_does_nothing_twice(stage: Stage) {
    let mut charged = 0;
    for fuse in 0.. {
        *stage.steps.fuse.lock().unwrap() = Some(fuse);
        let number = line(&stage, &format!("t{fuse}")).await;
        let spent = stage.steps.fuse.lock().unwrap().take().is_some();
        assert_eq!(stage.state(&number).await, "delivered", "stopped at step {fuse}");
        let kinds = "case.submitted fee.due payment.started payment.settled decision.approved \
            document.issued express.booked express.delivered";
        once(&stage, &number, &kinds.split_whitespace().collect::<Vec<_>>()).await;
        charged += 1;
        // The bank and the carrier panic by themselves when an order or a key comes twice.
        assert_eq!(stage.bank.charged.lock().unwrap().len(), charged);
        assert_eq!(stage.carrier.parcels.lock().unwrap().len(), charged);
        assert_eq!(stage.balances().await["treasury"], -12_000 * i64::try_from(charged).unwrap());
        if spent {
            assert!(fuse > 30, "the line has {fuse} steps only");
            return;
        }
    }
}

async fn stopping_anywhere_gives_the_money_back_once(stage: Stage) {
    for fuse in 0.. {
        let number = submit(&stage, &format!("t{fuse}")).await;
        work(&stage).await;
        pay(&stage, &number).await;
        work(&stage).await;
        *stage.steps.fuse.lock().unwrap() = Some(fuse);
        while stage.state(&number).await == "review" {
            let (engine, of): (Engine, String) = (stage.engine.clone(), number.clone());
            step(&stage, async move { engine.withdraw("sub-1", &of).await }).await;
        }
        work(&stage).await;
        let spent = stage.steps.fuse.lock().unwrap().take().is_some();
        assert_eq!(stage.state(&number).await, "refunded", "stopped at step {fuse}");
        once(&stage, &number, &["case.withdrawn", "refund.due", "refund.settled"]).await;
        assert_eq!(stage.bank.refunds.lock().unwrap().len(), fuse + 1);
        assert!(stage.balances().await.is_empty());
        if spent {
            assert!(fuse > 4, "the way back has {fuse} steps only");
            return;
        }
    }
}

crate::on_both! {
    line => super::stopping_anywhere_loses_nothing_and_does_nothing_twice;
    refund => super::stopping_anywhere_gives_the_money_back_once;
}
