//! A stream under authenticated encryption, chunk by chunk: nothing is released that was not
//! checked, and a stream that was cut, reordered or mixed with another is refused.
//!
//! `TONGBAN BACKUP 1\n`, an id of 16 bytes, then chunks `last(1) length(4) sealed(length)`. What a
//! chunk is sealed for names the stream, its own place, and whether it is the last.

use std::io::{Error, ErrorKind, Read, Result, Write};

use idp_store::Vault;

use crate::ambient;

const MAGIC: &[u8; 17] = b"TONGBAN BACKUP 1\n";
/// Plain bytes of a chunk.
const CHUNK: usize = 1 << 20;
/// Sealed bytes of a chunk at most: header, nonce and tag are less than 64.
const LONGEST: usize = CHUNK + 64;

fn purpose(id: [u8; 16], place: u64, last: bool) -> String {
    format!("backup {} {place} {last}", hex::encode(id))
}

fn refused(text: &str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

/// Seals what is written.
pub(super) struct Sealer<W> {
    out: W,
    key: Vault,
    id: [u8; 16],
    place: u64,
    plain: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Begins a stream.
    ///
    /// # Errors
    /// As `out` says.
    pub(super) fn begin(mut out: W, key: Vault) -> Result<Self> {
        let mut id = [0; 16];
        ambient::system().random.fill(&mut id);
        out.write_all(MAGIC)?;
        out.write_all(&id)?;
        Ok(Self { out, key, id, place: 0, plain: Vec::with_capacity(CHUNK) })
    }

    fn chunk(&mut self, last: bool) -> Result<()> {
        let sealed = self.key.seal(&purpose(self.id, self.place, last), &self.plain);
        let sealed = sealed.map_err(Error::other)?;
        let length = u32::try_from(sealed.len()).map_err(Error::other)?;
        self.out.write_all(&[u8::from(last)])?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&sealed)?;
        self.plain.clear();
        self.place += 1;
        Ok(())
    }

    /// Ends the stream and gives back what it was written to.
    ///
    /// # Errors
    /// As the file says.
    pub(super) fn finish(mut self) -> Result<W> {
        self.chunk(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.plain.len() == CHUNK {
            self.chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.plain.len());
        self.plain.extend(bytes.iter().take(taken));
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// Opens what a [`Sealer`] sealed.
pub(super) struct Opener<R> {
    from: R,
    key: Vault,
    id: [u8; 16],
    place: u64,
    plain: std::io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: Read> Opener<R> {
    /// Begins to read a stream.
    ///
    /// # Errors
    /// `InvalidData` for what is no backup.
    pub(super) fn begin(mut from: R, key: Vault) -> Result<Self> {
        let (mut magic, mut id) = ([0; MAGIC.len()], [0; 16]);
        let read = from.read_exact(&mut magic).and_then(|()| from.read_exact(&mut id));
        if read.is_err() || &magic != MAGIC {
            return Err(refused("this is no backup of Tongban"));
        }
        Ok(Self { from, key, id, place: 0, plain: std::io::Cursor::default(), ended: false })
    }

    fn next(&mut self) -> Result<()> {
        const CUT: &str = "the backup is cut short";
        let (mut last, mut length) = ([0; 1], [0; 4]);
        self.from.read_exact(&mut last).map_err(|_| refused(CUT))?;
        self.from.read_exact(&mut length).map_err(|_| refused(CUT))?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST || last > [1] {
            return Err(refused("the backup was changed"));
        }
        let mut sealed = vec![0; length];
        self.from.read_exact(&mut sealed).map_err(|_| refused(CUT))?;
        self.ended = last == [1];
        let plain = self.key.open(&purpose(self.id, self.place, self.ended), &sealed);
        let plain =
            plain.map_err(|_| refused("the key is another one, or the backup was changed"))?;
        self.plain = std::io::Cursor::new(plain);
        self.place += 1;
        if self.ended && self.from.read(&mut [0])? > 0 {
            return Err(refused("something was added to the backup"));
        }
        Ok(())
    }

    /// Reads to the end, so that a cut tail is noticed.
    ///
    /// # Errors
    /// As reading.
    pub(super) fn finish(mut self) -> Result<()> {
        while !self.ended {
            self.next()?;
        }
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            let given = self.plain.read(into)?;
            if given > 0 || self.ended || into.is_empty() {
                return Ok(given);
            }
            self.next()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Vault {
        Vault::new(&[&[byte; 32]]).unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(Vec::new(), key(1)).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(bytes: &[u8], key: Vault) -> Result<Vec<u8>> {
        let mut opener = Opener::begin(bytes, key)?;
        let mut plain = Vec::new();
        opener.read_to_end(&mut plain)?;
        opener.finish()?;
        Ok(plain)
    }

    #[test]
    fn what_was_sealed_opens_at_every_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7] {
            let plain: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            assert_eq!(opened(&sealed(&plain), key(1)).unwrap(), plain);
        }
    }

    #[test]
    fn another_key_a_cut_a_change_an_order_and_an_addition_are_refused() {
        let bytes = sealed(&[7; CHUNK + 9]);
        assert!(opened(&bytes, key(2)).is_err());
        for at in [0, 20, 40, 5000, bytes.len() - 1] {
            assert!(opened(&bytes[..at], key(1)).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, key(1)).is_err(), "changed at {at}");
        }
        // Without its last chunk, with the flag of the one before set.
        let first = MAGIC.len() + 16;
        let length = u32::from_be_bytes(bytes[first + 1..first + 5].try_into().unwrap());
        let mut cut = bytes[..first + 5 + length as usize].to_vec();
        assert!(opened(&cut, key(1)).is_err());
        cut[first] = 1;
        assert!(opened(&cut, key(1)).is_err());
        let added = [bytes.as_slice(), b"x"].concat();
        assert!(opened(&added, key(1)).is_err());
        let mixed = [&bytes[..first], &sealed(&[7; CHUNK + 9])[first..]].concat();
        assert!(opened(&mixed, key(1)).is_err(), "chunks of another stream");
    }
}
