//! The gateway's side of a CMPP connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::cmpp::{
    ACTIVE_TEST, ANSWER, CONNECT, Connect, DELIVER, HEADER, LARGEST, Packet, SUBMIT, Submit,
    TERMINATE, receipt,
};
use crate::behaviour::{Act, Mode};
use crate::desk::Desk;

/// Who may connect.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) source: String,
    pub(crate) secret: String,
}

/// One connection; clones share its writing half.
#[derive(Clone)]
struct Peer {
    desk: Desk,
    account: Account,
    writer: Arc<Mutex<OwnedWriteHalf>>,
    ids: Arc<AtomicU64>,
}

pub(crate) async fn listen(
    listener: TcpListener,
    desk: Desk,
    account: Account,
) -> std::io::Result<()> {
    // Identifiers go on where an earlier process stopped.
    let ids = Arc::new(AtomicU64::new(desk.now().unsigned_abs() << 8));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, desk.clone(), account.clone(), ids.clone()));
    }
}

async fn read(reader: &mut OwnedReadHalf) -> Option<Packet> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).await.ok()?;
    let (numbers, _) = header.as_chunks::<4>();
    let [total, command, sequence] =
        <[u32; 3]>::try_from(numbers.iter().map(|n| u32::from_be_bytes(*n)).collect::<Vec<_>>())
            .ok()?;
    let length = (total as usize).checked_sub(HEADER).filter(|length| *length <= LARGEST)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(Packet { command, sequence, body })
}

async fn serve(stream: TcpStream, desk: Desk, account: Account, ids: Arc<AtomicU64>) {
    let _ = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    let peer = Peer { desk, account, writer: Arc::new(Mutex::new(writer)), ids };
    let mut known = false;
    while let Some(packet) = read(&mut reader).await {
        let answer = match packet.command {
            CONNECT => {
                let Some(body) = peer.connected(&packet, &mut known) else { return };
                body
            }
            SUBMIT if known => {
                let Some(body) = peer.submitted(&packet).await else { return };
                body
            }
            ACTIVE_TEST if known => vec![0],
            TERMINATE => Vec::new(),
            command if command & ANSWER != 0 => continue,
            _ => return, // A stranger, or a command that this gateway does not know.
        };
        let command = packet.command | ANSWER;
        if peer.write(command, packet.sequence, answer).await.is_none()
            || packet.command == TERMINATE
        {
            return;
        }
    }
}

impl Peer {
    async fn write(&self, command: u32, sequence: u32, body: Vec<u8>) -> Option<()> {
        let bytes = Packet { command, sequence, body }.bytes();
        self.writer.lock().await.write_all(&bytes).await.ok()
    }

    fn connected(&self, packet: &Packet, known: &mut bool) -> Option<Vec<u8>> {
        let connect = Connect::read(&packet.body)?;
        // Status: 0 ok, 2 wrong source, 3 wrong authenticator, 4 version too high.
        let status = if connect.source != self.account.source {
            2
        } else if !connect.is_of(&self.account.secret) {
            3
        } else if connect.version > 0x2f {
            4
        } else {
            0
        };
        *known = status == 0;
        Some(connect.answer(status, &self.account.secret))
    }

    /// The answer's body; none closes the connection.
    async fn submitted(&self, packet: &Packet) -> Option<Vec<u8>> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let answer = |result: u8| {
            let mut body = id.to_be_bytes().to_vec();
            body.push(result);
            body
        };
        let Some(submit) = Submit::read(&packet.body) else { return Some(answer(1)) };
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = BTreeMap::from([text("to", &submit.destination), text("text", &submit.text)]);
        let act = self.desk.act(&fields);
        let result = if act.mode == Mode::Refuse { 9 } else { 0 };
        let delivered = !matches!(act.mode, Mode::Refuse | Mode::Lie | Mode::Down);
        let (long, of, part) = submit.long.unwrap_or((0, 1, 1));
        let request = json!({ "to": submit.destination, "text": submit.text, "long": long,
            "of": of, "part": part });
        let said = match act.mode {
            Mode::Down => json!({ "error": "down" }),
            _ => json!({ "result": result, "delivered": delivered }),
        };
        self.recorded(id, request, said).await?;
        act.wait().await;
        if act.mode == Mode::Down {
            return None;
        }
        if result == 0 && submit.receipt {
            self.send_receipts(id, &submit, act);
        }
        Some(if act.mode == Mode::Garble { vec![0xff; 3] } else { answer(result) })
    }

    async fn recorded(&self, id: u64, request: Value, answer: Value) -> Option<()> {
        self.desk.record("submit", &format!("{id:016x}"), request, answer).await.ok()
    }

    /// The receipt follows the answer by itself, as on a real line.
    fn send_receipts(&self, id: u64, submit: &Submit, act: Act) {
        let stat = if act.mode == Mode::Lie { "UNDELIV" } else { "DELIVRD" };
        let at = time::OffsetDateTime::from_unix_timestamp(self.desk.now() / 1000 + 8 * 3600)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        let minute = format!(
            "{:02}{:02}{:02}{:02}{:02}",
            at.year() % 100,
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute()
        );
        let body = receipt(id, &self.account.source, &submit.destination, stat, &minute);
        let (peer, times) = (self.clone(), if act.mode == Mode::Duplicate { 2 } else { 1 });
        let delay = if act.mode == Mode::Late { act.delay } else { Duration::ZERO };
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            for n in 0..times {
                let sequence = u32::try_from((id + n) & 0x7fff_ffff).unwrap_or(1);
                if peer.write(DELIVER, sequence, body.clone()).await.is_none() {
                    return;
                }
            }
        });
    }
}
