//! Compiling: in a process of its own with limits, since a component may be built to wear out its
//! compiler, which no engine promises to survive.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::engine::{self, Layout};

/// Memory that the compiling process may write, bytes.
const MEMORY: u64 = 2 << 30;
/// CPU that it may spend, seconds.
const CPU: u64 = 120;
/// How long it may take, whatever it does.
const WALL: Duration = Duration::from_secs(150);
/// Largest component, bytes.
pub(crate) const LARGEST: u64 = 16 << 20;

/// Who compiles.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// A program that reads the component from its input, writes machine code to its output, and
    /// takes the layout's name as its last argument: [`child`].
    Process {
        /// The program.
        program: PathBuf,
        /// Its arguments before the layout's name.
        arguments: Vec<String>,
    },
    /// This process, without limits: for tests over components that they made themselves.
    Here,
}

impl Compiler {
    /// Compiles.
    ///
    /// # Errors
    /// A sentence: the component's fault, or a process that could not be had.
    pub(crate) async fn compile(&self, layout: Layout, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Here => {
                let bytes = bytes.to_vec();
                let work = move || compiled(layout, &bytes);
                tokio::task::spawn_blocking(work).await.map_err(|cause| cause.to_string())?
            }
            Self::Process { program, arguments } => {
                let mut command = Command::new(program);
                command.args(arguments).arg(layout.name()).env_clear();
                let work = carried(command, bytes);
                tokio::time::timeout(WALL, work)
                    .await
                    .map_err(|_| "compiling it took too long".to_owned())?
            }
        }
    }
}

async fn carried(mut command: Command, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |cause: std::io::Error| format!("the compiling process failed: {cause}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let input = child.stdin.take();
    let send = async {
        if let Some(mut input) = input {
            // A child that ended early says why on its other outputs.
            let _ = input.write_all(bytes).await;
        }
    };
    let ((), output) = tokio::join!(send, child.wait_with_output());
    let output = output.map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let told: String = String::from_utf8_lossy(&output.stderr).chars().take(400).collect();
    let told = told.trim();
    Err(match output.status.code() {
        Some(1) if !told.is_empty() => told.to_owned(),
        _ => format!("compiling it went beyond the limits of memory or time ({})", output.status),
    })
}

fn compiled(layout: Layout, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let engine = engine::compiling(layout).map_err(|cause| format!("{cause:#}"))?;
    engine.precompile_component(bytes).map_err(|cause| format!("{cause:#}"))
}

/// The work of the compiling process: limits itself, reads the component, writes machine code.
///
/// # Errors
/// A sentence for the parent, to be printed; the process ends with 1 then.
pub fn child(
    layout: &str,
    input: &mut dyn std::io::Read,
    output: &mut dyn std::io::Write,
) -> Result<(), String> {
    let layout = Layout::of(layout).ok_or("no such layout\nhint: `wide` or `narrow`")?;
    let limits = [
        (Resource::Data, MEMORY),
        (Resource::Cpu, CPU),
        (Resource::Nofile, 16),
        (Resource::Fsize, 64 << 20),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|cause| format!("a limit could not be set: {cause}"))?;
    }
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|cause| cause.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {LARGEST} bytes"));
    }
    let machine = compiled(layout, &bytes)?;
    output.write_all(&machine).and_then(|()| output.flush()).map_err(|cause| cause.to_string())
}
