//! The bank's book of orders: every change is one line, durable before anyone is told.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Shown to the payer, not paid.
    Open,
    /// Accepted; the money moves later.
    Accepted,
    /// Paid, once.
    Paid,
    /// Refused for good.
    Failed,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The refund's own order id.
    pub order_id: String,
    /// Its time.
    pub txn_time: String,
    /// Minor units.
    pub minor: i64,
    /// The bank's number of it.
    pub query_id: String,
}

/// An order. `(order_id, txn_time)` is its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The merchant's id.
    pub order_id: String,
    /// `YYYYMMDDhhmmss`.
    pub txn_time: String,
    /// Minor units.
    pub minor: i64,
    /// Name of the payer's page: not to be guessed.
    pub page: String,
    /// Where the payer goes back to.
    pub front_url: String,
    /// Where notices go.
    pub back_url: String,
    /// Where it stands.
    pub state: State,
    /// The bank's number of the payment.
    pub query_id: Option<String>,
    /// When an accepted payment is settled, milliseconds UTC.
    pub settles_at: Option<i64>,
    /// The merchant has taken the notice of the outcome.
    pub notified: bool,
    /// What went back.
    #[serde(default)]
    pub refunds: Vec<Refund>,
}

impl Order {
    /// What can still go back, minor units.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        let back: i64 = self.refunds.iter().map(|refund| refund.minor).sum();
        if self.state == State::Paid { self.minor - back } else { 0 }
    }
}

type Key = (String, String);

struct Open {
    file: File,
    orders: BTreeMap<Key, Order>,
}

/// All orders. Clones share them.
#[derive(Clone)]
pub(crate) struct Book(Arc<Mutex<Open>>);

impl Book {
    /// Opens or begins a book; of an order's lines the last counts, and a torn one none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut orders = BTreeMap::new();
        for line in text.get(..whole).unwrap_or_default().lines() {
            let order: Order = serde_json::from_str(line)?;
            orders.insert((order.order_id.clone(), order.txn_time.clone()), order);
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self(Arc::new(Mutex::new(Open { file, orders }))))
    }

    /// All orders.
    pub(crate) fn all(&self) -> Vec<Order> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.orders.values().cloned().collect()
    }

    /// One order.
    pub(crate) fn find(&self, order_id: &str, txn_time: &str) -> Option<Order> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.orders.get(&(order_id.to_owned(), txn_time.to_owned())).cloned()
    }

    /// The order of a payer's page.
    pub(crate) fn by_page(&self, page: &str) -> Option<Order> {
        self.all().into_iter().find(|order| order.page == page)
    }

    /// The order that was paid under a number.
    pub(crate) fn by_query_id(&self, query_id: &str) -> Option<Order> {
        self.all().into_iter().find(|order| order.query_id.as_deref() == Some(query_id))
    }

    /// Looks at an order and writes what `change` makes of it; all changes of the book stand in
    /// one row, so that two tabs pay once. The order afterwards and whether it changed.
    pub(crate) async fn change(
        &self,
        key: (&str, &str),
        change: impl FnOnce(Option<Order>) -> Option<Order> + Send + 'static,
    ) -> io::Result<(Option<Order>, bool)> {
        let shared = self.0.clone();
        let key = (key.0.to_owned(), key.1.to_owned());
        let done = tokio::task::spawn_blocking(move || {
            let mut open = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let before = open.orders.get(&key).cloned();
            let Some(after) = change(before.clone()) else { return Ok((before, false)) };
            let mut line = serde_json::to_vec(&after)?;
            line.push(b'\n');
            open.file.write_all(&line)?;
            open.file.sync_data()?;
            open.orders.insert(key, after.clone());
            Ok((Some(after), true))
        });
        done.await.map_err(io::Error::other)?
    }
}
