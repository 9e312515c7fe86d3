//! One call: what the plugin may see, what it has wished for, and what it has used.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugins_hall::call::{Context, Effect, HostCall, Usage};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::tongban::types::types::{Problem, Text};
use crate::manifest::Manifest;
use crate::meter::Meter;

/// Documents that one call may read, bytes.
const READS: usize = 4 << 20;
/// Effects of one call.
const EFFECTS: usize = 50;

/// A document and its version, or none.
pub(crate) type Document = Option<(Value, u64)>;

/// The data of one store.
pub(crate) struct Call {
    pub(crate) context: Context,
    pub(crate) manifest: Arc<Manifest>,
    /// Whether effects are refused: `describe`, `form`, `validate`.
    pub(crate) read_only: bool,
    pub(crate) effects: Vec<Effect>,
    pub(crate) calls: Vec<HostCall>,
    /// Documents as the call sees them: read once, then as it wrote them.
    pub(crate) documents: BTreeMap<(String, String), Document>,
    /// Versions of the documents before the call, which the commit must still find.
    pub(crate) versions: BTreeMap<(String, String), u64>,
    pub(crate) usage: Usage,
    /// Which limit stopped the plugin, if one did.
    pub(crate) stopped: Option<&'static str>,
    pub(crate) meter: Arc<Meter>,
    /// Bytes that the guest has handed over.
    given: usize,
    /// Bytes of documents that it has read.
    read: usize,
    wasi: WasiCtx,
    table: ResourceTable,
}

/// The plugin used more than its manifest allows.
#[derive(Debug, thiserror::Error)]
#[error("limit {0}")]
pub(crate) struct Exceeded(pub(crate) &'static str);

impl Call {
    pub(crate) fn new(context: Context, manifest: Arc<Manifest>, read_only: bool) -> Self {
        let mut seed = [0; 16];
        for (to, from) in seed.iter_mut().zip(context.seed) {
            *to = from;
        }
        let wasi = WasiCtx::builder()
            // Hash maps of the guest are seeded by the event, so that a replay is the same.
            .insecure_random_seed(u128::from_be_bytes(seed))
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(100);
        Self {
            context,
            manifest,
            read_only,
            effects: Vec::new(),
            calls: Vec::new(),
            documents: BTreeMap::new(),
            versions: BTreeMap::new(),
            usage: Usage::default(),
            stopped: None,
            meter: Arc::new(Meter::default()),
            given: 0,
            read: 0,
            wasi,
            table,
        }
    }

    fn stop(&mut self, limit: &'static str) -> wasmtime::Error {
        self.stopped = Some(limit);
        wasmtime::Error::from(Exceeded(limit))
    }

    /// Counts a host call and the bytes that came with it, before anything is parsed: a parsed
    /// value takes many times the memory of its text.
    ///
    /// # Errors
    /// [`Exceeded`], which stops the plugin.
    pub(crate) fn count(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.usage.host_calls = self.usage.host_calls.saturating_add(1);
        if self.usage.host_calls > self.manifest.limits.host_calls {
            return Err(self.stop("host_calls"));
        }
        self.give(bytes)
    }

    /// Counts bytes that the guest hands over.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub(crate) fn give(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.given = self.given.saturating_add(bytes);
        if self.given > usize::try_from(self.manifest.limits.output_kb).unwrap_or(0) << 10 {
            return Err(self.stop("output"));
        }
        Ok(())
    }

    /// Counts a document that was read.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub(crate) fn took(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.read = self.read.saturating_add(bytes);
        if self.read > READS { Err(self.stop("output")) } else { Ok(()) }
    }

    /// Keeps a host call for replay and audit.
    pub(crate) fn keep(&mut self, function: &str, arguments: &Value, answer: Value, allowed: bool) {
        self.calls.push(HostCall {
            function: function.to_owned(),
            arguments: hex::encode(Sha256::digest(arguments.to_string())),
            answer,
            allowed,
        });
    }

    /// An id for an effect: the same for the same call of the same event.
    pub(crate) fn id(&self, key: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.context.seed);
        hash.update(u64::try_from(self.effects.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(key.as_bytes());
        hex::encode(hash.finalize().get(..12).unwrap_or_default())
    }

    /// Whether a named thing is granted; the refusal names the line that would allow it.
    ///
    /// # Errors
    /// The problem for the plugin.
    pub(crate) fn granted(
        &self,
        names: Option<&Vec<String>>,
        name: &str,
        line: &str,
    ) -> Result<(), Problem> {
        if names.is_some_and(|names| names.iter().any(|known| known == name)) {
            return Ok(());
        }
        let name: String = name.chars().take(80).collect();
        Err(denied(&format!("`{name}` is not granted\nhint: add it to {line} in plugin.toml")))
    }

    /// Refuses effects where nothing may change, and too many of them.
    ///
    /// # Errors
    /// The problem for the plugin.
    pub(crate) fn writes(&self) -> Result<(), Problem> {
        if self.read_only {
            return Err(denied("nothing may change during this call"));
        }
        if self.effects.len() >= EFFECTS {
            return Err(denied("too many effects in one call"));
        }
        Ok(())
    }
}

/// A refusal as the plugin sees it.
pub(crate) fn denied(why: &str) -> Problem {
    Problem {
        code: "denied".to_owned(),
        field: None,
        detail: vec![Text { lang: "en".to_owned(), value: why.to_owned() }],
        retryable: false,
    }
}

impl WasiView for Call {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl wasmtime_wasi_io::IoView for Call {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl ResourceLimiter for Call {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let most = usize::try_from(self.manifest.limits.memory_mb).unwrap_or(0) << 20;
        if desired > most {
            self.stopped = Some("memory");
            return Ok(false);
        }
        self.usage.memory = self.usage.memory.max(u64::try_from(desired).unwrap_or(u64::MAX));
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }
}
