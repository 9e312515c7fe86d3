//! Notices of outcomes: signed, sent until they are taken, and no promise that they are true.

use std::time::Duration;

use serde_json::json;

use super::book::{Order, State};
use super::wire::{self, Fields};
use super::{Bank, gateway};
use crate::behaviour::Mode;

/// Waits between tries, seconds; afterwards the merchant has to ask.
const WAITS: [u64; 7] = [0, 1, 2, 4, 8, 16, 32];

impl Bank {
    /// Goes on with what an order still waits for: settlement, then its notice.
    pub(super) fn go_on(self, order: Order) {
        if order.state == State::Accepted || order.state != State::Open && !order.notified {
            tokio::spawn(async move {
                if let Err(cause) = self.settle_and_tell(order).await {
                    tracing::error!(%cause, "the bank cannot write its books");
                }
            });
        }
    }

    async fn settle_and_tell(&self, order: Order) -> std::io::Result<()> {
        let mut order = order;
        if order.state == State::Accepted {
            let left = order.settles_at.unwrap_or(0) - self.desk.now();
            tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
            let number = gateway::number(self.desk.now());
            let key = (order.order_id.clone(), order.txn_time.clone());
            let (after, changed) = self
                .book
                .change((&key.0, &key.1), move |order| {
                    let order = order.filter(|order| order.state == State::Accepted)?;
                    Some(Order { state: State::Paid, query_id: Some(number), ..order })
                })
                .await?;
            let Some(after) = after else { return Ok(()) };
            if changed {
                let answer = json!({ "state": after.state, "query_id": after.query_id });
                self.desk.record("settle", &after.order_id, json!({}), answer).await?;
            }
            order = after;
        }
        self.tell(order).await
    }

    /// Sends the notice until the merchant takes it.
    async fn tell(&self, order: Order) -> std::io::Result<()> {
        let about = Fields::from([
            ("operation".to_owned(), "notice".to_owned()),
            ("orderId".to_owned(), order.order_id.clone()),
            ("merId".to_owned(), self.merchant.to_string()),
        ]);
        let modes = [Mode::Late, Mode::Duplicate, Mode::Lie];
        let act = self.desk.act_among(&about, &modes);
        if act.mode == Mode::Late {
            tokio::time::sleep(act.delay).await;
        }
        let fields = self.notice(&order, act.mode == Mode::Lie)?;
        for wait in WAITS {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            if self.desk.is_down() || !self.send(&order, &fields).await? {
                continue;
            }
            if act.mode == Mode::Duplicate {
                self.send(&order, &fields).await?;
            }
            let key = (order.order_id.as_str(), order.txn_time.as_str());
            let taken = self.book.change(key, |order| Some(Order { notified: true, ..order? }));
            return taken.await.map(drop);
        }
        Ok(())
    }

    fn notice(&self, order: &Order, lie: bool) -> std::io::Result<Fields> {
        let (code, text) = match order.state {
            _ if lie => ("00", "成功"),
            State::Paid => ("00", "成功"),
            _ => ("51", "余额不足"),
        };
        let minor = if lie { order.minor.saturating_add(1) } else { order.minor };
        let query_id = order.query_id.clone();
        let query_id = query_id.unwrap_or_else(|| gateway::number(self.desk.now()));
        let mut fields: Fields = [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("txnType", "01"),
            ("txnSubType", "01"),
            ("bizType", "000201"),
            ("accessType", "0"),
            ("merId", &self.merchant),
            ("orderId", &order.order_id),
            ("txnTime", &order.txn_time),
            ("txnAmt", &minor.to_string()),
            ("currencyCode", "156"),
            ("queryId", &query_id),
            ("respCode", code),
            ("respMsg", text),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        self.gateway.sign(&mut fields)?;
        Ok(fields)
    }

    /// One try; true if it was taken (200 or 302, domain.md §10).
    async fn send(&self, order: &Order, fields: &Fields) -> std::io::Result<bool> {
        let sent = self
            .http
            .post(&order.back_url)
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
            .body(wire::write(fields))
            .send()
            .await;
        let status = sent.map(|answer| answer.status().as_u16()).ok();
        let answer = json!({ "status": status });
        self.desk.record("notice", &order.order_id, json!(fields), answer).await?;
        Ok(matches!(status, Some(200 | 302)))
    }

    /// Tells a lie at once about an order whose money has not moved.
    pub(super) fn lie_about(self, order: Order) {
        let about = Fields::from([
            ("operation".to_owned(), "notice".to_owned()),
            ("orderId".to_owned(), order.order_id.clone()),
        ]);
        if self.desk.act_among(&about, &[Mode::Lie]).mode != Mode::Lie {
            return;
        }
        tokio::spawn(async move {
            let Ok(fields) = self.notice(&order, true) else { return };
            if let Err(cause) = self.send(&order, &fields).await {
                tracing::error!(%cause, "the bank cannot write its books");
            }
        });
    }
}
