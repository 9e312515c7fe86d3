//! `tongban serve`, `check`, `migrate`.

use std::time::Duration;

use tokio::net::TcpListener;

use super::{Failure, Place, data, talk};
use crate::app::{App, open_database};
use crate::config::Config;
use crate::listen::{self, Shutdown};
use crate::{ambient, telemetry};

/// Everything that keeps a configuration from carrying people's data.
fn findings(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    if config.server.demo {
        findings.push(
            "`server.demo` is true: these are the demo's secrets and synthetic people.\n\
             hint: write a configuration of your own; `tongban config` prints the defaults"
                .to_owned(),
        );
    }
    match url::Url::parse(&config.server.issuer) {
        Ok(url) => {
            let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            if url.scheme() != "https" && !local {
                findings.push(
                    "`server.issuer` must be https anywhere but on localhost.\n\
                     hint: terminate TLS in front and name the public address"
                        .to_owned(),
                );
            }
            if config.server.issuer.ends_with('/') || url.query().is_some() {
                findings.push(
                    "`server.issuer` has a trailing slash or a query.\n\
                     hint: partners compare it as text; write it without"
                        .to_owned(),
                );
            }
        }
        Err(cause) => findings.push(format!("`server.issuer` is not an address: {cause}.")),
    }
    if config.registration.mode != "off" {
        findings.push(
            "`registration.mode` is not `off`, and this version has no dynamic registration.\n\
             hint: register partners with `tongban client create`"
                .to_owned(),
        );
    }
    findings
}

/// Runs a deployment until a signal.
pub(super) async fn run(place: &Place) -> Result<(), Failure> {
    let config = place.load()?;
    if let Some(finding) = findings(&config).into_iter().next() {
        return Err(Failure::No(finding));
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

/// One line a check; status 1 if anything stands in the way.
pub(super) async fn check(place: &Place) -> Result<(), Failure> {
    let config = place.load()?;
    data("ok: the configuration can be read");
    let mut faults = findings(&config);
    if let Err(cause) = open_database(&config).await {
        faults.push(cause.to_string());
    } else {
        data("ok: the database answers and its schema is up to date");
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::No(faults.join("\n")))
}

/// Opening brings the schema up to date.
pub(super) async fn migrate(place: &Place) -> Result<(), Failure> {
    open_database(&place.load()?).await?;
    talk("the schema is up to date");
    Ok(())
}
