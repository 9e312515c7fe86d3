//! The WebAssembly engine: what a component may be made of, and how much of the machine it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Length of one tick of the epoch, after which a computing guest lets others run.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Largest memory of one call, bytes; a manifest may ask for less.
const MEMORY: usize = 64 << 20;

/// How the address space is laid out. It is part of the compiled code, so the compiling process
/// and the running one must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// 4 GiB of reserved addresses a memory: no bounds check in the code.
    Wide,
    /// As much as a memory may have: bounds are checked in the code.
    Narrow,
}

impl Layout {
    /// Its name on the command line of the compiling process.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// The layout of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Wide, Self::Narrow].into_iter().find(|layout| layout.name() == name)
    }
}

/// What every engine here shares, whether it compiles or runs.
fn common(layout: Layout) -> Config {
    let mut config = Config::new();
    // Host functions answer within the call; without this each costs three times as much.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // The same event gives the same answer on every machine.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    // Nothing that a plugin needs: each proposal less is a way in less.
    config.wasm_memory64(false);
    config.wasm_relaxed_simd(false);
    config.wasm_tail_call(false);
    config.wasm_custom_page_sizes(false);
    // Stacks serve one department after another.
    config.async_stack_zeroing(true);
    config.async_stack_size(1 << 20);
    config.max_wasm_stack(512 << 10);
    if layout == Layout::Narrow {
        config.memory_reservation(MEMORY as u64);
        config.memory_guard_size(64 << 10);
    }
    config
}

/// An engine that only compiles.
///
/// # Errors
/// The engine's own, where the machine is not supported.
pub(crate) fn compiling(layout: Layout) -> wasmtime::Result<Engine> {
    Engine::new(&common(layout))
}

fn pooled(layout: Layout, in_flight: u32) -> wasmtime::Result<Engine> {
    let mut config = common(layout);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(in_flight)
        .total_core_instances(in_flight.saturating_mul(8))
        .total_memories(in_flight)
        .total_tables(in_flight.saturating_mul(8))
        .total_stacks(in_flight)
        // What one component may take of the pool, so that no plugin empties it for the others.
        .max_core_instances_per_component(8)
        .max_memories_per_component(1)
        .max_tables_per_component(8)
        .max_memory_size(MEMORY)
        .table_elements(20_000)
        .max_unused_warm_slots(8)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// An engine that runs `in_flight` calls at once. Where addresses are short the pool is laid out
/// narrow.
///
/// # Errors
/// The engine's own.
pub(crate) fn running(in_flight: u32) -> wasmtime::Result<(Engine, Layout)> {
    match pooled(Layout::Wide, in_flight) {
        Ok(engine) => Ok((engine, Layout::Wide)),
        Err(cause) => {
            tracing::info!(%cause, "plugins run in a narrow layout: addresses are short here");
            Ok((pooled(Layout::Narrow, in_flight)?, Layout::Narrow))
        }
    }
}

/// Moves the epoch while calls run, and sleeps when none does: an idle deployment is idle.
pub(crate) struct Ticker {
    active: Arc<AtomicUsize>,
    asleep: Arc<AtomicBool>,
    thread: Thread,
}

/// Ticks that go by without a call before the thread goes to sleep.
const PATIENCE: u32 = 100;

impl Ticker {
    /// Starts the thread; it ends with the engine.
    ///
    /// # Errors
    /// The operating system's, if there is no thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let active = Arc::new(AtomicUsize::new(0));
        let asleep = Arc::new(AtomicBool::new(false));
        let (engine, calls, sleeps) = (engine.weak(), active.clone(), asleep.clone());
        let run = move || {
            let mut idle = 0;
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                idle = if calls.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
                if idle < PATIENCE {
                    std::thread::park_timeout(TICK);
                } else {
                    sleeps.store(true, Ordering::SeqCst);
                    // A call that began between the two lines has set its count before.
                    if calls.load(Ordering::SeqCst) == 0 {
                        std::thread::park();
                    }
                    sleeps.store(false, Ordering::SeqCst);
                    idle = 0;
                }
            }
        };
        let handle = std::thread::Builder::new().name("plugin-epochs".to_owned()).spawn(run)?;
        Ok(Self { active, asleep, thread: handle.thread().clone() })
    }

    /// Says that a call runs, until the answer is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.active.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// A call that runs.
pub(crate) struct Running<'t>(&'t Ticker);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}
