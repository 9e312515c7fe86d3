//! The packets of CMPP 2.0 as a gateway reads and writes them. By hand: no maintained crate speaks
//! this protocol of the Chinese carriers (China Mobile Peer to Peer, version 2.0).

use md5::{Digest as _, Md5};

pub(crate) const CONNECT: u32 = 0x0000_0001;
pub(crate) const TERMINATE: u32 = 0x0000_0002;
pub(crate) const SUBMIT: u32 = 0x0000_0004;
pub(crate) const DELIVER: u32 = 0x0000_0005;
pub(crate) const ACTIVE_TEST: u32 = 0x0000_0008;
/// An answer's command is its request's with this bit.
pub(crate) const ANSWER: u32 = 0x8000_0000;
/// Bytes of the header: total length, command, sequence.
pub(crate) const HEADER: usize = 12;
/// A SUBMIT with one destination is far below this.
pub(crate) const LARGEST: usize = 4096;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) command: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let total = u32::try_from(HEADER + self.body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        for number in [total, self.command, self.sequence] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Reads fields of fixed width from the front.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, width: usize) -> Option<&'b [u8]> {
        let (field, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        Some(field)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Text that ends at its first zero byte.
    fn text(&mut self, width: usize) -> Option<String> {
        let field = self.take(width)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(width);
        String::from_utf8(field.get(..end)?.to_vec()).ok()
    }
}

/// CMPP_CONNECT.
pub(crate) struct Connect {
    pub(crate) source: String,
    pub(crate) authenticator: Vec<u8>,
    pub(crate) version: u8,
    /// MMDDHHMMSS as a number.
    pub(crate) timestamp: u32,
}

impl Connect {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        Some(Self {
            source: fields.text(6)?,
            authenticator: fields.take(16)?.to_vec(),
            version: fields.byte()?,
            timestamp: u32::from_be_bytes(fields.take(4)?.try_into().ok()?),
        })
    }

    /// `AuthenticatorSource` = MD5(source, nine zero bytes, secret, timestamp of ten digits).
    pub(crate) fn is_of(&self, secret: &str) -> bool {
        let mut digest = Md5::new();
        digest.update(self.source.as_bytes());
        digest.update([0; 9]);
        digest.update(secret.as_bytes());
        digest.update(format!("{:010}", self.timestamp).as_bytes());
        digest.finalize().as_slice() == self.authenticator
    }

    /// CMPP_CONNECT_RESP: status, `AuthenticatorISMG` = MD5(status, authenticator, secret), version.
    pub(crate) fn answer(&self, status: u8, secret: &str) -> Vec<u8> {
        let mut digest = Md5::new();
        digest.update([status]);
        digest.update(&self.authenticator);
        digest.update(secret.as_bytes());
        let mut body = vec![status];
        body.extend_from_slice(&digest.finalize());
        body.push(0x20);
        body
    }
}

/// CMPP_SUBMIT, what matters of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Submit {
    pub(crate) receipt: bool,
    pub(crate) destination: String,
    pub(crate) text: String,
    /// Reference, number of parts, this part, for a long message.
    pub(crate) long: Option<(u8, u8, u8)>,
}

impl Submit {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        fields.take(8)?; // Msg_Id, filled by the gateway.
        fields.take(2)?; // Pk_total, Pk_number: the content's own header says it too.
        let receipt = fields.byte()? == 1;
        fields.take(1 + 10 + 1 + 21 + 1)?; // Msg_level, Service_Id, Fee_UserType, Fee_terminal_Id, TP_pId.
        let header = fields.byte()? == 1;
        let format = fields.byte()?;
        fields.take(6 + 2 + 6 + 17 + 17 + 21)?; // Msg_src, FeeType, FeeCode, ValId_Time, At_Time, Src_Id.
        if fields.byte()? != 1 {
            return None; // One destination a message is all that this gateway takes.
        }
        let destination = fields.text(21)?;
        let length = usize::from(fields.byte()?);
        let mut content = Fields(fields.take(length)?);
        fields.take(8)?; // Reserve.
        let long = if header {
            // GSM 03.40 §9.2.3.24.1: length 5, element 0, length 3, reference, total, number.
            match content.take(6)? {
                [5, 0, 3, reference, total, number] => Some((*reference, *total, *number)),
                _ => return None,
            }
        } else {
            None
        };
        let text = match format {
            0 => String::from_utf8(content.0.to_vec()).ok()?,
            8 => {
                let (pairs, rest) = content.0.as_chunks::<2>();
                let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                String::from_utf16(&units).ok().filter(|_| rest.is_empty())?
            }
            _ => return None,
        };
        Some(Self { receipt, destination, text, long })
    }
}

fn padded(text: &str, width: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(width, 0);
    field
}

/// CMPP_DELIVER with a receipt: `stat` is `DELIVRD`, `EXPIRED`, `UNDELIV`; the time YYMMDDHHMM.
pub(crate) fn receipt(id: u64, source: &str, destination: &str, stat: &str, time: &str) -> Vec<u8> {
    let mut content = id.to_be_bytes().to_vec();
    content.extend(padded(stat, 7));
    content.extend(padded(time, 10));
    content.extend(padded(time, 10));
    content.extend(padded(destination, 21));
    content.extend([0; 4]); // SMSC_sequence.
    let mut body = id.to_be_bytes().to_vec();
    body.extend(padded(source, 21));
    body.extend(padded("", 10)); // Service_Id.
    body.extend([0, 0, 0]); // TP_pid, TP_udhi, Msg_Fmt.
    body.extend(padded(destination, 21));
    body.push(1); // Registered_Delivery: this is a receipt.
    body.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
    body.extend(content);
    body.extend([0; 8]); // Reserved.
    body
}
