//! The host as the engine uses it: plugins by id, one fresh instance a call, limits on everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use plugins_hall::call::{Context, Event, Failure, Outcome, Problem, Usage};
use plugins_hall::port::Runtime;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use crate::bindings::exports::tongban::service::plugin::{
    Descriptor, Problem as Fault, Transition,
};
use crate::bindings::{Service, ServicePre};
use crate::breaker::Breaker;
use crate::call::Call;
use crate::compile::Compiler;
use crate::convert;
use crate::describe;
use crate::engine::{self, Layout, Ticker};
use crate::exports::{self, Answer};
use crate::link;
use crate::manifest::Manifest;
use crate::package::{self, Cache, LoadError, Workshop};

/// How long a call waits for its turn before the caller is told to try again.
const TURN: Duration = Duration::from_millis(250);
/// What a guest may hand over in one host call, bytes: the engine's own bound while it copies.
const HOSTCALL: usize = 2 << 20;

/// What the server decides about the host.
#[derive(Clone)]
pub struct Settings {
    /// Where compiled components are kept, and the key (32 bytes at least) under which they are
    /// believed; none compiles at each start.
    pub cache: Option<(PathBuf, Vec<u8>)>,
    /// Calls that run at once, of all plugins.
    pub in_flight: u32,
    /// Who compiles.
    pub compiler: Compiler,
}

/// One version of one plugin, in service.
struct Loaded {
    manifest: Arc<Manifest>,
    service: ServicePre<Call>,
    descriptor: Value,
    in_flight: Semaphore,
    breaker: Mutex<Breaker>,
}

/// How a plugin stands, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Id of the plugin.
    pub plugin: String,
    /// Version in service.
    pub version: String,
    /// SHA-256 of its component, hex.
    pub digest: String,
    /// Whether it rests after too many failures; its cases wait.
    pub quarantined: bool,
}

/// Runs plugins.
pub struct Host {
    engine: Engine,
    layout: Layout,
    linker: Linker<Call>,
    ticker: Ticker,
    cache: Option<Cache>,
    compiler: Compiler,
    plugins: RwLock<BTreeMap<String, Arc<Loaded>>>,
    in_flight: Semaphore,
}

pub(crate) fn broken(code: &str, cause: impl ToString) -> Failure {
    Failure::Broken { code: code.to_owned(), cause: cause.to_string() }
}

/// What a call that did not come to its end failed of.
fn failure(call: &Call, cause: &wasmtime::Error) -> Failure {
    if cause.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::Busy;
    }
    let told = format!("{cause:#}");
    let exit = cause.downcast_ref::<wasmtime_wasi::I32Exit>().is_some();
    let code = match call.stopped {
        Some(limit) => limit,
        None if exit || cause.downcast_ref::<Trap>().is_some() => "trap",
        // The engine's bound on what is copied out of the guest has no type of its own.
        None if told.contains("fuel allocated for hostcalls") => "output",
        None => "nonsense",
    };
    broken(code, told)
}

impl Host {
    /// A host without plugins.
    ///
    /// # Errors
    /// A sentence if WebAssembly cannot run on this machine, or the cache's key is short.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let in_flight = settings.in_flight.clamp(1, 1_000);
        let (engine, layout) = engine::running(in_flight).map_err(|cause| format!("{cause:#}"))?;
        let ticker = Ticker::start(&engine)
            .map_err(|cause| format!("no thread for the plugins' clock: {cause}"))?;
        let linker = link::linker(&engine).map_err(|cause| format!("{cause:#}"))?;
        let cache = settings.cache.map(|(directory, key)| Cache::new(directory, &key));
        Ok(Self {
            engine,
            layout,
            linker,
            ticker,
            cache: cache.transpose()?,
            compiler: settings.compiler,
            plugins: RwLock::new(BTreeMap::new()),
            in_flight: Semaphore::new(usize::try_from(in_flight).unwrap_or(1)),
        })
    }

    /// Reads, admits, compiles and activates the package in a directory, after asking the component
    /// who it is; the version that served before goes on serving the calls in flight.
    ///
    /// # Errors
    /// [`LoadError`] with a sentence; nothing changes then.
    pub async fn load(&self, directory: &Path) -> Result<String, LoadError> {
        let workshop = Workshop {
            engine: &self.engine,
            layout: self.layout,
            compiler: &self.compiler,
            cache: self.cache.as_ref(),
        };
        let (manifest, component, digest) = package::open(&workshop, directory).await?;
        let refused = |why: String| package::refused(directory, why);
        let service = self.linked(&component).map_err(|cause| refused(format!("{cause:#}")))?;
        let id = manifest.id.clone();
        let in_flight = usize::try_from(manifest.limits.in_flight).unwrap_or(1);
        let loaded = Arc::new(Loaded {
            descriptor: describe::descriptor(&manifest, &digest),
            manifest: Arc::new(manifest),
            service,
            in_flight: Semaphore::new(in_flight),
            breaker: Mutex::default(),
        });
        let said = self.describe(&loaded).await.map_err(|failure| match failure {
            Failure::Broken { code, cause } => refused(format!("describe: {code}: {cause}")),
            other => refused(other.to_string()),
        })?;
        describe::agree(&loaded.manifest, &said).map_err(refused)?;
        self.plugins.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), loaded);
        Ok(id)
    }

    /// The plugins in service.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let now = Instant::now();
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let one = |loaded: &Arc<Loaded>| Standing {
            plugin: loaded.manifest.id.clone(),
            version: loaded.manifest.version.clone(),
            digest: loaded.descriptor["digest"].as_str().unwrap_or_default().to_owned(),
            quarantined: loaded.breaker().resting(now),
        };
        plugins.values().map(one).collect()
    }

    fn linked(&self, component: &Component) -> wasmtime::Result<ServicePre<Call>> {
        ServicePre::new(self.linker.instantiate_pre(component)?)
    }

    fn serving(&self, item: &str) -> Result<Arc<Loaded>, Failure> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let serves = |loaded: &&Arc<Loaded>| loaded.manifest.items.iter().any(|one| one == item);
        plugins.values().find(serves).cloned().ok_or(Failure::Absent)
    }

    async fn describe(&self, loaded: &Loaded) -> Result<Descriptor, Failure> {
        Ok(self.call(loaded, describe::nowhere(), true, exports::describe).await?.0)
    }

    /// One call: its turn, a store of its own, and what the breaker makes of its end.
    async fn call<T, F>(
        &self,
        loaded: &Loaded,
        context: Context,
        read_only: bool,
        work: F,
    ) -> Result<(T, Call), Failure>
    where
        F: for<'s> FnOnce(&'s mut Store<Call>, &'s Service) -> Answer<'s, T>,
    {
        if !loaded.breaker().lets(Instant::now()) {
            return Err(Failure::Busy);
        }
        // The plugin's own turn first: who waits for it takes no place of the others.
        let turns = async {
            let own = loaded.in_flight.acquire().await;
            (own, self.in_flight.acquire().await)
        };
        let (Ok(_own), Ok(_all)) =
            tokio::time::timeout(TURN, turns).await.map_err(|_| Failure::Busy)?
        else {
            return Err(Failure::Busy);
        };
        let answer = self.run(loaded, context, read_only, work).await;
        let failed = matches!(answer, Err(Failure::Broken { .. }));
        if loaded.breaker().ended(failed, Instant::now()) {
            let plugin = loaded.manifest.id.as_str();
            tracing::error!(plugin, "most calls of a plugin fail; it rests and its cases wait");
        }
        answer
    }

    async fn run<T, F>(
        &self,
        loaded: &Loaded,
        context: Context,
        read_only: bool,
        work: F,
    ) -> Result<(T, Call), Failure>
    where
        F: for<'s> FnOnce(&'s mut Store<Call>, &'s Service) -> Answer<'s, T>,
    {
        let limits = loaded.manifest.limits;
        let call = Call::new(context, loaded.manifest.clone(), read_only);
        let meter = call.meter.clone();
        let mut store = Store::new(&self.engine, call);
        store.limiter(|call| call);
        store.set_hostcall_fuel(HOSTCALL);
        store.set_max_component_handles(100);
        store.set_epoch_deadline(1);
        let most = u64::from(limits.cpu_ms).saturating_mul(1_000_000);
        store.epoch_deadline_callback(move |mut store| {
            let call = store.data_mut();
            if call.meter.so_far() >= most {
                call.stopped = Some("cpu");
                return Ok(UpdateDeadline::Interrupt);
            }
            // Others get their turn: one plugin that computes must not hold a thread.
            Ok(UpdateDeadline::Yield(1))
        });
        let running = self.ticker.running();
        let run = meter.clone().measure(async {
            let service = loaded.service.instantiate_async(&mut store).await?;
            work(&mut store, &service).await
        });
        let wall = Duration::from_millis(u64::from(limits.wall_ms));
        let answer = tokio::time::timeout(wall, run).await;
        drop(running);
        let mut call = store.into_data();
        call.usage.cpu_us = meter.micros();
        match answer {
            Ok(Ok(value)) => Ok((value, call)),
            Ok(Err(cause)) => Err(failure(&call, &cause)),
            Err(_) => Err(broken("wall", format!("longer than {} ms", limits.wall_ms))),
        }
    }

    /// A changing call, checked and put together.
    async fn outcome<F>(&self, context: Context, work: F) -> Result<Outcome, Failure>
    where
        F: for<'s> FnOnce(
            &'s mut Store<Call>,
            &'s Service,
        ) -> Answer<'s, Result<Transition, Fault>>,
    {
        let loaded = self.serving(&context.item)?;
        let (answer, mut call) = self.call(&loaded, context, false, work).await?;
        let size = match &answer {
            Ok(transition) => convert::size_of_transition(transition),
            Err(problem) => convert::size_of_problem(problem),
        };
        call.give(size).map_err(|cause| broken("output", cause))?;
        let transition = answer.map_err(|problem| Failure::Refused(convert::problem(problem)))?;
        let transition = convert::transition(transition)
            .ok_or_else(|| broken("nonsense", "the data is no JSON"))?;
        let (effects, calls) = (call.effects, call.calls);
        let usage = Usage { ..call.usage };
        let version = loaded.manifest.version.clone();
        Ok(Outcome { transition, effects, calls, usage, version })
    }
}

impl Loaded {
    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Runtime for Host {
    fn descriptors(&self) -> BTreeMap<String, Value> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.iter().map(|(id, loaded)| (id.clone(), loaded.descriptor.clone())).collect()
    }

    async fn form(&self, context: Context, step: &str, prefill: Value) -> Result<Value, Failure> {
        let loaded = self.serving(&context.item)?;
        let (item, who) = (context.item.clone(), convert::actor(&context.actor));
        let (step, prefill) = (step.to_owned(), prefill.to_string());
        let asked = (item, step, who, prefill);
        let (answer, mut call) = self
            .call(&loaded, context, true, |store, service| exports::form(store, service, asked))
            .await?;
        let text = answer.map_err(|problem| Failure::Refused(convert::problem(problem)))?;
        call.give(text.len()).map_err(|cause| broken("output", cause))?;
        let schema: Value =
            serde_json::from_str(&text).map_err(|cause| broken("nonsense", cause))?;
        if schema.is_object() { Ok(schema) } else { Err(broken("nonsense", "no object")) }
    }

    async fn validate(
        &self,
        context: Context,
        step: &str,
        data: Value,
    ) -> Result<Vec<Problem>, Failure> {
        let loaded = self.serving(&context.item)?;
        let (item, who) = (context.item.clone(), convert::actor(&context.actor));
        let (step, data) = (step.to_owned(), data.to_string());
        let asked = (item, step, who, data);
        let (problems, mut call) = self
            .call(&loaded, context, true, |store, service| exports::validate(store, service, asked))
            .await?;
        let size = problems.iter().map(convert::size_of_problem).fold(0, usize::saturating_add);
        call.give(size).map_err(|cause| broken("output", cause))?;
        Ok(problems.into_iter().take(100).map(convert::problem).collect())
    }

    async fn start(&self, context: Context, event: Event, form: Value) -> Result<Outcome, Failure> {
        let told = (context.item.clone(), convert::event(&event), form.to_string());
        self.outcome(context, |store, service| exports::start(store, service, told)).await
    }

    async fn advance(&self, context: Context, event: Event) -> Result<Outcome, Failure> {
        let Some(case) = context.case.as_ref().map(convert::case) else {
            return Err(broken("nonsense", "an event without its case"));
        };
        let told = (case, convert::event(&event));
        self.outcome(context, |store, service| exports::advance(store, service, told)).await
    }
}
