//! The binary `tongban`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    small_pages();
    idp_server::plugins::this_program_compiles();
    idp_server::cli::main()
}

/// The allocator asks for pages of 2 MiB, which the kernel fills as a whole: an idle server then
/// holds ten megabytes that nothing stands in. Without them a request costs a few percent more
/// (docs/benchmarks.md).
#[cfg(target_os = "linux")]
fn small_pages() {
    // A kernel without them says no, and there is nothing to switch off.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
