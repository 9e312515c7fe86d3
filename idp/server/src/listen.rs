//! The listener: HTTP/1.1 over TCP with bounds on headers and on time, and a shutdown that lets
//! requests in flight finish.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;

/// Time that a client gets to send its headers: slow ones must not hold connections (slowloris).
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Bytes of a connection's read buffer, which bounds all headers of a request together.
const HEADER_BYTES: usize = 32 * 1024;

/// The address of the peer, as an extension of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Tells everything to stop; clones share one switch.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Sender<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Shutdown {
    /// Stops everything that waits on this switch.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits until someone stops.
    pub async fn stopped(&self) {
        let mut receiver = self.0.subscribe();
        // An error means that the switch is gone, which is a stop too.
        let _ = receiver.wait_for(|stopped| *stopped).await;
    }
}

/// Serves `router` until `shutdown`, then gives requests in flight `grace`.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, grace: Duration) {
    let (alive, mut done) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.stopped() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection =
                    connection(stream, peer, router.clone(), shutdown.clone(), alive.clone());
                tokio::spawn(connection);
            }
            Err(cause) => {
                // Out of file descriptors is the usual one: wait for some to close.
                tracing::warn!(%cause, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(alive);
    let _ = tokio::time::timeout(grace, done.recv()).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    shutdown: Shutdown,
    alive: tokio::sync::mpsc::Sender<()>,
) {
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        request
    });
    let mut http1 = hyper::server::conn::http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_BYTES);
    let serving = http1.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => {}
        () = shutdown.stopped() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
    drop(alive);
}
