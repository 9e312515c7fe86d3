//! The whole product on one machine with nothing to prepare: synthetic people, partners,
//! simulators as processes of their own, one data directory that outlives a restart.

mod build;
mod place;
mod seed;
mod sims;
pub(crate) mod simulator;
mod story;

use std::path::PathBuf;

use clap::Args;

use crate::cli::Failure;
use crate::cli::serve::deploy;
use crate::telemetry;

/// The whole product on this machine, with nothing to prepare.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: tongban demo --fresh --port 8080")]
pub struct DemoArgs {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    pub data: PathBuf,
    /// Port of the product; partners and simulators take the next ones.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// PostgreSQL instead of the embedded SQLite.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Begins anew: removes what an earlier demo kept.
    #[arg(long)]
    pub fresh: bool,
}

/// Runs the demo until a signal.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    crate::failpoints::of_a_demo();
    let place = place::open(&args)?;
    telemetry::start(&place.config.log.level, &place.config.log.format);
    build::plugins_of_the_tree(&place)?;
    let simulators = sims::start(&place).await?;
    let outcome = begin(&place).await;
    simulators.stop();
    outcome
}

async fn begin(place: &place::Place) -> Result<(), Failure> {
    let seeded = seed::run(place).await?;
    let (written, told) = (story::json(place, &seeded)?, story::text(place, &seeded));
    let file = place.directory.join("demo.json");
    let people = seed::test_people(place, &seeded);
    deploy(&place.config, move |_, web| {
        if let Some(sandbox) = &web.sandbox {
            // Nothing was set before: the state is new.
            let _ = sandbox.people.set(people);
        }
        // Last, because programs take its presence as "ready".
        // Whole or not at all: a program may read it at this very moment.
        let whole = file.with_extension("json.new");
        let done = std::fs::write(&whole, written).and_then(|()| std::fs::rename(&whole, &file));
        if let Err(cause) = done {
            tracing::error!(%cause, file = %file.display(), "demo.json cannot be written");
        }
        crate::cli::data(told);
    })
    .await
}
