//! Attacks row 17, against real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use idp_domain::outgoing::{Failure, Limits, Outgoing as _};
use idp_outgoing::{Guarded, Names, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LOOPBACK: &str = "127.0.0.0/8";

/// A site that gives each caller the same bytes; counts who came.
async fn site(answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = [0; 2048];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    // Says nothing, and keeps the line open.
                    let _ = stream.read(&mut head).await;
                }
            });
        }
    });
    (address, came)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn guarded(allow: &[&str]) -> Guarded {
    let allow = allow.iter().map(|block| block.parse().unwrap()).collect();
    Guarded::new(Settings { authorities: None, allow }).unwrap()
}

/// A name server that somebody hostile runs.
struct Hostile(Vec<IpAddr>, Arc<AtomicUsize>);

#[async_trait]
impl Names for Hostile {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        // Each question is answered otherwise.
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        Ok(vec![self.0[asked.min(self.0.len() - 1)]])
    }
}

#[tokio::test]
async fn an_answer_comes_with_its_kind_and_age() {
    let headers =
        "Content-Type: Application/JSON; charset=utf-8\r\nCache-Control: public, max-age=60\r\n";
    let (address, _) = site(http("200 OK", headers, "{}")).await;
    let url = format!("http://{address}/keys");
    let answer = guarded(&[LOOPBACK]).get(&url, Limits::default()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.max_age, Some(60));
}

#[tokio::test]
async fn attack_17_special_addresses_are_not_even_connected_to() {
    let (address, came) = site(http("200 OK", "", "secret")).await;
    let port = address.port();
    let closed = guarded(&[]);
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "[::]",
    ] {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{port}/");
            let got = closed.get(&url, Limits::default()).await.unwrap_err();
            assert!(matches!(got, Failure::Closed | Failure::Address), "{url} {got:?}");
        }
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn attack_17_a_name_that_leads_inside_is_refused_after_it_was_resolved() {
    let (address, came) = site(http("200 OK", "", "secret")).await;
    for inside in ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fd00::1"] {
        let asked = Arc::new(AtomicUsize::new(0));
        let names = Hostile(vec![inside.parse().unwrap()], asked.clone());
        let closed = Guarded::with_names(Settings::default(), Arc::new(names)).unwrap();
        let url = format!("https://partner.example:{}/", address.port());
        let got = closed.get(&url, Limits::default()).await;
        assert_eq!(got.unwrap_err(), Failure::Closed, "{inside}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

/// The first answer of the name server is open, every later one is not: who resolves twice, once
/// to check and once to connect, ends up inside.
#[tokio::test]
async fn attack_17_the_checked_address_is_the_one_that_is_connected_to() {
    let (address, came) = site(http("200 OK", "", "right")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let inside: IpAddr = "127.0.0.9".parse().unwrap();
    let names = Hostile(vec![address.ip(), inside], asked.clone());
    let allow = vec!["127.0.0.1".parse().unwrap()];
    let settings = Settings { authorities: None, allow };
    let guarded = Guarded::with_names(settings, Arc::new(names)).unwrap();
    let url = format!("http://localhost:{}/", address.port());
    assert_eq!(guarded.get(&url, Limits::default()).await.unwrap().body, b"right");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(came.load(Ordering::SeqCst), 1);
    // The next connection asks again, and is led inside.
    assert_eq!(guarded.get(&url, Limits::default()).await.unwrap_err(), Failure::Closed);
}

#[tokio::test]
async fn attack_17_a_redirect_is_an_answer_and_not_followed() {
    let (inside, came) = site(http("200 OK", "", "secret")).await;
    let location = format!("Location: http://{inside}/\r\n");
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let (address, _) = site(http(status, &location, "")).await;
        let url = format!("http://{address}/");
        let open = guarded(&[LOOPBACK]);
        assert!((300..400).contains(&open.get(&url, Limits::default()).await.unwrap().status));
        let sent = open.post(&url, &[], b"x".to_vec(), Limits::default()).await.unwrap();
        assert!((300..400).contains(&sent.status));
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn attack_17_only_https_leaves_the_machine() {
    let open = guarded(&["0.0.0.0/0"]);
    for url in [
        "http://partner.example/",
        "http://8.8.8.8/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "gopher://partner.example/",
        "https://u@partner.example/",
        "https://u:p@partner.example/",
        "data:text/plain,x",
        "//partner.example/",
        "",
        "https://",
    ] {
        let got = open.get(url, Limits::default()).await.unwrap_err();
        assert_eq!(got, Failure::Address, "{url}");
    }
}

#[tokio::test]
async fn attack_17_an_answer_has_its_size_and_its_time() {
    let open = guarded(&[LOOPBACK]);
    let small = Limits { bytes: 10, ..Limits::default() };
    let (told, _) = site(http("200 OK", "", "eleven bytes")).await;
    assert_eq!(open.get(&format!("http://{told}/"), small).await.unwrap_err(), Failure::Long);
    // Without a length, until the line closes.
    let (untold, _) =
        site(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\neleven bytes".to_vec()).await;
    assert_eq!(open.get(&format!("http://{untold}/"), small).await.unwrap_err(), Failure::Long);
    let (exact, _) = site(http("200 OK", "", "ten bytes.")).await;
    assert_eq!(open.get(&format!("http://{exact}/"), small).await.unwrap().body.len(), 10);
    let (silent, _) = site(Vec::new()).await;
    let short = Limits { time: Duration::from_millis(50), ..Limits::default() };
    assert_eq!(open.get(&format!("http://{silent}/"), short).await.unwrap_err(), Failure::Slow);
}

#[tokio::test]
async fn a_post_carries_its_headers_and_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        while !text.ends_with("logout_token=x") {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.unwrap();
            text.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
        stream.write_all(&http("204 No Content", "", "")).await.unwrap();
        text
    });
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Bearer t")];
    let body = b"logout_token=x".to_vec();
    let answer = guarded(&[LOOPBACK])
        .post(&format!("http://{address}/out"), &headers, body, Limits::default())
        .await
        .unwrap();
    assert_eq!(answer.status, 204);
    let text = seen.await.unwrap();
    assert!(text.starts_with("POST /out HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("content-type: application/x-www-form-urlencoded\r\n"), "{text}");
    assert!(text.contains("authorization: Bearer t\r\n"), "{text}");
}

#[tokio::test]
async fn an_authority_of_the_operators_own_is_trusted_and_no_other() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem().into_bytes();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 2048];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&http("200 OK", "", "trusted")).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let stranger = guarded(&[LOOPBACK]).get(&url, Limits::default()).await.unwrap_err();
    assert!(matches!(stranger, Failure::Unreachable(_)), "{stranger:?}");
    let allow = vec![LOOPBACK.parse().unwrap()];
    let settings = Settings { authorities: Some(pem), allow };
    let known = Guarded::new(settings).unwrap();
    assert_eq!(known.get(&url, Limits::default()).await.unwrap().body, b"trusted");
    for nonsense in [b"".to_vec(), b"-----BEGIN CERTIFICATE-----\nAA\n".to_vec()] {
        let settings = Settings { authorities: Some(nonsense), allow: Vec::new() };
        assert!(Guarded::new(settings).is_err());
    }
}
