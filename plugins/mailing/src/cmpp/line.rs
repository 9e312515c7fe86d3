//! One connection: a task reads, everyone writes, answers find their askers by sequence.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use super::Settings;
use super::packet::{
    ACTIVE_TEST, ANSWER, CONNECT, DELIVER, HEADER, SUBMIT, TERMINATE, bytes, connect, connected,
    delivered, header, submitted,
};

/// A line on which nothing passes is given up: no timer keeps an idle product awake.
const IDLE: Duration = Duration::from_secs(180);

/// Why there is no line.
#[derive(Debug)]
pub(super) enum Lost {
    /// The gateway refuses the sign-in with this status.
    Refused(u8),
    /// It cannot be reached, or is not who it says.
    Gone(String),
}

impl From<std::io::Error> for Lost {
    fn from(cause: std::io::Error) -> Self {
        Self::Gone(cause.to_string())
    }
}

struct Shared {
    writer: Mutex<OwnedWriteHalf>,
    waiting: Lock<HashMap<u32, oneshot::Sender<Vec<u8>>>>,
    open: AtomicBool,
    /// A packet is being written, or was given up half written.
    torn: AtomicBool,
    /// Packets that were read: whether the other end is still there.
    heard: AtomicU32,
}

/// An open and signed-in connection.
pub(super) struct Line {
    shared: Arc<Shared>,
    sequence: AtomicU32,
}

async fn read(reader: &mut OwnedReadHalf) -> Result<(u32, u32, Vec<u8>), Lost> {
    let mut head = [0; HEADER];
    reader.read_exact(&mut head).await?;
    let (length, command, sequence) =
        header(&head).ok_or_else(|| Lost::Gone("a packet of an impossible length".to_owned()))?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok((command, sequence, body))
}

impl Line {
    pub(super) async fn open(settings: &Settings, now: i64) -> Result<Self, Lost> {
        let signing_in = async {
            let stream = TcpStream::connect(&settings.address).await?;
            stream.set_nodelay(true)?;
            let (mut reader, mut writer) = stream.into_split();
            let (body, authenticator) = connect(settings, now);
            writer.write_all(&bytes(CONNECT, 1, &body)).await?;
            let (command, _, body) = read(&mut reader).await?;
            if command != CONNECT | ANSWER {
                return Err(Lost::Gone("it does not answer our sign-in".to_owned()));
            }
            match connected(&body, &authenticator, &settings.secret) {
                Some(0) => Ok((reader, writer)),
                Some(status) => Err(Lost::Refused(status)),
                None => Err(Lost::Gone("it does not know our secret".to_owned())),
            }
        };
        let opened = timeout(settings.timeout, signing_in).await;
        let (reader, writer) =
            opened.map_err(|_| Lost::Gone("it takes too long to sign in".to_owned()))??;
        let shared = Arc::new(Shared {
            writer: Mutex::new(writer),
            waiting: Lock::default(),
            open: AtomicBool::new(true),
            torn: AtomicBool::new(false),
            heard: AtomicU32::new(0),
        });
        tokio::spawn(listen(reader, shared.clone()));
        Ok(Self { shared, sequence: AtomicU32::new(2) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.open.load(Ordering::Acquire)
    }

    fn next(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Message id and result; the error is a private cause, and nobody knows what became of it.
    pub(super) async fn submit(
        &self,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<(u64, u8), String> {
        let sequence = self.next();
        let (sender, answer) = oneshot::channel();
        self.shared.waiting().insert(sequence, sender);
        let asked = async {
            self.shared.write(SUBMIT, sequence, &body).await?;
            answer.await.map_err(|_| "the line broke before the answer".to_owned())
        };
        let before = self.shared.heard.load(Ordering::Acquire);
        let answered = timeout(patience, asked).await;
        self.shared.waiting().remove(&sequence);
        if answered.is_err() && self.shared.heard.load(Ordering::Acquire) == before {
            // Not a word to anybody meanwhile: the next message takes another line. Answers that
            // come after all are still heard.
            self.shared.close();
        }
        let body = answered.map_err(|_| "no answer in time".to_owned())??;
        submitted(&body).ok_or_else(|| {
            // What follows on this line cannot be believed either.
            self.shared.close();
            "an answer that is none".to_owned()
        })
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u32, oneshot::Sender<Vec<u8>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    async fn write(&self, command: u32, sequence: u32, body: &[u8]) -> Result<(), String> {
        let packet = bytes(command, sequence, body);
        let mut writer = self.writer.lock().await;
        // Whoever writes may be dropped by its own timeout: after half a packet the gateway would
        // take what follows for the other half.
        if self.torn.swap(true, Ordering::AcqRel) {
            self.close();
            return Err("half a packet was written before".to_owned());
        }
        let written = writer.write_all(&packet).await;
        self.torn.store(written.is_err(), Ordering::Release);
        written.map_err(|cause| {
            self.close();
            cause.to_string()
        })
    }
}

/// Reads until the line breaks or is idle; then whoever waits learns it.
async fn listen(mut reader: OwnedReadHalf, shared: Arc<Shared>) {
    loop {
        let packet = match timeout(IDLE, read(&mut reader)).await {
            Ok(Ok(packet)) => packet,
            Ok(Err(_)) => break,
            Err(_) => {
                let _ = shared.write(TERMINATE, 0, &[]).await;
                break;
            }
        };
        shared.heard.fetch_add(1, Ordering::AcqRel);
        let answered = match packet {
            (command, sequence, body) if command & ANSWER != 0 => {
                if let Some(asker) = shared.waiting().remove(&sequence) {
                    let _ = asker.send(body);
                }
                continue;
            }
            (ACTIVE_TEST, sequence, _) => shared.write(ACTIVE_TEST | ANSWER, sequence, &[0]).await,
            (DELIVER, sequence, body) => received(&shared, sequence, &body).await,
            (TERMINATE, sequence, _) => {
                let _ = shared.write(TERMINATE | ANSWER, sequence, &[]).await;
                break;
            }
            _ => continue,
        };
        if answered.is_err() {
            break;
        }
    }
    shared.close();
    shared.waiting().clear();
}

/// A receipt, or a text that somebody sent to us (which nothing here reads).
async fn received(shared: &Shared, sequence: u32, body: &[u8]) -> Result<(), String> {
    let Some((id, state)) = delivered(body) else {
        return Err("a delivery that is none".to_owned());
    };
    if let Some(state) = state.filter(|state| state != "DELIVRD") {
        // No phone number: the message id leads to the outbox's row.
        tracing::warn!(message = hex::encode(id), state, "a text did not reach its phone");
    }
    let mut answer = id.to_vec();
    answer.push(0);
    shared.write(DELIVER | ANSWER, sequence, &answer).await
}
