//! The binary `tongban`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    idp_server::plugins::this_program_compiles();
    idp_server::cli::main()
}
