//! What a component finds when it is linked: the contract, and of WASI only what Rust's standard
//! library needs, one interface at a time, on an empty context.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::WasiRandom;

use crate::bindings::Service;
use crate::call::Call;

/// The linker of every plugin. What a manifest does not grant was refused before this.
///
/// # Errors
/// The engine's own.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi_io::add_to_linker_async(l)?;
    cli::environment::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::exit::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::stdin::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::stdout::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::stderr::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::terminal_input::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::terminal_output::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::terminal_stdin::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::terminal_stdout::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    cli::terminal_stderr::add_to_linker::<Call, WasiCli>(l, Call::cli)?;
    random::insecure_seed::add_to_linker::<Call, WasiRandom>(l, |call| call.ctx().ctx.random())?;
    Service::add_to_linker::<Call, HasSelf<Call>>(l, |call| call)?;
    Ok(linker)
}
