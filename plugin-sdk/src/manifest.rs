//! `plugin.toml` as the plugin itself knows it: read when the plugin is compiled, so that what it
//! says of itself and what the operator has approved are one text.

use crate::{Descriptor, Item, text};

/// What `plugin.toml` says; made by [`manifest!`](crate::manifest!).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    /// Id; the first part of its items' codes.
    pub id: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// Version of the plugin's own data about a case.
    pub state_version: u32,
    /// Codes of its items.
    pub items: &'static [&'static str],
    /// `grants.identity.attributes`: facts that it may read.
    pub attributes: &'static [&'static str],
    /// `grants.flow.queues`: queues that it may put a case into.
    pub queues: &'static [&'static str],
    /// `grants.store.collections`: its own documents.
    pub collections: &'static [&'static str],
    /// `grants.pay.quotes`: prices that it may ask for.
    pub quotes: &'static [&'static str],
    /// `grants.notify.templates`: messages that it may send.
    pub templates: &'static [&'static str],
    /// `grants.express.kinds`: parcels that it may book.
    pub kinds: &'static [&'static str],
    /// `grants.files.templates`: documents that it may issue.
    pub documents: &'static [&'static str],
}

impl Manifest {
    /// Whether the items are these, in this order: what the compiler compares.
    #[must_use]
    pub const fn serves(&self, codes: &[&str]) -> bool {
        if self.items.len() != codes.len() {
            return false;
        }
        let mut n = 0;
        while n < codes.len() {
            let (one, other) = (self.items[n].as_bytes(), codes[n].as_bytes());
            if one.len() != other.len() {
                return false;
            }
            let mut at = 0;
            while at < one.len() {
                if one[at] != other[at] {
                    return false;
                }
                at += 1;
            }
            n += 1;
        }
        true
    }

    /// What `describe` answers; `titles` gives each item's code with its name in both languages.
    #[must_use]
    pub fn descriptor(&self, titles: &[(&str, &str, &str)]) -> Descriptor {
        let item = |(code, zh, en): &(&str, &str, &str)| Item {
            code: (*code).to_owned(),
            title: text(zh, en),
            extra: Vec::new(),
        };
        Descriptor {
            id: self.id.to_owned(),
            version: self.version.to_owned(),
            state_version: self.state_version,
            items: titles.iter().map(item).collect(),
            extra: Vec::new(),
        }
    }
}
