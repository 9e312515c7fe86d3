//! A package on disk: `plugin.toml` and `component.wasm`, admitted, compiled, and its compiled form
//! kept for the next start.

use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::admit;
use crate::compile::{Compiler, LARGEST};
use crate::engine::Layout;
use crate::manifest::Manifest;

/// Why a package was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The manifest, the digest, the imports or the component are not as they must be.
    #[error("{path} is not admitted: {why}")]
    Refused {
        /// Which.
        path: PathBuf,
        /// A sentence, with a hint where there is one.
        why: String,
    },
}

/// Where compiled components are kept, and the key under which they are believed.
#[derive(Clone)]
pub(crate) struct Cache {
    pub(crate) directory: PathBuf,
    pub(crate) key: hmac::Key,
}

/// What turns a component into machine code for one engine.
pub(crate) struct Workshop<'w> {
    pub(crate) engine: &'w Engine,
    pub(crate) layout: Layout,
    pub(crate) compiler: &'w Compiler,
    pub(crate) cache: Option<&'w Cache>,
}

async fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |cause| LoadError::Read { path: path.to_owned(), cause };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > LARGEST {
        return Err(refused(path, format!("it is larger than {LARGEST} bytes")));
    }
    tokio::fs::read(path).await.map_err(failed)
}

pub(crate) fn refused(path: &Path, why: impl ToString) -> LoadError {
    LoadError::Refused { path: path.to_owned(), why: why.to_string() }
}

/// Reads, checks and compiles a package: manifest, digest, imports, and only then machine code.
pub(crate) async fn open(
    workshop: &Workshop<'_>,
    directory: &Path,
) -> Result<(Manifest, Component, String), LoadError> {
    let manifest_path = directory.join("plugin.toml");
    let text = String::from_utf8(read(&manifest_path).await?)
        .map_err(|_| refused(&manifest_path, "it is not UTF-8"))?;
    let manifest = Manifest::parse(&text).map_err(|why| refused(&manifest_path, why))?;
    let path = directory.join("component.wasm");
    let bytes = read(&path).await?;
    let digest = hex::encode(Sha256::digest(&bytes));
    if manifest.component.as_ref().is_some_and(|known| known.sha256 != digest) {
        return Err(refused(&path, "its digest is not the one that the manifest names"));
    }
    let imports = admit::imports(&bytes).map_err(|why| refused(&path, why))?;
    admit::check(imports.iter().map(String::as_str), &manifest)
        .map_err(|why| refused(&path, why))?;
    let component = workshop.component(&bytes, &digest).await.map_err(|why| refused(&path, why))?;
    Ok((manifest, component, digest))
}

impl Workshop<'_> {
    async fn component(&self, bytes: &[u8], digest: &str) -> Result<Component, String> {
        let Some(cache) = self.cache else {
            let machine = self.compiler.compile(self.layout, bytes).await?;
            return believed(self.engine, &machine).map_err(|cause| format!("{cause:#}"));
        };
        let mut compatible = Compatible(Sha256::new());
        std::hash::Hash::hash(&self.engine.precompile_compatibility_hash(), &mut compatible);
        let known = hex::encode(compatible.0.finalize().get(..8).unwrap_or_default());
        let name = format!("{digest}-{known}");
        let path = cache.directory.join(format!("{name}.cwasm"));
        if let Some(component) = cache.kept(self.engine, &path, &name) {
            return Ok(component);
        }
        let machine = self.compiler.compile(self.layout, bytes).await?;
        // A cache that cannot be written costs time at the next start, nothing else.
        if let Err(cause) = cache.keep(&path, &name, &machine) {
            tracing::warn!(%cause, "a compiled plugin could not be kept");
        }
        believed(self.engine, &machine).map_err(|cause| format!("{cause:#}"))
    }
}

impl Cache {
    /// A cache under a key.
    ///
    /// # Errors
    /// A sentence if the key is short: who could guess it would run machine code in this process.
    pub(crate) fn new(directory: PathBuf, key: &[u8]) -> Result<Self, String> {
        if key.len() < 32 {
            return Err("the key of the plugin cache is shorter than 32 bytes".to_owned());
        }
        Ok(Self { directory, key: hmac::Key::new(hmac::HMAC_SHA256, key) })
    }

    fn keep(&self, path: &Path, name: &str, machine: &[u8]) -> std::io::Result<()> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(name.as_bytes());
        context.update(machine);
        let mut file = context.sign().as_ref().to_vec();
        file.extend_from_slice(machine);
        let temporary = path.with_extension(format!("new-{}", std::process::id()));
        std::fs::create_dir_all(&self.directory)?;
        std::fs::write(&temporary, &file)?;
        std::fs::rename(&temporary, path)
    }

    /// A compiled component that we wrote ourselves, under our own code of its name and content.
    fn kept(&self, engine: &Engine, path: &Path, name: &str) -> Option<Component> {
        let file = std::fs::read(path).ok()?;
        let (code, machine) = file.split_at_checked(32)?;
        let mut signed = name.as_bytes().to_vec();
        signed.extend_from_slice(machine);
        if hmac::verify(&self.key, &signed, code).is_err() {
            tracing::warn!("a kept plugin is not as it was written; it is compiled anew");
            return None;
        }
        believed(engine, machine).ok()
    }
}

#[allow(unsafe_code)]
fn believed(engine: &Engine, machine: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what our own compiling process gave: either just now, or kept under a
    // message authentication code whose key only this program has.
    unsafe { Component::deserialize(engine, machine) }
}

/// The compatibility hash of the engine speaks through `Hash`; its bytes go into a stable digest.
struct Compatible(Sha256);

impl std::hash::Hasher for Compatible {
    fn finish(&self) -> u64 {
        0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
