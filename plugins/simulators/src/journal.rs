//! A simulator's record of what it was asked and what it answered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds UTC.
    pub at: i64,
    /// What was asked: `purchase`, `query`, `book`, …
    pub operation: String,
    /// The asker's key of it: an order id, a booking key.
    pub key: String,
    /// As it was asked.
    pub request: Value,
    /// As it was answered.
    pub answer: Value,
}

struct Open {
    file: File,
    entries: Vec<Entry>,
}

/// A file of JSON lines that is only added to. Clones share it.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Open>>);

impl Journal {
    /// Opens or begins a journal. A last line that was cut off by a crash is dropped: its answer
    /// never left.
    ///
    /// # Errors
    /// As the file system says; [`io::ErrorKind::InvalidData`] for a line that is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            Err(cause) => return Err(cause),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text.get(..whole).unwrap_or_default().lines();
        let entries = lines
            .map(|line| serde_json::from_str(line).map_err(io::Error::from))
            .collect::<io::Result<Vec<Entry>>>()?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self(Arc::new(Mutex::new(Open { file, entries }))))
    }

    /// Adds a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// As the file system says.
    pub async fn append(&self, entry: Entry) -> io::Result<()> {
        let shared = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            let mut open = shared.lock().unwrap_or_else(PoisonError::into_inner);
            open.file.write_all(&line)?;
            open.file.sync_data()?;
            open.entries.push(entry);
            Ok(())
        });
        written.await.map_err(io::Error::other)?
    }

    /// All lines, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entries.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(key: &str) -> Entry {
        let (operation, key) = ("pay".to_owned(), key.to_owned());
        Entry { at: 1, operation, key, request: json!({"a": 1}), answer: json!(null) }
    }

    #[tokio::test]
    async fn lines_outlive_the_process_and_a_torn_one_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bank.journal.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.append(entry("one")).await.unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"at\":2,\"operat").unwrap();
        let journal = Journal::open(&path).unwrap();
        journal.append(entry("two")).await.unwrap();
        assert_eq!(Journal::open(&path).unwrap().entries(), [entry("one"), entry("two")]);
    }
}
