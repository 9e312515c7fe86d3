//! The listeners: HTTP/1.1 over TCP or TLS with bounds on headers and on time, and a shutdown that lets
//! requests in flight finish.

mod arriving;
mod doors;
pub mod lists;
pub mod renewed;
pub mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use http::{StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use idp_web::certificate::Chain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

pub use doors::{Doors, aliases, certificates};

/// Time that a client gets for the handshake, and to send its headers: slow ones must not hold connections (slowloris).
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

    /// Waits for `span`, or until someone stops; says whether someone did.
    pub async fn comes_within(&self, span: Duration) -> bool {
        tokio::time::timeout(span, self.stopped()).await.is_ok()
    }
}

/// Serves `router` until `shutdown`, then gives requests in flight `grace`.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, grace: Duration) {
    serve_over(listener, None, router, shutdown, grace).await;
}

/// The same, over TLS where there is an acceptor.
async fn serve_over(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    shutdown: Shutdown,
    grace: Duration,
) {
    let (alive, mut done) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.stopped() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), shutdown.clone());
                let (acceptor, alive) = (acceptor.clone(), alive.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    match acceptor {
                        None => connection(stream, peer, None, router, stop).await,
                        Some(acceptor) => over_tls(&acceptor, stream, peer, router, stop).await,
                    }
                    drop(alive);
                });
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

async fn over_tls(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    shutdown: Shutdown,
) {
    // Whoever fails is told by the alert; a log line each would let strangers fill the disk.
    let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIME, acceptor.accept(stream)).await else {
        return;
    };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = Chain::new(shown.iter().map(|one| one.to_vec()).collect());
    connection(stream, peer, chain, router, shutdown).await;
}

/// Whether a request is for one host (RFC 9112 §3.2) and of one caller: of two lines a proxy before
/// us may have read the other one.
fn unambiguous<B>(request: &http::Request<B>) -> bool {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, None) => request.version() < http::Version::HTTP_11,
        (Some(host), None) => {
            host.as_bytes().is_empty() || http::uri::Authority::try_from(host.as_bytes()).is_ok()
        }
        _ => false,
    };
    host && headers.get_all(header::AUTHORIZATION).iter().nth(1).is_none()
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    chain: Option<Chain>,
    router: Router,
    shutdown: Shutdown,
) {
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        if let Some(chain) = &chain {
            request.extensions_mut().insert(chain.clone());
        }
        let router = router.clone();
        let plain = unambiguous(&request);
        let service = async move |request| match plain {
            true => router.oneshot(request).await,
            false => Ok(StatusCode::BAD_REQUEST.into_response()),
        };
        arriving::answered(service, request)
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
}
