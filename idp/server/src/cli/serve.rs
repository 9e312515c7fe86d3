//! `tongban serve`.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Place, talk};
use crate::app::App;
use crate::config::Config;
use crate::listen::{self, Doors, Shutdown};
use crate::{ambient, doctor, metrics, telemetry};

/// Runs a deployment until a signal.
pub(super) async fn run(place: &Place) -> Result<(), Failure> {
    let config = place.load()?;
    if let Some(finding) = doctor::settings(&config).into_iter().find(|check| !check.ok) {
        return Err(Failure::No(finding.text));
    }
    telemetry::start(&config.log.level, &config.log.format);
    deploy(&config, |address, _| talk(format_args!("listening on {address}"))).await
}

/// Starts a deployment and serves it until SIGINT or SIGTERM; `ready` is told the address and what
/// answers there.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub async fn deploy(
    config: &Config,
    ready: impl FnOnce(std::net::SocketAddr, &idp_web::State),
) -> Result<(), Failure> {
    // Renewal tools send it to whatever serves: it ends nobody who has nothing to read again.
    let _hangup = signal(SignalKind::hangup())?;
    let listener = bound(&config.server.listen, "`server.listen` or `--port`").await?;
    let second = match config.tls.mtls_listen.as_str() {
        "" => None,
        address => Some(bound(address, "`tls.mtls_listen`").await?),
    };
    let doors = Doors::new(config, listener, second)?;
    let figures = match config.server.metrics_listen.as_str() {
        "" => None,
        address => Some(bound(address, "`server.metrics_listen`").await?),
    };
    let shutdown = Shutdown::default();
    let app = App::build(config, ambient::system()).await?;
    let (db, host, web) = (app.db.clone(), app.host.clone(), app.web.clone());
    let aliases = listen::aliases(&app.web);
    // Before the jobs, whose first round has figures of its own.
    let shown = figures.is_some().then(|| metrics::begin(db, host)).transpose()?;
    let mut router = app.start_jobs(&shutdown);
    if let Some((listener, shown)) = figures.zip(shown) {
        router = metrics::measured(router);
        talk(format_args!("figures on {}", listener.local_addr()?));
        tokio::spawn(listen::serve(listener, shown, shutdown.clone(), Duration::ZERO));
    }
    ready(doors.address()?, &web);
    let stop = shutdown.clone();
    tokio::spawn(async move {
        signalled().await;
        stop.stop();
    });
    let grace = Duration::from_secs(config.server.shutdown_seconds);
    doors.serve(router, aliases, shutdown, grace).await;
    Ok(())
}

async fn bound(address: &str, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|cause| {
        Failure::No(format!(
            "{address} cannot be listened on: {cause}\nhint: another program may use it; choose another {key}"
        ))
    })
}

async fn signalled() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
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
