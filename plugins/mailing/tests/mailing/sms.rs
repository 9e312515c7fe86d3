//! SMS: what the product hands over is what the phone shows.

use std::sync::Arc;
use std::time::Duration;

use plugins_hall::port::{Counterpart as _, Delivery};
use plugins_mailing::cmpp::{Cmpp, Settings};
use plugins_simulators::sms;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const NOW: i64 = 1_790_000_000_000;

struct Outside {
    inbox: String,
    gateway: String,
    _dir: tempfile::TempDir,
}

impl Outside {
    async fn start() -> Self {
        let (http, cmpp) = (listener().await, listener().await);
        let inbox = format!("http://{}", http.local_addr().unwrap());
        let gateway = cmpp.local_addr().unwrap().to_string();
        let dir = tempfile::tempdir().unwrap();
        let settings = sms::Settings {
            dir: dir.path().to_owned(),
            source: "901234".into(),
            secret: "shared".into(),
            clock: Arc::new(|| NOW),
        };
        tokio::spawn(sms::serve(settings, http, cmpp));
        Self { inbox, gateway, _dir: dir }
    }

    fn client(&self, secret: &str) -> Cmpp {
        let settings = Settings {
            address: self.gateway.clone(),
            source: "901234".into(),
            secret: secret.into(),
            sender: "10690110".into(),
            timeout: Duration::from_millis(500),
        };
        Cmpp::new(settings, Arc::new(|| NOW))
    }

    async fn behave(&self, rule: Value) {
        let client = reqwest::Client::new();
        let answer = client.post(format!("{}/behaviour", self.inbox)).json(&rule).send().await;
        assert!(answer.unwrap().status().is_success());
    }

    async fn texts(&self, to: &str) -> Vec<String> {
        let address = format!("{}/messages", self.inbox);
        let client = reqwest::Client::new();
        let answer = client.get(address).query(&[("to", to)]).send().await.unwrap();
        let messages: Vec<Value> = answer.json().await.unwrap();
        messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn send(client: &Cmpp, text: &str) -> Delivery {
    client.send("key", &json!({ "to": "+8619900000001", "text": text })).await
}

#[tokio::test]
async fn short_and_long_texts_arrive_as_they_were_written() {
    let outside = Outside::start().await;
    let client = outside.client("shared");
    let long = "您好，您的普通护照换发已受理𠮷😀。".repeat(9);
    for text in ["验证码 123456，五分钟内有效。", long.as_str(), "second"] {
        assert!(matches!(send(&client, text).await, Delivery::Done(_)), "{text}");
    }
    let expected = ["验证码 123456，五分钟内有效。", long.as_str(), "second"];
    assert_eq!(outside.texts("19900000001").await, expected);
    assert_eq!(outside.texts("+8619900000001").await.len(), 3);
    assert!(outside.texts("19900000002").await.is_empty());
}

#[tokio::test]
async fn many_messages_share_one_line() {
    let outside = Outside::start().await;
    let client = Arc::new(outside.client("shared"));
    let sending = (0..40).map(|n| {
        let client = client.clone();
        tokio::spawn(async move { send(&client, &format!("text {n}")).await })
    });
    for one in sending.collect::<Vec<_>>() {
        assert!(matches!(one.await.unwrap(), Delivery::Done(_)));
    }
    let mut texts = outside.texts("19900000001").await;
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 40);
}

#[tokio::test]
async fn a_bad_day_of_the_gateway_is_told_as_what_it_is() {
    let outside = Outside::start().await;
    let client = outside.client("shared");
    for (mode, expected) in [
        ("refuse", Delivery::Refused("cmpp_9".into())),
        ("down", Delivery::Unknown("the line broke before the answer".into())),
        ("garble", Delivery::Unknown("an answer that is none".into())),
        ("slow", Delivery::Unknown("no answer in time".into())),
    ] {
        outside.behave(json!({"mode": mode, "delay_ms": 5000, "count": 1})).await;
        assert_eq!(send(&client, mode).await, expected);
        let client = outside.client("shared");
        assert!(matches!(send(&client, "after").await, Delivery::Done(_)), "after {mode}");
    }
    outside.behave(json!({"mode": "lie", "count": 1})).await;
    assert!(matches!(send(&outside.client("shared"), "lost").await, Delivery::Done(_)));
    let texts = outside.texts("19900000001").await;
    assert!(!texts.iter().any(|text| matches!(text.as_str(), "lost" | "down" | "refuse")));
}

#[tokio::test]
async fn a_line_that_broke_is_opened_again_for_the_next_message() {
    let outside = Outside::start().await;
    let client = outside.client("shared");
    assert!(matches!(send(&client, "one").await, Delivery::Done(_)));
    outside.behave(json!({"mode": "down", "count": 1})).await;
    assert!(matches!(send(&client, "two").await, Delivery::Unknown(_)));
    assert!(matches!(send(&client, "three").await, Delivery::Done(_)));
    assert_eq!(outside.texts("19900000001").await, ["one", "three"]);
}

#[tokio::test]
async fn a_line_that_says_nothing_takes_no_further_message() {
    let outside = Outside::start().await;
    let client = outside.client("shared");
    outside.behave(json!({"mode": "slow", "delay_ms": 600_000, "count": 1})).await;
    assert_eq!(send(&client, "one").await, Delivery::Unknown("no answer in time".into()));
    assert!(matches!(send(&client, "two").await, Delivery::Done(_)));
    assert_eq!(outside.texts("19900000001").await, ["one", "two"]);
}

#[tokio::test]
async fn a_long_text_cut_off_and_sent_again_is_shown_once_and_whole() {
    let outside = Outside::start().await;
    let (first, second) = ("甲".repeat(67), "乙".repeat(9));
    let text = format!("{first}{second}");
    let client = outside.client("shared");
    outside.behave(json!({"mode": "down", "count": 1, "match": {"text": second}})).await;
    assert!(matches!(send(&client, &text).await, Delivery::Unknown(_)));
    // Another process, whose references begin where the first one's did.
    let client = outside.client("shared");
    assert!(matches!(send(&client, &text).await, Delivery::Done(_)));
    assert!(matches!(send(&client, "after").await, Delivery::Done(_)));
    assert_eq!(outside.texts("19900000001").await, [text.as_str(), "after"]);
}

#[tokio::test]
async fn nothing_leaves_without_the_secret_or_to_a_number_that_is_none() {
    let outside = Outside::start().await;
    assert_eq!(send(&outside.client("other"), "x").await, Delivery::NotFound);
    let client = outside.client("shared");
    for to in ["", "110", "+4912345678", "1990000000x"] {
        let refused = client.send("key", &json!({ "to": to, "text": "x" })).await;
        assert_eq!(refused, Delivery::Refused("phone".into()), "{to}");
    }
    assert_eq!(send(&client, "").await, Delivery::Refused("length".into()));
    assert_eq!(send(&client, &"通".repeat(671)).await, Delivery::Refused("length".into()));
    assert!(outside.texts("19900000001").await.is_empty());
}
