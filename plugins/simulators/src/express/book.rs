//! The carrier's book of parcels: every change is one line, durable before anyone is told.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The way of a parcel that meets no problem.
pub(super) const WAY: [&str; 4] = ["picked_up", "in_transit", "out_for_delivery", "delivered"];

/// One line of a parcel's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Unique among the carrier's lines.
    pub id: String,
    /// `picked_up`, `in_transit`, `out_for_delivery`, `delivered` or `problem`.
    pub kind: String,
    /// Milliseconds UTC.
    pub at: i64,
    /// Where, or what the problem is.
    pub place: String,
    /// The customer has taken the push.
    #[serde(default)]
    pub told: bool,
}

/// A parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// The customer's key: one key, one parcel.
    pub key: String,
    /// 13 digits.
    pub label: String,
    /// What was ordered, as it was sent.
    pub order: Value,
    /// Its way.
    pub lines: Vec<Line>,
}

impl Parcel {
    /// Whether nothing more happens to it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.lines.last().is_some_and(|line| line.kind == "delivered")
    }

    /// The next step of its way; after a problem it is tried again.
    #[must_use]
    pub fn next(&self) -> Option<&'static str> {
        let done =
            self.lines.iter().rev().find_map(|line| WAY.iter().position(|kind| *kind == line.kind));
        WAY.get(done.map_or(0, |done| done + 1)).copied()
    }

    /// Adds a line.
    pub(super) fn add(&mut self, kind: &str, at: i64) {
        let place = match kind {
            "picked_up" => "福州市鼓楼揽投部 · Gulou, Fuzhou",
            "in_transit" => "福州邮件处理中心 · Fuzhou hub",
            "out_for_delivery" => "投递员派送中 · with the courier",
            "delivered" => "本人签收 · signed for",
            _ => "收件人电话无人接听 · nobody answered the telephone",
        };
        let id = format!("{}-{}", self.label, self.lines.len() + 1);
        let (kind, place) = (kind.to_owned(), place.to_owned());
        self.lines.push(Line { id, kind, at, place, told: false });
    }
}

struct Open {
    file: File,
    parcels: BTreeMap<String, Parcel>,
}

/// All parcels. Clones share them.
#[derive(Clone)]
pub(super) struct Book(Arc<Mutex<Open>>);

impl Book {
    /// Opens or begins a book; of a parcel's lines the last counts, and a torn one none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut parcels = BTreeMap::new();
        for line in text.get(..whole).unwrap_or_default().lines() {
            let parcel: Parcel = serde_json::from_str(line)?;
            parcels.insert(parcel.key.clone(), parcel);
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self(Arc::new(Mutex::new(Open { file, parcels }))))
    }

    /// All parcels.
    pub(super) fn all(&self) -> Vec<Parcel> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.parcels.values().cloned().collect()
    }

    /// One parcel by the customer's key.
    pub(super) fn find(&self, key: &str) -> Option<Parcel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).parcels.get(key).cloned()
    }

    /// One parcel by its label.
    pub(super) fn by_label(&self, label: &str) -> Option<Parcel> {
        self.all().into_iter().find(|parcel| parcel.label == label)
    }

    /// Looks at a parcel and writes what `change` makes of it. The parcel afterwards, and whether
    /// it changed.
    pub(super) async fn change(
        &self,
        key: &str,
        change: impl FnOnce(Option<Parcel>) -> Option<Parcel> + Send + 'static,
    ) -> io::Result<(Option<Parcel>, bool)> {
        let (shared, key) = (self.0.clone(), key.to_owned());
        let done = tokio::task::spawn_blocking(move || {
            let mut open = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let before = open.parcels.get(&key).cloned();
            let Some(after) = change(before.clone()) else { return Ok((before, false)) };
            let mut line = serde_json::to_vec(&after)?;
            line.push(b'\n');
            open.file.write_all(&line)?;
            open.file.sync_data()?;
            open.parcels.insert(key, after.clone());
            Ok((Some(after), true))
        });
        done.await.map_err(io::Error::other)?
    }
}
