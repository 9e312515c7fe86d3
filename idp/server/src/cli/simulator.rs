//! `tongban simulator NAME`: one counterpart of the demo as a process of its own.

use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::{Failure, talk};
use crate::demo::simulator;

/// One counterpart of the demo, acted.
#[derive(Debug, Args)]
#[command(after_help = "Example: tongban simulator bank --port 8083 --data data/demo")]
pub(super) struct SimulatorArgs {
    /// mztong, wsbs, bank, express, sms, register or face.
    name: String,
    /// Where it listens, on this machine only.
    #[arg(long)]
    port: u16,
    /// The demo's data directory, with its secrets.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    data: PathBuf,
}

/// Runs `tongban simulator …`.
pub(super) async fn run(args: SimulatorArgs) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|cause| {
        Failure::No(format!("port {} cannot be listened on: {cause}", args.port))
    })?;
    talk(format_args!("{} listens on {}", args.name, listener.local_addr()?));
    simulator::run(&args.name, args.port, &args.data, listener).await
}
