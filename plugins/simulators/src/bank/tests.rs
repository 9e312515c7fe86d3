use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::wire::{Fields, Signing, read, write};
use super::*;

const MERCHANT: &str = "777290058110048";

struct Fixture {
    base: String,
    merchant: Signing,
    gateway_public: Vec<u8>,
    notices: mpsc::UnboundedReceiver<Fields>,
    back_url: String,
    http: reqwest::Client,
    dir: tempfile::TempDir,
}

async fn serve_bank(dir: &std::path::Path) -> (String, tokio::task::JoinHandle<io::Result<()>>) {
    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000_000);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings {
        dir: dir.to_owned(),
        merchant: MERCHANT.to_owned(),
        later: 0,
        clock: Arc::new(|| NOW.fetch_add(1, Ordering::Relaxed)),
    };
    (base, tokio::spawn(serve(settings, listener)))
}

async fn start() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::open(dir.path()).unwrap();
    let (base, _) = serve_bank(dir.path()).await;
    let (sender, notices) = mpsc::unbounded_channel();
    let take = post(move |body: bytes::Bytes| async move {
        sender.send(read(&body)).unwrap();
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let back_url = format!("http://{}/back", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/back", take)).await });
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    Fixture {
        base,
        merchant: Signing::new(&keys.merchant).unwrap(),
        gateway_public: keys.gateway_public().unwrap(),
        notices,
        back_url,
        http,
        dir,
    }
}

impl Fixture {
    fn fields(&self, order: &str, txn_type: &str, amount: &str) -> Fields {
        [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("txnType", txn_type),
            ("merId", MERCHANT),
            ("orderId", order),
            ("txnTime", "20270115080000"),
            ("txnAmt", amount),
            ("currencyCode", "156"),
            ("frontUrl", "http://merchant.example/return"),
            ("backUrl", &self.back_url),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    async fn post(&self, path: &str, fields: &Fields) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.base)).body(write(fields));
        request.send().await.unwrap()
    }

    async fn signed(&self, path: &str, mut fields: Fields) -> reqwest::Response {
        self.merchant.sign(&mut fields).unwrap();
        self.post(path, &fields).await
    }

    async fn order(&self, order: &str) -> String {
        let fields = self.fields(order, "01", "12000");
        let answer = self.signed("/gateway/api/frontTransReq.do", fields).await;
        assert_eq!(answer.status(), 303);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn press(&self, page: &str, choice: &str) {
        let answer = self.post(page, &Fields::from([("pay".into(), choice.into())])).await;
        assert_eq!(answer.headers()["location"], "http://merchant.example/return");
    }

    async fn query(&self, order: &str) -> Fields {
        let fields = self.fields(order, "00", "");
        let body = self.signed("/gateway/api/queryTrans.do", fields).await.bytes().await.unwrap();
        let answer = read(&body);
        assert!(super::wire::verify(&self.gateway_public, &answer), "{answer:?}");
        answer
    }

    async fn journal(&self, operation: &str) -> usize {
        let text = self.http.get(format!("{}/journal", self.base)).send().await.unwrap();
        let entries: Vec<Value> = serde_json::from_slice(&text.bytes().await.unwrap()).unwrap();
        entries.iter().filter(|entry| entry["operation"] == operation).count()
    }

    async fn behave(&self, rule: Value) {
        let address = format!("{}/behaviour", self.base);
        assert_eq!(self.http.post(address).json(&rule).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn an_order_is_charged_once_however_often_it_is_paid() {
    let mut bank = start().await;
    let page = bank.order("ORDER0001").await;
    assert_eq!(bank.order("ORDER0001").await, page, "going back shows the same page");
    let text = bank.http.get(format!("{}{page}", bank.base)).send().await.unwrap();
    let text = text.text().await.unwrap();
    assert!(text.contains(r#"data-amount="12000""#) && text.contains(r#"value="succeed""#));
    assert_eq!(bank.query("ORDER0001").await["origRespCode"], "05");
    bank.press(&page, "succeed").await;
    bank.press(&page, "succeed").await;
    bank.press(&page, "fail").await;
    let notice = bank.notices.recv().await.unwrap();
    assert!(super::wire::verify(&bank.gateway_public, &notice));
    assert_eq!((notice["orderId"].as_str(), notice["respCode"].as_str()), ("ORDER0001", "00"));
    let answer = bank.query("ORDER0001").await;
    assert_eq!(answer["origRespCode"], "00");
    assert_eq!(answer["queryId"], notice["queryId"]);
    assert_eq!(bank.journal("pay").await, 1);
    assert_eq!(bank.journal("pay_again").await, 2);
}

#[tokio::test]
async fn what_the_merchant_did_not_sign_is_refused() {
    let bank = start().await;
    let mut fields = bank.fields("ORDER0002", "01", "12000");
    bank.merchant.sign(&mut fields).unwrap();
    fields.insert("txnAmt".into(), "1".into());
    assert_eq!(bank.post("/gateway/api/frontTransReq.do", &fields).await.status(), 400);
    assert_eq!(bank.query("ORDER0002").await["respCode"], "34");
    bank.order("ORDER0002").await;
    let dearer = bank.fields("ORDER0002", "01", "13000");
    let answer = bank.signed("/gateway/api/frontTransReq.do", dearer).await;
    assert_eq!(answer.status(), 400, "the same order of another amount");
}

#[tokio::test]
async fn a_failed_and_a_late_payment_are_told() {
    let mut bank = start().await;
    let page = bank.order("ORDER0003").await;
    bank.press(&page, "fail").await;
    assert_eq!(bank.notices.recv().await.unwrap()["respCode"], "51");
    assert_eq!(bank.query("ORDER0003").await["origRespCode"], "51");
    let page = bank.order("ORDER0004").await;
    bank.press(&page, "later").await;
    assert_eq!(bank.notices.recv().await.unwrap()["respCode"], "00");
    assert_eq!(bank.query("ORDER0004").await["origRespCode"], "00");
    assert_eq!(bank.journal("settle").await, 1);
}

#[tokio::test]
async fn it_lies_doubles_and_mumbles_when_told_to() {
    let mut bank = start().await;
    bank.behave(json!({"mode": "lie", "count": 1})).await;
    let page = bank.order("ORDER0005").await;
    bank.press(&page, "fail").await;
    assert_eq!(bank.notices.recv().await.unwrap()["respCode"], "00", "signed and untrue");
    assert_eq!(bank.query("ORDER0005").await["origRespCode"], "51", "the book is true");
    bank.behave(json!({"mode": "duplicate", "match": {"orderId": "ORDER0006"}})).await;
    let page = bank.order("ORDER0006").await;
    bank.press(&page, "succeed").await;
    let first = bank.notices.recv().await.unwrap();
    assert_eq!(bank.notices.recv().await.unwrap(), first);
    bank.behave(json!({"mode": "garble", "count": 1})).await;
    let fields = bank.fields("ORDER0006", "00", "");
    let answer = bank.signed("/gateway/api/queryTrans.do", fields.clone()).await;
    assert!(!super::wire::verify(&bank.gateway_public, &read(&answer.bytes().await.unwrap())));
    bank.behave(json!({"mode": "down", "count": 1})).await;
    assert_eq!(bank.signed("/gateway/api/queryTrans.do", fields).await.status(), 503);
    assert_eq!(bank.query("ORDER0006").await["origRespCode"], "00");
}

#[tokio::test]
async fn a_refund_is_given_once_and_never_more_than_was_paid() {
    let mut bank = start().await;
    let page = bank.order("ORDER0007").await;
    bank.press(&page, "succeed").await;
    let paid = bank.notices.recv().await.unwrap()["queryId"].clone();
    let refund = async |order: &str, amount: &str| {
        let mut fields = bank.fields(order, "04", amount);
        fields.insert("origQryId".into(), paid.clone());
        let answer = bank.signed("/gateway/api/backTransReq.do", fields).await;
        read(&answer.bytes().await.unwrap())
    };
    let first = refund("REFUND01", "7000").await;
    assert_eq!(first["respCode"], "00");
    assert_eq!(refund("REFUND01", "7000").await["queryId"], first["queryId"], "asked again");
    assert_eq!(refund("REFUND02", "7000").await["respCode"], "36");
    assert_eq!(bank.query("REFUND01").await["origRespCode"], "00");
    assert_eq!(bank.query("REFUND02").await["respCode"], "34");
}

#[tokio::test]
async fn the_books_outlive_the_bank() {
    let mut bank = start().await;
    let page = bank.order("ORDER0008").await;
    bank.press(&page, "succeed").await;
    bank.notices.recv().await.unwrap();
    bank.base = serve_bank(bank.dir.path()).await.0;
    assert_eq!(bank.query("ORDER0008").await["origRespCode"], "00");
    bank.press(&page, "succeed").await;
    assert_eq!(bank.journal("pay").await, 1);
}
