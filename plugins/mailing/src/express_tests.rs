use plugins_simulators::express as carrier;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const NOW: i64 = 1_800_000_000_000;
const SECRET: &str = "a secret between the two of us";

struct Fixture {
    express: Express,
    base: String,
    http: reqwest::Client,
    pushes: tokio::sync::mpsc::UnboundedReceiver<(BTreeMap<String, String>, Vec<u8>)>,
    _dir: tempfile::TempDir,
}

fn clock() -> Clock {
    Arc::new(|| NOW)
}

fn adapter(base: &str, secret: &str) -> Express {
    let timeout = Duration::from_secs(5);
    let settings = Settings { base: base.to_owned(), secret: secret.to_owned(), timeout };
    Express::new(settings, clock()).unwrap()
}

/// A hall that takes pushes over a real socket.
async fn hall(
    taken: tokio::sync::mpsc::UnboundedSender<(BTreeMap<String, String>, Vec<u8>)>,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/express/notice", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let (headers, body) = loop {
                let mut part = [0; 4096];
                let read = socket.read(&mut part).await.unwrap();
                bytes.extend_from_slice(&part[..read]);
                let text = String::from_utf8(bytes.clone()).unwrap_or_default();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let headers: BTreeMap<String, String> = head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect();
                if body.len() >= headers["content-length"].parse().unwrap() {
                    break (headers, body.as_bytes().to_vec());
                }
            };
            taken.send((headers, body)).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            socket.write_all(answer).await.unwrap();
        }
    });
    address
}

async fn start() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let (taken, pushes) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = carrier::Settings {
        dir: dir.path().to_owned(),
        secret: SECRET.to_owned(),
        notify: Some(hall(taken).await),
        pace: 0,
        clock: clock(),
    };
    tokio::spawn(carrier::serve(settings, listener));
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    Fixture { express: adapter(&base, SECRET), base, http, pushes, _dir: dir }
}

fn booking(address: &str) -> Value {
    json!({"operation": "book", "kind": "passport", "contents": ["护照"],
        "to": {"name": "林 小舟", "phone": "13800000001", "address": address}})
}

impl Fixture {
    async fn behave(&self, mode: &str) {
        let address = format!("{}/behaviour", self.base);
        let rule = json!({"mode": mode, "count": 1});
        assert_eq!(self.http.post(address).json(&rule).send().await.unwrap().status(), 200);
    }

    async fn step(&self, label: &str, step: &str) {
        let address = format!("{}/parcels/{label}", self.base);
        let answer = self.http.post(address).body(format!("step={step}")).send().await.unwrap();
        assert_eq!(answer.status(), 303);
    }

    async fn booked(&self) -> usize {
        let address = format!("{}/journal", self.base);
        let lines: Vec<Value> = self.http.get(address).send().await.unwrap().json().await.unwrap();
        lines.iter().filter(|line| line["operation"] == "book").count()
    }
}

#[tokio::test]
async fn one_key_is_one_parcel() {
    let carrier = start().await;
    let first = carrier.express.send("KEY1", &booking("福州")).await;
    let Delivery::Done(answer) = &first else { panic!("{first:?}") };
    assert_eq!(answer["label"].as_str().unwrap().len(), 13);
    assert_eq!(carrier.express.send("KEY1", &booking("福州")).await, first);
    assert_eq!(carrier.express.ask("KEY1", &booking("福州")).await, first);
    let other = carrier.express.send("KEY1", &booking("厦门")).await;
    assert_eq!(other, Delivery::Refused("key_used".to_owned()));
    assert_eq!(carrier.express.ask("KEY2", &booking("福州")).await, Delivery::NotFound);
    let empty = carrier.express.send("KEY2", &booking("")).await;
    assert_eq!(empty, Delivery::Refused("malformed".to_owned()));
    assert_eq!(carrier.booked().await, 1);
    assert!(!carrier.express.may_resend());
}

#[tokio::test]
async fn a_parcel_is_followed_by_pushes_and_by_asking() {
    let mut carrier = start().await;
    let Delivery::Done(answer) = carrier.express.send("KEY1", &booking("福州")).await else {
        panic!("not booked")
    };
    let label = answer["label"].as_str().unwrap();
    for (step, kind) in [("next", "picked_up"), ("problem", "problem"), ("next", "in_transit")] {
        carrier.step(label, step).await;
        let (headers, body) = carrier.pushes.recv().await.unwrap();
        let lines = carrier.express.verify(&headers, &body, NOW).unwrap();
        let last = lines.last().unwrap();
        assert_eq!((last.key.as_str(), last.kind.as_str(), last.at), ("KEY1", kind, NOW));
    }
    let track = json!({"operation": "track", "key": "KEY1"});
    let Delivery::Done(way) = carrier.express.send("OTHER", &track).await else {
        panic!("not found")
    };
    assert_eq!(way["events"].as_array().unwrap().len(), 3);
    assert_eq!(way["events"][2]["id"], format!("{label}-3"));
}

#[tokio::test]
async fn a_forged_an_old_or_a_changed_push_is_refused() {
    let mut carrier = start().await;
    let Delivery::Done(answer) = carrier.express.send("KEY1", &booking("福州")).await else {
        panic!("not booked")
    };
    carrier.step(answer["label"].as_str().unwrap(), "next").await;
    let (headers, body) = carrier.pushes.recv().await.unwrap();
    let verify = |headers: &BTreeMap<String, String>, body: &[u8], now| {
        carrier.express.verify(headers, body, now).map_err(|cause| cause.code)
    };
    assert!(verify(&headers, &body, NOW + SKEW).is_ok());
    assert_eq!(verify(&headers, &body, NOW + SKEW + 1), Err("push.time"));
    assert_eq!(verify(&BTreeMap::new(), &body, NOW), Err("push.time"));
    let text = String::from_utf8(body.clone()).unwrap().replace("picked_up", "delivered");
    assert_eq!(verify(&headers, text.as_bytes(), NOW), Err("push.signature"));
    let mut unsigned = headers.clone();
    unsigned.remove("x-signature");
    assert_eq!(verify(&unsigned, &body, NOW), Err("push.signature"));
    let stranger = adapter(&carrier.base, "another secret altogether");
    assert_eq!(stranger.verify(&headers, &body, NOW).unwrap_err().code, "push.signature");
}

#[tokio::test]
async fn what_cannot_be_believed_is_unknown_and_settled_by_asking() {
    let carrier = start().await;
    for mode in ["down", "garble"] {
        carrier.behave(mode).await;
        let delivery = carrier.express.send("KEY1", &booking("福州")).await;
        assert!(matches!(delivery, Delivery::Unknown(_)), "{mode}: {delivery:?}");
    }
    // Garbled after it was done: a refused question says nothing, the next finds it.
    carrier.behave("refuse").await;
    let asked = carrier.express.ask("KEY1", &booking("福州")).await;
    assert!(matches!(asked, Delivery::Unknown(_)), "{asked:?}");
    assert!(matches!(carrier.express.ask("KEY1", &booking("福州")).await, Delivery::Done(_)));
    carrier.behave("refuse").await;
    let refused = carrier.express.send("KEY2", &booking("福州")).await;
    assert_eq!(refused, Delivery::Refused("area_closed".to_owned()));
    let stranger = adapter(&carrier.base, "another secret altogether");
    let delivery = stranger.send("KEY3", &booking("福州")).await;
    assert!(matches!(delivery, Delivery::Unknown(_)), "the carrier refuses what we did not sign");
    let nobody = adapter("http://127.0.0.1:9", SECRET);
    assert!(matches!(nobody.send("KEY3", &booking("福州")).await, Delivery::Unknown(_)));
    assert_eq!(carrier.booked().await, 1);
}

proptest! {
    #[test]
    fn outside_bytes_never_panic(body: Vec<u8>, time: String, key: String) {
        let express = adapter("http://127.0.0.1:9", SECRET);
        let headers = BTreeMap::from([("x-timestamp".to_owned(), time)]);
        prop_assert!(express.verify(&headers, &body, NOW).is_err());
        let body = json!({"key": key, "label": "1", "events": []});
        prop_assert_eq!(way(&body, None).is_some(), is_key(&key));
    }
}
