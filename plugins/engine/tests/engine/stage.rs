//! One hall on one database, with the outside in hand.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use idp_domain::ambient::Ambient;
use idp_store::{Db, Options, Vault};
use plugins_engine::view::{CaseView, Citizen, Decision, Officer, Submission, Submitted, Upload};
use plugins_engine::{Engine, Failpoints, Parts, Settings, Worker};
use plugins_hall::port::{Counterpart, Tracking};
use serde_json::json;

use crate::outside::{
    Bank, Carrier, Dice, Gateway, People, Plugin, Pushes, START, Telephone, Time,
};

pub(crate) const PASSPORT: &str = "exit-entry.passport-renewal";
pub(crate) const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";

pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) worker: Worker,
    pub(crate) db: Db,
    pub(crate) time: Arc<Time>,
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) telephone: Arc<Telephone>,
    pub(crate) steps: Arc<Steps>,
    _file: Option<tempfile::TempDir>,
}

/// Remembers the steps that were passed, and stops the program at the one that is set.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) passed: Mutex<Vec<&'static str>>,
    /// How many further steps until the end.
    pub(crate) fuse: Mutex<Option<usize>>,
}
impl Failpoints for Steps {
    fn reached(&self, step: &'static str) {
        self.passed.lock().unwrap().push(step);
        let mut fuse = self.fuse.lock().unwrap();
        match *fuse {
            Some(0) => {
                *fuse = None;
                drop(fuse);
                // Unwinds the task that runs the step: what it held in memory is gone.
                std::panic::resume_unwind(Box::new("stopped"));
            }
            Some(left) => *fuse = Some(left - 1),
            None => {}
        }
    }
}

pub(crate) fn vault() -> Vault {
    Vault::new(&[&[7; 32]]).unwrap()
}

pub(crate) async fn sqlite() -> Stage {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("t.sqlite").display());
    let db = Db::open(Options { url, connections: 4, vault: vault() }).await.unwrap();
    over(db, Some(directory))
}

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
pub(crate) async fn postgres() -> Option<Stage> {
    let server = std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()?;
    let db = idp_store::testing::fresh_postgres(&server, vault()).await.unwrap();
    Some(over(db, None))
}

fn over(db: Db, file: Option<tempfile::TempDir>) -> Stage {
    let time = Arc::new(Time(AtomicI64::new(START)));
    let ambient = Ambient { clock: time.clone(), random: Arc::new(Dice(AtomicU64::new(0))) };
    let (plugin, bank) = (Arc::new(Plugin::default()), Arc::new(Bank::default()));
    let (carrier, telephone) = (Arc::new(Carrier::default()), Arc::new(Telephone::default()));
    let steps = Arc::new(Steps::default());
    let counterparts: Vec<Arc<dyn Counterpart>> =
        vec![bank.clone(), carrier.clone(), telephone.clone()];
    let person = BTreeMap::from([("auto_approve".to_owned(), "false".to_owned())]);
    let items = BTreeMap::from([(PASSPORT.to_owned(), person)]);
    let engine = Engine::new(Parts {
        db: db.clone(),
        ambient,
        runtime: plugin.clone(),
        identity: Arc::new(People),
        gateway: Arc::new(Gateway),
        carrier: Arc::new(Pushes),
        counterparts,
        wake: Arc::new(tokio::sync::Notify::new()),
        settings: Settings { items, ..Settings::default() },
        failpoints: steps.clone(),
    })
    .unwrap();
    let worker = Worker::new(engine.clone());
    Stage { engine, worker, db, time, plugin, bank, carrier, telephone, steps, _file: file }
}

/// Tells each story on SQLite and, where a server is given, on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident => $story:path;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                $story($crate::stage::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() {
                if let Some(stage) = $crate::stage::postgres().await { $story(stage).await; }
            })*
        }
    };
}

pub(crate) fn citizen() -> Citizen {
    Citizen { subject: "sub-1".into(), proofing: 4, auth: 2, lang: "zh-CN".into() }
}

pub(crate) fn officer() -> Officer {
    Officer { id: "o1".into(), name: "陈警官".into(), role: "officer".into() }
}

pub(crate) fn photo(width: u32, height: u32) -> Upload {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(width, height, image::Rgb([255, 255, 255]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    Upload { name: "photo".into(), file_name: "me.png".into(), bytes: bytes.into_inner() }
}

pub(crate) fn application(transaction: &str) -> Submission {
    Submission {
        transaction: transaction.into(),
        form: json!({
            "applicant": { "name": "冒名" }, "reason": "full", "old_number": "E12345678",
            "delivery": { "address": "厦门市某街2号" },
        }),
        uploads: vec![photo(200, 260)],
    }
}

impl Stage {
    pub(crate) async fn apply(&self, item: &str, transaction: &str) -> String {
        let mut submission = application(transaction);
        if item == ENDORSEMENT {
            submission.uploads.clear();
        }
        match self.engine.submit(&citizen(), item, submission).await.unwrap() {
            Submitted::Case(number) => number,
            Submitted::Refused(problems) => panic!("{problems:?}"),
        }
    }

    pub(crate) async fn see(&self, number: &str) -> CaseView {
        self.engine.case("sub-1", number).await.unwrap()
    }

    pub(crate) async fn state(&self, number: &str) -> String {
        self.see(number).await.line.state
    }

    pub(crate) async fn kinds(&self, number: &str) -> Vec<String> {
        self.see(number).await.timeline.into_iter().map(|row| row.kind).collect()
    }

    pub(crate) async fn count(&self, number: &str, kind: &str) -> usize {
        self.kinds(number).await.iter().filter(|known| *known == kind).count()
    }

    pub(crate) fn later(&self, milliseconds: i64) {
        self.time.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(crate) async fn work(&self) {
        self.worker.step().await.unwrap();
    }

    /// Lets time pass in steps, as the worker's sleep would.
    pub(crate) async fn wait(&self, milliseconds: i64) {
        let end = self.time.0.load(Ordering::SeqCst) + milliseconds;
        loop {
            let next = self.worker.step().await.unwrap();
            match next {
                Some(next) if next <= end => {
                    let now = self.time.0.load(Ordering::SeqCst);
                    self.time.0.store(next.max(now + 1), Ordering::SeqCst);
                }
                _ => break,
            }
        }
        self.time.0.store(end, Ordering::SeqCst);
        self.work().await;
    }

    /// The citizen goes to the bank, pays, and the bank sends its notice.
    pub(crate) async fn pay(&self, number: &str) {
        let order = self.engine.start_payment("sub-1", number).await.unwrap();
        self.bank.pay(&order.order_id, order.minor);
        self.notice(&order.order_id).await;
        self.work().await;
    }

    pub(crate) async fn notice(&self, order_id: &str) {
        self.notice_of(order_id, "00").await;
    }

    pub(crate) async fn notice_of(&self, order_id: &str, outcome: &str) {
        let fields = [("orderId", order_id), ("signature", "good"), ("respCode", outcome)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.engine.payment_notice(&fields).await.unwrap();
    }

    pub(crate) async fn decide(&self, number: &str, decision: Decision) {
        self.engine.decide(&officer(), number, None, decision, "理由").await.unwrap();
        self.work().await;
    }

    pub(crate) async fn push(&self, kind: &str, id: &str) {
        let key = self.carrier.parcels.lock().unwrap().keys().next().unwrap().clone();
        let line = Tracking {
            key,
            source_id: id.into(),
            kind: kind.into(),
            at: START,
            place: Some("福州".into()),
        };
        let signed = BTreeMap::from([("signed".to_owned(), "yes".to_owned())]);
        let body = serde_json::to_vec(&[line]).unwrap();
        self.engine.express_notice(&signed, &body).await.unwrap();
        self.work().await;
    }

    /// Balances of the ledger that are not zero.
    pub(crate) async fn balances(&self) -> BTreeMap<String, i64> {
        let rows = self
            .db
            .read::<_, idp_store::StoreError, _>("balances", |tx| {
                Box::pin(async move { plugins_store::order::balances(tx).await })
            })
            .await
            .unwrap();
        assert_eq!(rows.iter().map(|(_, _, minor)| minor).sum::<i64>(), 0);
        let open = rows.into_iter().filter(|(_, _, minor)| *minor != 0);
        open.map(|(account, _, minor)| (account, minor)).collect()
    }
}
