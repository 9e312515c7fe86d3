//! `tongban serve`.

use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, Place, talk};
use crate::app::App;
use crate::config::Config;
use crate::listen::{self, Shutdown};
use crate::{ambient, doctor, telemetry};

/// Runs a deployment until a signal.
pub(super) async fn run(place: &Place) -> Result<(), Failure> {
    let config = place.load()?;
    if let Some(finding) = doctor::settings(&config).into_iter().find(|check| !check.ok) {
        return Err(Failure::No(finding.text));
    }
    telemetry::start(&config.log.level, &config.log.format);
    deploy(&config, |address| talk(format_args!("listening on {address}"))).await
}

/// Starts a deployment and serves it until SIGINT or SIGTERM; `ready` is told the address.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub async fn deploy(
    config: &Config,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), Failure> {
    let listener = TcpListener::bind(&config.server.listen).await.map_err(|cause| {
        Failure::No(format!(
            "{} cannot be listened on: {cause}\nhint: another program may use it; choose another `server.listen` or `--port`",
            config.server.listen
        ))
    })?;
    let shutdown = Shutdown::default();
    let app = App::build(config, ambient::system()).await?;
    let router = app.start_jobs(&shutdown);
    ready(listener.local_addr()?);
    let stop = shutdown.clone();
    tokio::spawn(async move {
        signalled().await;
        stop.stop();
    });
    let grace = Duration::from_secs(config.server.shutdown_seconds);
    listen::serve(listener, router, shutdown, grace).await;
    Ok(())
}

async fn signalled() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
