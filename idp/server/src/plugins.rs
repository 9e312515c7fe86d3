//! The plugin host of this deployment: its settings, and the packages that it loads at the start.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use idp_store::Db;
use plugins_host::{Compiler, Host, Settings};

use crate::config::Config;

/// Whether this process is `tongban` itself, which can be started again to compile.
static STANDS_ALONE: AtomicBool = AtomicBool::new(false);

/// Said once by the binary's `main`; a test that builds the product in its own process does not.
pub fn this_program_compiles() {
    STANDS_ALONE.store(true, Ordering::Relaxed);
}

fn compiler() -> Result<Compiler, String> {
    if !STANDS_ALONE.load(Ordering::Relaxed) {
        return Ok(Compiler::Here);
    }
    let program = std::env::current_exe().map_err(|cause| cause.to_string())?;
    Ok(Compiler::Process { program, arguments: vec!["compile-plugin".to_owned()] })
}

/// Directories of packages, in the order of their names.
pub(crate) fn packages(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.join("plugin.toml").is_file());
    found.sort();
    found
}

/// Builds the host and loads every package. One that is not admitted stays out and is told in the
/// log; its items say that they are not served, and the others are unhurt.
///
/// # Errors
/// A sentence if WebAssembly cannot run here at all.
pub async fn host(config: &Config, db: &Db) -> Result<Host, String> {
    let key = db.vault().derive("plugin-cache").map_err(|cause| cause.to_string())?;
    let host = Host::new(Settings {
        cache: Some((config.plugins.cache.clone(), key.to_vec())),
        in_flight: config.plugins.in_flight,
        compiler: compiler()?,
    })?;
    for package in packages(&config.plugins.directory) {
        match host.load(&package).await {
            Ok(plugin) => tracing::info!(plugin, "a plugin is in service"),
            Err(cause) => tracing::error!(%cause, "a plugin is not in service"),
        }
    }
    Ok(host)
}
