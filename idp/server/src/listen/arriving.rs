//! A request's body on its way: how long its sender may be silent, and what becomes of the part
//! that nobody asked for.
//!
//! Whoever closes a connection with unread bytes in it makes the system reset it, and the answer
//! is lost with it: a person whose upload was refused early would see a broken page in place of
//! the reason. So the rest is read and thrown away before the answer leaves (RFC 9112 §9.6).

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// How long a sender may be silent inside a body: a slow one must not hold a connection (slowloris).
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes a second, below which a sender is given up after the first [`SILENCE`]: a tenth of what
/// the oldest telephone network carries, so that nobody holds a connection by a byte now and then.
const SLOWEST: u32 = 500;
/// How long an answer waits for the rest of its request.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of that rest, above which the connection is cut: the longest form of the hall and more.
const LONGEST_REST: usize = 16 * 1024 * 1024;

/// A body with an eye on its sender.
struct Watched {
    body: Incoming,
    /// Since when somebody waits for it.
    begun: Option<Instant>,
    /// Bytes that have come.
    received: u32,
    /// Set only while it waits: most bodies come together with their headers.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn new(body: Incoming) -> Self {
        Self { body, begun: None, received: 0, alarm: None }
    }

    /// When the next piece has to be here.
    fn limit(&mut self) -> Instant {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        let earned = Duration::from_secs((self.received / SLOWEST).into());
        (begun + SILENCE + earned).min(now + SILENCE)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.alarm = None;
            let length = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            let length = length.and_then(|data| u32::try_from(data.len()).ok()).unwrap_or(0);
            self.received = self.received.saturating_add(length);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if self.alarm.is_none() {
            self.alarm = Some(Box::pin(tokio::time::sleep_until(self.limit())));
        }
        if let Some(alarm) = &mut self.alarm {
            ready!(alarm.as_mut().poll(cx));
        }
        Poll::Ready(Some(Err("its sender fell silent, or was slower than any network".into())))
    }
}

struct Arriving {
    rest: Option<Box<Watched>>,
    /// Whether the sender was told to go on: with `Expect`, that is when somebody begins to read.
    invited: bool,
    back: Option<oneshot::Sender<Box<Watched>>>,
}

impl hyper::body::Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.invited = true;
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(rest.poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), |rest| rest.body.size_hint())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let (true, Some(rest), Some(back)) = (self.invited, self.rest.take(), self.back.take()) {
            // Nobody waits for it if the connection is gone.
            let _ = back.send(rest);
        }
    }
}

/// Answers a request by `service`, and lets the request arrive before its answer leaves.
pub(super) async fn answered<S, E>(
    service: S,
    request: Request<Incoming>,
) -> Result<Response<Body>, E>
where
    S: AsyncFnOnce(Request<Body>) -> Result<Response<Body>, E>,
{
    if request.body().is_end_stream() {
        return service(request.map(|_| Body::empty())).await;
    }
    let (back, given) = oneshot::channel();
    let invited = !request.headers().contains_key(EXPECT);
    let request = request.map(|body| {
        let rest = Some(Box::new(Watched::new(body)));
        Body::new(Arriving { rest, invited, back: Some(back) })
    });
    let response = service(request).await;
    finish(given).await;
    response
}

async fn finish(mut given: oneshot::Receiver<Box<Watched>>) {
    let Ok(mut rest) = given.try_recv() else { return };
    let arrive = async {
        let mut left = LONGEST_REST;
        while let Some(Ok(frame)) = poll_fn(|cx| rest.poll_frame(cx)).await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(fewer) = left.checked_sub(length) else { break };
            left = fewer;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, arrive).await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::routing::post;
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{Shutdown, serve};
    use super::*;

    /// One address that reads nothing and one that reads all.
    async fn server() -> SocketAddr {
        let router = Router::new()
            .route("/refuse", post(async || StatusCode::BAD_REQUEST))
            .route("/read", post(async |body: Bytes| body.len().to_string()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, Shutdown::default(), Duration::ZERO));
        address
    }

    async fn begun(path: &str, more: &str) -> TcpStream {
        let mut stream = TcpStream::connect(server().await).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\n{more}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// What the server says until it closes the connection.
    async fn heard(stream: &mut TcpStream) -> String {
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        String::from_utf8(heard).unwrap()
    }

    #[tokio::test]
    async fn rfc9112_3_2_a_request_is_for_one_host_and_of_one_caller() {
        for (version, lines, right) in [
            ("1.1", "host: h", true),
            ("1.1", "host: [::1]:8443", true),
            ("1.1", "host:", true),
            ("1.0", "accept: */*", true),
            ("1.1", "host: h\r\nauthorization: a", true),
            ("1.1", "accept: */*", false),
            ("1.1", "host: h\r\nhost: h", false),
            ("1.0", "host: h\r\nhost: g", false),
            ("1.1", "host: a b<>", false),
            ("1.1", "host: h\r\nauthorization: a\r\nauthorization: b", false),
        ] {
            let mut stream = TcpStream::connect(server().await).await.unwrap();
            let head = format!("POST /read HTTP/{version}\r\n{lines}\r\nconnection: close\r\n");
            let whole = format!("{head}content-length: 2\r\n\r\nab");
            stream.write_all(whole.as_bytes()).await.unwrap();
            let heard = heard(&mut stream).await;
            assert_eq!(heard.contains(" 200 OK"), right, "{lines:?}: {heard}");
            assert_eq!(heard.contains(" 400 Bad Request"), !right, "{lines:?}: {heard}");
        }
    }

    #[tokio::test]
    async fn rfc9112_9_6_a_refusal_is_heard_by_who_still_sends_and_the_connection_lives() {
        let mut stream = begun("/refuse", "content-length: 8388608").await;
        for _ in 0..128 {
            stream.write_all(&[b'a'; 65_536]).await.expect("the server reads on");
        }
        let next =
            b"POST /read HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab";
        stream.write_all(next).await.expect("and the connection is used again");
        let heard = heard(&mut stream).await;
        assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
        assert!(heard.contains("HTTP/1.1 200 ") && heard.ends_with("\r\n\r\n2"), "{heard}");
    }

    #[tokio::test]
    async fn attack_42_what_nobody_asked_for_is_read_so_far_and_no_further() {
        let mut stream = begun("/refuse", "content-length: 1073741824").await;
        let mut sent = 0;
        while sent < 1 << 30 && stream.write_all(&[b'a'; 65_536]).await.is_ok() {
            sent += 65_536;
        }
        assert!(sent < 1 << 28, "a gigabyte is not read: {sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn attack_42_a_body_that_falls_silent_holds_no_connection() {
        for path in ["/read", "/refuse"] {
            let mut stream = begun(path, "content-length: 2").await;
            stream.write_all(b"a").await.unwrap();
            let since = tokio::time::Instant::now();
            let heard = heard(&mut stream).await;
            assert!(heard.starts_with("HTTP/1.1 400 "), "{path}: {heard}");
            assert!(since.elapsed() <= Duration::from_secs(60), "{path}: {:?}", since.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attack_42_a_byte_now_and_then_holds_no_connection() {
        let mut stream = begun("/read", "content-length: 1000").await;
        let since = tokio::time::Instant::now();
        while since.elapsed() < Duration::from_secs(60) && stream.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(9)).await;
        }
        let heard = heard(&mut stream).await;
        assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
        assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_phone_sends_its_form_to_the_end() {
        let mut stream = begun("/read", "connection: close\r\ncontent-length: 60000").await;
        for _ in 0..60 {
            stream.write_all(&[b'a'; 1_000]).await.expect("the server reads on");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        assert!(heard(&mut stream).await.ends_with("\r\n\r\n60000"));
    }

    #[tokio::test]
    async fn rfc9110_10_1_1_nobody_is_told_to_continue_what_is_refused() {
        let expects = "content-length: 2\r\nexpect: 100-continue";
        let refused = heard(&mut begun("/refuse", expects).await).await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
        let mut stream = begun("/read", expects).await;
        let mut told = [0; 21];
        stream.read_exact(&mut told).await.unwrap();
        assert!(told.starts_with(b"HTTP/1.1 100 "), "{told:?}");
    }
}
