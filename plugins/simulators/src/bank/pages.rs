//! What the payer sees, and the bank's own list.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::book::{Order, State};
use super::{Bank, gateway, wire};
use crate::page::{escape, shell};

fn yuan(minor: i64) -> String {
    format!("¥{}.{:02}", minor / 100, minor % 100)
}

fn state_text(state: State) -> &'static str {
    match state {
        State::Open => "待支付 · to be paid",
        State::Accepted => "处理中 · being processed",
        State::Paid => "支付成功 · paid",
        State::Failed => "支付失败 · failed",
    }
}

/// An order that the gateway does not take.
pub(super) fn refused(code: &str, text: &str) -> Response {
    let main = format!(
        r#"<p role="alert"><code>{}</code> {}</p><p>请返回商户重新发起支付。Go back to the merchant and begin again.</p>"#,
        escape(code),
        escape(text)
    );
    (StatusCode::BAD_REQUEST, shell("无法支付 · Cannot pay", &main)).into_response()
}

/// The page on which the payer decides.
pub(super) async fn show(Extract(bank): Extract<Bank>, Path(page): Path<String>) -> Response {
    let Some(order) = bank.book.by_page(&page) else {
        return (StatusCode::NOT_FOUND, shell("没有此订单 · No such order", "")).into_response();
    };
    let state = json!(order.state);
    let facts = format!(
        r#"<p class="amount" data-amount="{}">{}</p><p data-payment-state="{}">{}</p><p>订单号 · order <code>{}</code></p>"#,
        order.minor,
        yuan(order.minor),
        state.as_str().unwrap_or_default(),
        state_text(order.state),
        escape(&order.order_id),
    );
    let next = if order.state == State::Open {
        r#"<form method="post"><button name="pay" value="succeed">支付 · Pay</button><button class="quiet" name="pay" value="later">支付，稍后到账 · Pay, settled later</button><button class="quiet" name="pay" value="fail">余额不足 · Fail</button></form>"#.to_owned()
    } else {
        format!(
            r#"<p><a data-action="return" href="{}">返回商户 · Back to the merchant</a></p>"#,
            escape(&order.front_url)
        )
    };
    shell("银联在线支付（模拟） · Payment", &format!("{facts}{next}")).into_response()
}

/// The payer's decision. Whatever is pressed in however many tabs, an order is decided once.
pub(super) async fn pay(
    Extract(bank): Extract<Bank>,
    Path(page): Path<String>,
    body: Bytes,
) -> Response {
    let Some(order) = bank.book.by_page(&page) else {
        return (StatusCode::NOT_FOUND, shell("没有此订单 · No such order", "")).into_response();
    };
    let fields = wire::read(&body);
    let choice = fields.get("pay").map_or("", String::as_str).to_owned();
    if !matches!(choice.as_str(), "succeed" | "fail" | "later") {
        return refused("10", "请选择支付结果");
    }
    let (now, later, number) = (bank.desk.now(), bank.later, gateway::number(bank.desk.now()));
    let wanted = choice.clone();
    let change = move |order: Option<Order>| {
        let order = order.filter(|order| order.state == State::Open)?;
        Some(match wanted.as_str() {
            "succeed" => Order { state: State::Paid, query_id: Some(number), ..order },
            "later" => Order { state: State::Accepted, settles_at: Some(now + later), ..order },
            _ => Order { state: State::Failed, ..order },
        })
    };
    let decided = bank.book.change((&order.order_id, &order.txn_time), change).await;
    let Ok((Some(order), changed)) = decided else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let operation = if changed { "pay" } else { "pay_again" };
    let answer = json!({ "state": order.state, "txnAmt": order.minor, "query_id": order.query_id });
    let asked = json!({ "pay": choice, "orderId": order.order_id, "txnTime": order.txn_time });
    if bank.desk.record(operation, &order.order_id, asked, answer).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if changed {
        if order.state == State::Accepted {
            bank.clone().lie_about(order.clone());
        }
        bank.go_on(order.clone());
    }
    Redirect::to(&order.front_url).into_response()
}

/// All orders as JSON, for a program.
pub(super) async fn orders(Extract(bank): Extract<Bank>) -> Json<Value> {
    let orders: Vec<Value> = bank
        .book
        .all()
        .iter()
        .map(|order| {
            json!({ "order_id": order.order_id, "txn_time": order.txn_time, "minor": order.minor,
                "currency": "CNY", "state": order.state, "query_id": order.query_id,
                "page": format!("/pay/{}", order.page), "refunds": order.refunds })
        })
        .collect();
    Json(json!(orders))
}

/// All orders, for a person.
pub(super) async fn index(Extract(bank): Extract<Bank>) -> Html<String> {
    let rows: String = bank
        .book
        .all()
        .iter()
        .rev()
        .map(|order| {
            format!(
                r#"<tr data-order="{id}"><td><a href="/pay/{}">{id}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
                order.page,
                yuan(order.minor),
                state_text(order.state),
                yuan(order.refunds.iter().map(|refund| refund.minor).sum()),
                id = escape(&order.order_id),
            )
        })
        .collect();
    let head = "<tr><th>订单 · order</th><th>金额 · amount</th><th>状态 · state</th><th>已退 · refunded</th></tr>";
    let links = r#"<p><a href="/orders">JSON</a> · <a href="/journal">journal</a></p>"#;
    shell("模拟银行 · Bank", &format!("<table>{head}{rows}</table>{links}"))
}
