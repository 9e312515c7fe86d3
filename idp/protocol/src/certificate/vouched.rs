//! Chains that were found good: a partner shows the same one with every request, and its
//! signatures never change. What may change is asked each time: the hour and the lists.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};

use super::Certificate;
use super::withdrawn::Lists;

/// Chains kept; beyond, the cache begins anew. Only what an authority has signed comes in.
const MOST: usize = 10_000;

type Digest = [u8; 32];

#[derive(Debug, Default)]
struct Known {
    /// Under which they were found good.
    lists: Lists,
    /// During which seconds (UTC) nothing in them begins or ends.
    spans: HashMap<Digest, RangeInclusive<i64>>,
}

/// Chains by digest. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Vouched(Arc<Mutex<Known>>);

impl Vouched {
    /// Whether the chain was found good under these very lists, and still is.
    pub(super) fn has(&self, chain: &Digest, lists: &Lists, now: i64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::ptr_eq(&known.lists, lists)
            && known.spans.get(chain).is_some_and(|span| span.contains(&now))
    }

    /// Keeps a chain that was found good.
    pub(super) fn keep(&self, digest: Digest, chain: &[Vec<u8>], lists: &Lists) {
        let Some(span) = span(chain, lists) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Newer lists may have taken back any of them.
        if !Arc::ptr_eq(&known.lists, lists) {
            *known = Known { lists: lists.clone(), spans: HashMap::new() };
        }
        if known.spans.len() >= MOST {
            known.spans.clear();
        }
        known.spans.insert(digest, span);
    }
}

/// Of the whole chain.
pub(super) fn digest(chain: &[Vec<u8>]) -> Digest {
    let mut context = Context::new(&SHA256);
    for one in chain {
        // DER tells its own length, so that no two chains are the same bytes.
        context.update(one);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The seconds in which every certificate shown is valid and every list is believed.
fn span(chain: &[Vec<u8>], lists: &Lists) -> Option<RangeInclusive<i64>> {
    let (mut since, mut until) = (i64::MIN, i64::MAX);
    for one in chain {
        let one = Certificate::read(one).ok()?;
        since = since.max(one.not_before);
        until = until.min(one.not_after);
    }
    for list in lists.iter() {
        until = until.min(list.until - 1);
    }
    Some(since..=until)
}
