//! What the merchant and the payer's browser send to the gateway.

use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::book::{Order, Refund, State};
use super::wire::{self, Fields};
use super::{Bank, pages};
use crate::behaviour::{Act, Mode};

/// Answer codes, as the gateway numbers them.
const OK: (&str, &str) = ("00", "成功");
const BUSY: (&str, &str) = ("03", "交易通讯超时，请发起查询交易");
const PENDING: (&str, &str) = ("05", "交易已受理，请稍后查询交易结果");
const MALFORMED: (&str, &str) = ("10", "报文格式错误");
const UNSIGNED: (&str, &str) = ("11", "验证签名失败");
const DUPLICATE: (&str, &str) = ("12", "重复交易");
const ABSENT: (&str, &str) = ("34", "查无此交易");
const TOO_MUCH: (&str, &str) = ("36", "交易金额超限");
const FAILED: (&str, &str) = ("51", "余额不足");

fn get<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.get(name).map_or("", String::as_str)
}

pub(super) fn random(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    // A full entropy pool does not run dry; without one nothing here could be trusted anyway.
    let filled = aws_lc_rs::rand::fill(&mut random);
    debug_assert!(filled.is_ok(), "no randomness");
    hex::encode(random)
}

/// The bank's number of a payment: time, and digits that nobody guesses.
pub(super) fn number(now: i64) -> String {
    let digits = u64::from_str_radix(&random(7), 16).unwrap_or_default() % 100_000_000;
    format!("{now:013}{digits:08}")
}

fn broken(cause: &std::io::Error) -> Response {
    tracing::error!(%cause, "the bank cannot write its books");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The fields of a purchase, or what is wrong with them.
fn purchase(bank: &Bank, fields: &Fields) -> Result<Order, (&'static str, &'static str)> {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (order_id, txn_time) = (get(fields, "orderId"), get(fields, "txnTime"));
    let address = |name: &str| url::Url::parse(get(fields, name)).is_ok_and(|url| url.has_host());
    let sound = get(fields, "merId") == &*bank.merchant
        && get(fields, "currencyCode") == "156"
        && (8..=40).contains(&order_id.len())
        && order_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && txn_time.len() == 14
        && digits(txn_time, 14)
        && digits(get(fields, "txnAmt"), 12)
        && address("frontUrl")
        && address("backUrl");
    let minor = get(fields, "txnAmt").parse().unwrap_or(0);
    if !sound || minor == 0 {
        return Err(MALFORMED);
    }
    Ok(Order {
        order_id: order_id.to_owned(),
        txn_time: txn_time.to_owned(),
        minor,
        page: random(16),
        front_url: get(fields, "frontUrl").to_owned(),
        back_url: get(fields, "backUrl").to_owned(),
        state: State::Open,
        query_id: None,
        settles_at: None,
        notified: false,
        refunds: Vec::new(),
    })
}

/// What can be wrong with a question or a refund.
const SPOILED: [Mode; 4] = [Mode::Slow, Mode::Down, Mode::Refuse, Mode::Garble];

/// An order, brought by the payer's browser.
pub(super) async fn order(Extract(bank): Extract<Bank>, body: Bytes) -> Response {
    let fields = wire::read(&body);
    let act =
        bank.desk.act_among(&named(&fields, "order"), &[Mode::Slow, Mode::Down, Mode::Refuse]);
    if act.mode == Mode::Down {
        return down(&bank, "order_refused", &fields).await;
    }
    let refused = if !wire::verify(&bank.customer, &fields) || get(&fields, "txnType") != "01" {
        Some(UNSIGNED)
    } else if act.mode == Mode::Refuse {
        Some(BUSY)
    } else {
        None
    };
    let outcome = match refused {
        Some(refused) => Err(refused),
        None => purchase(&bank, &fields),
    };
    let outcome = match outcome {
        Err(refused) => Err(refused),
        Ok(wanted) => match taken(&bank, wanted).await {
            Err(cause) => return broken(&cause),
            Ok(outcome) => outcome,
        },
    };
    let answer = match &outcome {
        Ok(order) => json!({ "respCode": "00", "state": order.state }),
        Err((code, text)) => json!({ "respCode": code, "respMsg": text }),
    };
    let operation = if outcome.is_ok() { "order" } else { "order_refused" };
    let recorded = bank.desk.record(operation, get(&fields, "orderId"), json!(fields), answer);
    if let Err(cause) = recorded.await {
        return broken(&cause);
    }
    act.wait().await;
    match outcome {
        // Its own address, so that reloading the page posts nothing.
        Ok(order) => Redirect::to(&format!("/pay/{}", order.page)).into_response(),
        Err((code, text)) => pages::refused(code, text),
    }
}

/// Takes an order into the book; the same one twice is one.
async fn taken(
    bank: &Bank,
    wanted: Order,
) -> std::io::Result<Result<Order, (&'static str, &'static str)>> {
    let (order_id, txn_time) = (wanted.order_id.clone(), wanted.txn_time.clone());
    let minor = wanted.minor;
    let (known, _) = bank
        .book
        .change((&order_id, &txn_time), move |known| known.is_none().then_some(wanted))
        .await?;
    Ok(known.filter(|known| known.minor == minor).ok_or(DUPLICATE))
}

/// What became of an order or a refund.
pub(super) async fn query(Extract(bank): Extract<Bank>, body: Bytes) -> Response {
    let fields = wire::read(&body);
    let act = bank.desk.act_among(&named(&fields, "query"), &SPOILED);
    if act.mode == Mode::Down {
        return down(&bank, "query", &fields).await;
    }
    let mut answer = head(&fields, "00");
    let mut code = UNSIGNED;
    if wire::verify(&bank.customer, &fields) && get(&fields, "merId") == &*bank.merchant {
        code = if act.mode == Mode::Refuse { BUSY } else { found(&bank, &fields, &mut answer) };
    }
    reply(&bank, "query", &fields, answer, (act, code)).await
}

fn found(bank: &Bank, fields: &Fields, answer: &mut Fields) -> (&'static str, &'static str) {
    let (order_id, txn_time) = (get(fields, "orderId"), get(fields, "txnTime"));
    let mut set = |name: &str, value: String| {
        answer.insert(name.to_owned(), value);
    };
    let (code, minor, query_id) = if let Some(order) = bank.book.find(order_id, txn_time) {
        let code = match order.state {
            State::Paid => OK,
            State::Failed => FAILED,
            State::Open | State::Accepted => PENDING,
        };
        (code, order.minor, order.query_id)
    } else {
        let mut refunds = bank.book.all().into_iter().flat_map(|order| order.refunds);
        match refunds.find(|one| one.order_id == order_id && one.txn_time == txn_time) {
            Some(refund) => (OK, refund.minor, Some(refund.query_id)),
            None => return ABSENT,
        }
    };
    set("origRespCode", code.0.to_owned());
    set("origRespMsg", code.1.to_owned());
    set("txnAmt", minor.to_string());
    set("currencyCode", "156".to_owned());
    set("queryId", query_id.unwrap_or_default());
    OK
}

/// Money back, all or a part.
pub(super) async fn refund(Extract(bank): Extract<Bank>, body: Bytes) -> Response {
    let fields = wire::read(&body);
    let mut answer = head(&fields, "04");
    let trusted = wire::verify(&bank.customer, &fields)
        && get(&fields, "merId") == &*bank.merchant
        && get(&fields, "txnType") == "04";
    let act = bank.desk.act_among(&named(&fields, "refund"), &SPOILED);
    if act.mode == Mode::Down {
        return down(&bank, "refund_refused", &fields).await;
    }
    let code = if trusted && act.mode == Mode::Refuse {
        // Who refuses gives nothing back.
        BUSY
    } else if trusted {
        match given_back(&bank, &fields, &mut answer).await {
            Ok(code) => code,
            Err(cause) => return broken(&cause),
        }
    } else {
        UNSIGNED
    };
    let operation = if code == OK { "refund" } else { "refund_refused" };
    reply(&bank, operation, &fields, answer, (act, code)).await
}

async fn given_back(
    bank: &Bank,
    fields: &Fields,
    answer: &mut Fields,
) -> std::io::Result<(&'static str, &'static str)> {
    let Some(order) = bank.book.by_query_id(get(fields, "origQryId")) else { return Ok(ABSENT) };
    let Ok(minor) = get(fields, "txnAmt").parse::<i64>() else { return Ok(MALFORMED) };
    let refund = Refund {
        order_id: get(fields, "orderId").to_owned(),
        txn_time: get(fields, "txnTime").to_owned(),
        minor,
        query_id: number(bank.desk.now()),
    };
    let same = |one: &Refund, other: &Refund| {
        one.order_id == other.order_id && one.txn_time == other.txn_time
    };
    let wanted = refund.clone();
    let key = (order.order_id.as_str(), order.txn_time.as_str());
    let (after, _) = bank
        .book
        .change(key, move |order| {
            let mut order = order?;
            let known = order.refunds.iter().any(|one| same(one, &wanted));
            if known || wanted.minor <= 0 || wanted.minor > order.refundable() {
                return None;
            }
            order.refunds.push(wanted);
            Some(order)
        })
        .await?;
    let written = after.iter().flat_map(|order| &order.refunds).find(|one| same(one, &refund));
    Ok(match written {
        // The same refund asked for again is the same refund, of the same amount.
        Some(written) if written.minor == minor => {
            answer.insert("queryId".to_owned(), written.query_id.clone());
            OK
        }
        Some(_) => DUPLICATE,
        None => TOO_MUCH,
    })
}

/// The fields that every answer repeats.
fn head(fields: &Fields, txn_type: &str) -> Fields {
    let mut answer: Fields = ["version", "encoding", "merId", "orderId", "txnTime", "txnAmt"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())))
        .collect();
    answer.insert("txnType".to_owned(), txn_type.to_owned());
    answer
}

fn named(fields: &Fields, operation: &str) -> Fields {
    let mut named = fields.clone();
    named.insert("operation".to_owned(), operation.to_owned());
    named
}

/// It was asked and does nothing; the journal says so.
async fn down(bank: &Bank, operation: &str, fields: &Fields) -> Response {
    let told = json!({ "error": "down" });
    match bank.desk.record(operation, get(fields, "orderId"), json!(fields), told).await {
        Ok(()) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(cause) => broken(&cause),
    }
}

/// Signs, records and sends an answer, as well or as badly as it is told to.
async fn reply(
    bank: &Bank,
    operation: &str,
    fields: &Fields,
    mut answer: Fields,
    (act, code): (Act, (&str, &str)),
) -> Response {
    answer.insert("respCode".to_owned(), code.0.to_owned());
    answer.insert("respMsg".to_owned(), code.1.to_owned());
    if let Err(cause) = bank.gateway.sign(&mut answer) {
        return broken(&cause);
    }
    let key = get(fields, "orderId");
    let told = if act.mode == Mode::Garble { Value::from("garbled") } else { json!(answer) };
    if let Err(cause) = bank.desk.record(operation, key, json!(fields), told).await {
        return broken(&cause);
    }
    act.wait().await;
    let kind = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded;charset=UTF-8")];
    match act.mode {
        Mode::Garble => (kind, "<html>502 Bad Gateway\u{0}respCode=00".to_owned()).into_response(),
        _ => (kind, wire::write(&answer)).into_response(),
    }
}
