//! An express carrier, modelled on EMS (domain.md §10): order, label, the parcel's way with pushes
//! and by asking, problems.

mod book;
mod counter;
mod notice;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;

use crate::Clock;
use crate::desk::{self, Desk};
use crate::signed::Secret;

pub use book::{Line, Parcel};

/// What a carrier starts with.
pub struct Settings {
    /// Its books.
    pub dir: PathBuf,
    /// Shared with its customer.
    pub secret: String,
    /// Where it pushes the lines of a parcel's way; nowhere if absent.
    pub notify: Option<String>,
    /// Milliseconds between two steps of a parcel; 0 for steps by hand only.
    pub pace: u64,
    /// The time.
    pub clock: Clock,
}

/// What every handler reaches.
#[derive(Clone)]
struct Carrier {
    desk: Desk,
    book: book::Book,
    secret: Secret,
    notify: Option<String>,
    pace: Duration,
    http: reqwest::Client,
}

/// Opens the books and serves until the future is dropped.
///
/// # Errors
/// As the file system and the listener say.
pub async fn serve(settings: Settings, listener: TcpListener) -> io::Result<()> {
    let carrier = Carrier {
        desk: Desk::open(&settings.dir, "express", settings.clock)?,
        book: book::Book::open(&settings.dir.join("express.book.jsonl"))?,
        secret: Secret::new(&settings.secret),
        notify: settings.notify,
        pace: Duration::from_millis(settings.pace),
        http: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .build()
            .map_err(io::Error::other)?,
    };
    for parcel in carrier.book.all() {
        carrier.clone().go_on(parcel.key);
    }
    axum::serve(listener, router(carrier)).await
}

fn router(carrier: Carrier) -> Router {
    Router::new()
        .route("/", get(counter::index))
        .route("/orders", post(counter::book).get(counter::orders))
        .route("/orders/{key}", get(counter::track))
        .route("/parcels/{label}", get(counter::show).post(counter::step))
        .with_state(carrier.clone())
        .merge(carrier.desk.routes())
        .layer(middleware::from_fn(desk::to_the_end))
}
