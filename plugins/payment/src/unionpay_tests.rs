use std::sync::Arc;
use std::sync::Mutex;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const MERCHANT: &str = "777290058110048";
const TIME: &str = "20261123080000";

/// A gateway's keys and ours.
struct Parties {
    theirs: Keys,
    pay: UnionPay,
}

fn pair() -> (Vec<u8>, Vec<u8>) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    (pair.as_der().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
}

fn parties(gateway: &str) -> Parties {
    let (ours, our_public) = pair();
    let (theirs, their_public) = pair();
    let pay = UnionPay::new(Settings {
        gateway: gateway.to_owned(),
        merchant: MERCHANT.to_owned(),
        private_key: ours,
        gateway_key: their_public,
        hall: "http://localhost:8080".to_owned(),
        timeout: Duration::from_secs(5),
    })
    .unwrap();
    Parties { theirs: Keys::new(&theirs, our_public).unwrap(), pay }
}

fn order() -> Order {
    Order {
        order_id: "ORDER0001".to_owned(),
        txn_time: TIME.to_owned(),
        minor: 12_000,
        currency: "CNY".to_owned(),
        case: "C1".to_owned(),
    }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A gateway over a real socket that answers each request with what `answer` makes of it.
async fn gateway(
    answer: impl Fn(&Keys, Fields) -> (u16, String) + Send + 'static,
) -> (UnionPay, Arc<Mutex<Vec<Fields>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Parties { theirs, pay } = parties(&format!("http://{}", listener.local_addr().unwrap()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let body = loop {
                let mut part = [0; 4096];
                let read = socket.read(&mut part).await.unwrap();
                bytes.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                });
                if body.len() >= length.unwrap_or(0_usize) {
                    break body.to_owned();
                }
            };
            let asked = wire::read(body.as_bytes()).unwrap();
            assert!(theirs.verify(&asked), "we signed it");
            kept.lock().unwrap().push(asked.clone());
            let (status, body) = answer(&theirs, asked);
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (pay, seen)
}

/// A signed answer to a question, with further fields.
fn signed(keys: &Keys, asked: &Fields, more: &[(&str, &str)]) -> (u16, String) {
    let mut answer: Fields = ["merId", "orderId", "txnTime", "txnType"]
        .iter()
        .map(|name| ((*name).to_owned(), asked[*name].clone()))
        .collect();
    answer.extend(fields(more));
    keys.sign(&mut answer).unwrap();
    (200, wire::write(&answer))
}

fn query() -> Value {
    json!({"operation": "query", "order_id": "ORDER0001", "txn_time": TIME, "minor": 12_000})
}

#[test]
fn an_order_is_signed_and_names_its_amount_and_where_to_return() {
    let Parties { theirs, pay } = parties("http://bank.example");
    let form = pay.order_form(&order()).unwrap();
    assert_eq!(form.gateway_url, "http://bank.example/gateway/api/frontTransReq.do");
    let fields = wire::unique(form.fields).unwrap();
    assert!(theirs.verify(&fields));
    assert_eq!(fields["txnAmt"], "12000");
    assert_eq!(fields["frontUrl"], "http://localhost:8080/cases/C1");
    assert!(pay.order_form(&Order { minor: 0, ..order() }).is_err());
    assert!(pay.order_form(&Order { currency: "USD".to_owned(), ..order() }).is_err());
}

#[test]
fn a_forged_notice_is_refused() {
    let Parties { theirs, pay } = parties("http://bank.example");
    let notice = |more: &[(&str, &str)]| {
        let mut fields = fields(&[
            ("merId", MERCHANT),
            ("orderId", "ORDER0001"),
            ("txnType", "01"),
            ("respCode", "00"),
            ("queryId", "7"),
        ]);
        fields.extend(self::fields(more));
        theirs.sign(&mut fields).unwrap();
        fields
    };
    let verify = |fields: Fields| pay.verify_notice(&fields.into_iter().collect::<Vec<_>>());
    let good = verify(notice(&[])).unwrap();
    assert_eq!((good.order_id.as_str(), good.source_id.as_str()), ("ORDER0001", "7 00"));
    assert_eq!(verify(notice(&[])).unwrap(), good, "the same notice twice is one");
    assert_eq!(verify(notice(&[("merId", "1")])).unwrap_err().code, "notice.merchant");
    assert_eq!(verify(notice(&[("txnType", "04")])).unwrap_err().code, "notice.kind");
    for (name, value) in [("orderId", "ORDER0002"), ("signature", ""), ("signature", "AAAA")] {
        let mut forged = notice(&[]);
        forged.insert(name.to_owned(), value.to_owned());
        assert_eq!(verify(forged).unwrap_err().code, "notice.signature", "{name} {value}");
    }
    let mut ours = fields(&[("merId", MERCHANT), ("orderId", "ORDER0001"), ("txnType", "01")]);
    pay.keys.sign(&mut ours).unwrap();
    assert_eq!(verify(ours).unwrap_err().code, "notice.signature", "our own key is not theirs");
    let mut twice: Vec<_> = notice(&[]).into_iter().collect();
    twice.push(("orderId".to_owned(), "ORDER0002".to_owned()));
    assert_eq!(pay.verify_notice(&twice).unwrap_err().code, "notice.form");
}

#[tokio::test]
async fn a_query_tells_settled_failed_pending_and_unheard_of() {
    let amount = [("txnAmt", "12000"), ("currencyCode", "156"), ("queryId", "9")];
    let settled = json!({"status": "settled", "minor": 12_000, "currency": "CNY", "query_id": "9"});
    for (code, original, expected) in [
        ("00", "00", Delivery::Done(settled)),
        ("00", "05", Delivery::Pending),
        ("00", "51", Delivery::Done(json!({"status": "failed", "reason": "51"}))),
        ("34", "", Delivery::NotFound),
        ("03", "", Delivery::Pending),
        ("10", "", Delivery::Refused("10".to_owned())),
    ] {
        let (pay, seen) = gateway(move |keys, asked| {
            let mut more = vec![("respCode", code), ("origRespCode", original)];
            more.extend(amount);
            signed(keys, &asked, &more)
        })
        .await;
        assert_eq!(pay.send("KEY", &query()).await, expected, "{code} {original}");
        assert_eq!(seen.lock().unwrap()[0]["orderId"], "ORDER0001");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_says_nothing() {
    type Answer = fn(&Keys, Fields) -> (u16, String);
    let lies: [(&str, Answer); 5] = [
        ("down", |_, _| (503, String::new())),
        ("garbled", |_, _| (200, "<html>respCode=00".to_owned())),
        ("unsigned", |_, asked| (200, wire::write(&asked))),
        ("another order", |keys, mut asked| {
            asked.insert("orderId".to_owned(), "ORDER0002".to_owned());
            signed(keys, &asked, &[("respCode", "00"), ("origRespCode", "00")])
        }),
        ("no amount", |keys, asked| {
            signed(keys, &asked, &[("respCode", "00"), ("origRespCode", "00")])
        }),
    ];
    for (name, answer) in lies {
        let (pay, _) = gateway(answer).await;
        let delivery = pay.send("KEY", &query()).await;
        assert!(matches!(delivery, Delivery::Unknown(_)), "{name}: {delivery:?}");
    }
    let nobody = parties("http://127.0.0.1:9").pay;
    assert!(matches!(nobody.send("KEY", &query()).await, Delivery::Unknown(_)));
}

#[tokio::test]
async fn a_refund_carries_the_outbox_key_and_is_asked_for_under_it() {
    let (pay, seen) = gateway(|keys, asked| {
        let more = [("respCode", "00"), ("origRespCode", "00"), ("queryId", "11")];
        signed(keys, &asked, &more)
    })
    .await;
    let arguments = json!({"operation": "refund", "order_id": "ORDER0001", "query_id": "9",
        "minor": 12_000, "currency": "CNY", "txn_time": TIME});
    let done = Delivery::Done(json!({"query_id": "11"}));
    assert_eq!(pay.send("KEY0000001", &arguments).await, done);
    assert_eq!(pay.ask("KEY0000001", &arguments).await, done);
    let seen = seen.lock().unwrap().clone();
    let asked = |at: usize, name: &str| seen[at][name].clone();
    assert_eq!((asked(0, "txnType"), asked(0, "origQryId")), ("04".into(), "9".into()));
    assert_eq!(
        (asked(0, "orderId"), asked(1, "orderId")),
        ("KEY0000001".into(), "KEY0000001".into())
    );
    assert_eq!(asked(1, "txnType"), "00");
    assert!(!pay.may_resend());
    let odd = pay.send("KEY", &json!({"operation": "transfer"})).await;
    assert!(matches!(odd, Delivery::Refused(_)));
    let nothing = pay.send("KEY", &json!({"operation": "refund", "minor": -1})).await;
    assert!(matches!(nothing, Delivery::Refused(_)));
}

#[tokio::test]
async fn a_refused_question_about_a_refund_says_nothing_about_the_money() {
    let arguments = json!({"operation": "refund", "order_id": "ORDER0001", "query_id": "9",
        "minor": 12_000, "currency": "CNY", "txn_time": TIME});
    for (code, original, expected) in [
        ("11", "", None),
        ("00", "", None),
        ("34", "", Some(Delivery::NotFound)),
        ("00", "05", Some(Delivery::Pending)),
        ("00", "36", Some(Delivery::Refused("36".to_owned()))),
    ] {
        let (pay, _) = gateway(move |keys, asked| {
            signed(keys, &asked, &[("respCode", code), ("origRespCode", original)])
        })
        .await;
        let delivery = pay.ask("KEY0000001", &arguments).await;
        match expected {
            Some(expected) => assert_eq!(delivery, expected, "{code} {original}"),
            None => assert!(matches!(delivery, Delivery::Unknown(_)), "{code}: {delivery:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn outside_bytes_never_panic_and_forms_print_and_parse_back(
        bytes: Vec<u8>,
        pairs in proptest::collection::btree_map("[a-zA-Z]{1,9}", ".{0,9}", 0..9),
    ) {
        let _ = wire::read(&bytes);
        prop_assert_eq!(wire::read(wire::write(&pairs).as_bytes()), Some(pairs));
    }
}
