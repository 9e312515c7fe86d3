//! A bank with a UnionPay-like gateway (domain.md §10): signed orders by form, a page to pay on,
//! signed notices, queries and refunds.

mod book;
mod gateway;
mod keys;
mod notice;
mod pages;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;

use crate::Clock;
use crate::desk::{self, Desk};

pub use book::{Order, State as OrderState};
pub use keys::Keys;

/// What a bank starts with.
pub struct Settings {
    /// Its books and keys.
    pub dir: PathBuf,
    /// Merchant number of its one customer, 15 digits.
    pub merchant: String,
    /// How long a payment that was put off takes, milliseconds.
    pub later: u64,
    /// The time.
    pub clock: Clock,
}

/// What every handler reaches.
#[derive(Clone)]
struct Bank {
    desk: Desk,
    book: book::Book,
    merchant: Arc<str>,
    later: i64,
    /// Signs as the gateway.
    gateway: Arc<wire::Signing>,
    /// Public key of the merchant.
    customer: Arc<Vec<u8>>,
    http: reqwest::Client,
}

/// Opens the books and serves until the future is dropped.
///
/// # Errors
/// As the file system and the listener say.
pub async fn serve(settings: Settings, listener: TcpListener) -> io::Result<()> {
    let keys = Keys::open(&settings.dir)?;
    let bank = Bank {
        desk: Desk::open(&settings.dir, "bank", settings.clock)?,
        book: book::Book::open(&settings.dir.join("bank.book.jsonl"))?,
        merchant: settings.merchant.into(),
        later: i64::try_from(settings.later).unwrap_or(i64::MAX),
        gateway: Arc::new(wire::Signing::new(&keys.gateway)?),
        customer: Arc::new(keys.merchant_public()?),
        // A notice is answered where it was sent, or not at all.
        http: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(10))
            .no_proxy()
            .build()
            .map_err(io::Error::other)?,
    };
    for order in bank.book.all() {
        bank.clone().go_on(order);
    }
    axum::serve(listener, router(bank)).await
}

fn router(bank: Bank) -> Router {
    Router::new()
        .route("/", get(pages::index))
        .route("/orders", get(pages::orders))
        .route("/gateway/api/frontTransReq.do", post(gateway::order))
        .route("/gateway/api/queryTrans.do", post(gateway::query))
        .route("/gateway/api/backTransReq.do", post(gateway::refund))
        .route("/pay/{page}", get(pages::show).post(pages::pay))
        .with_state(bank.clone())
        .merge(bank.desk.routes())
        .layer(middleware::from_fn(desk::to_the_end))
}
