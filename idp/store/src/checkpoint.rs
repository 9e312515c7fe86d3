//! Signed checkpoints of the audit trail, kept outside the database.
//!
//! Inside it, a chain that was deleted whole leaves nothing to verify, and a head that was put back
//! to its old copy verifies: the code over it is the one it had. A checkpoint names the head of
//! every chain at one moment. Chains only grow, so each must still hold that very line.
//!
//! The file is text, so that an auditor can read and copy it: a line that says what it is, the
//! time, the public key, one line a chain (person, number and hash of its newest line), the totals,
//! and an Ed25519 signature (RFC 8032) over the digest of all of that. The private key is derived
//! from the master secret, which is not in the database either.

use std::io::{self, BufRead, Write};

use aws_lc_rs::digest::{Context, Digest, SHA256};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use subtle::ConstantTimeEq as _;

use crate::audit::{self, Broken};
use crate::{StoreError, Tx, Vault, args, statement};

const MAGIC: &str = "tongban-audit-checkpoint 1";
/// What is signed begins with this, so that no signature serves elsewhere.
const DOMAIN: &[u8] = b"tongban-audit-checkpoint-v1\0";
/// A line is far shorter; a file without line ends must not fill the memory.
const LONGEST: u64 = 4096;

/// The newest line of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub person_id: String,
    /// The line's number.
    pub n: i64,
    /// The line's hash, hex.
    pub hash: String,
}

/// What a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// When it was begun, milliseconds UTC.
    pub at: i64,
    /// Chains.
    pub chains: u64,
    /// Lines of all chains together.
    pub lines: i64,
    /// The public key of its signature, hex.
    pub key: String,
}

/// A file that is no checkpoint of this deployment.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read or written.
    #[error("the checkpoint cannot be read or written: {0}\nhint: look at `[audit] checkpoint`")]
    Io(#[from] io::Error),
    /// It is something else, was cut, or was changed.
    #[error(
        "this is no whole checkpoint: {0}\nhint: take the copy that is kept away from the server"
    )]
    Malformed(&'static str),
    /// Signed by another key.
    #[error(
        "the checkpoint's signature is not this deployment's\nhint: it was changed, or `secrets.master` is another"
    )]
    Signature,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

statement!(
    HEADS,
    "select person_id, n, hash, mac from audit_head where person_id > $1
     order by person_id limit 500"
);
statement!(LINE, "select hash from audit_line where person_id = $1 and n = $2");
statement!(NEWEST, "select max(n) as n from audit_line where person_id = $1");

fn key(vault: &Vault) -> Result<Ed25519KeyPair, StoreError> {
    Ed25519KeyPair::from_seed_unchecked(&vault.derive("audit.checkpoint")?)
        .map_err(|_| StoreError::Data("the checkpoint's key cannot be made".to_owned()))
}

fn signed(digest: &Digest) -> Vec<u8> {
    [DOMAIN, digest.as_ref()].concat()
}

/// Heads of up to 500 chains after `after`, or the first that is not the product's own: nothing
/// forged is signed.
///
/// # Errors
/// As the database says.
pub async fn heads(tx: &mut Tx, after: &str) -> Result<Result<Vec<Head>, Broken>, StoreError> {
    let rows = tx.all(&HEADS, args![after]).await?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in &rows {
        let (person_id, n, hash) = (row.text("person_id")?, row.int("n")?, row.text("hash")?);
        let code = audit::head_code(tx, &person_id, n, &hash)?;
        if !bool::from(code.as_bytes().ct_eq(row.text("mac")?.as_bytes())) {
            return Ok(Err(Broken { person_id, n, fault: "altered" }));
        }
        heads.push(Head { person_id, n, hash });
    }
    Ok(Ok(heads))
}

/// The first of these chains that no longer holds what it held.
///
/// # Errors
/// As the database says.
pub async fn compare(tx: &mut Tx, heads: &[Head]) -> Result<Option<Broken>, StoreError> {
    for head in heads {
        let broken = |n, fault| Some(Broken { person_id: head.person_id.clone(), n, fault });
        let line = tx.optional(&LINE, args![&head.person_id, head.n]).await?;
        let Some(line) = line else {
            let newest = tx.one(&NEWEST, args![&head.person_id]).await?.int_opt("n")?;
            return Ok(match newest {
                None => broken(1, "deleted"),
                Some(n) if n < head.n => broken(n + 1, "rolled back"),
                Some(_) => broken(head.n, "missing"),
            });
        };
        if line.text("hash")? != head.hash {
            return Ok(broken(head.n, "replaced"));
        }
    }
    Ok(None)
}

/// Writes a checkpoint, chain by chain.
pub struct Writer<W> {
    out: W,
    digest: Context,
    key: Ed25519KeyPair,
    summary: Summary,
}

impl<W: Write> Writer<W> {
    /// Begins one of this moment.
    ///
    /// # Errors
    /// [`Unusable::Io`].
    pub fn begin(out: W, vault: &Vault, at: i64) -> Result<Self, Unusable> {
        let key = key(vault)?;
        let public = hex::encode(key.public_key());
        let summary = Summary { at, chains: 0, lines: 0, key: public.clone() };
        let mut writer = Self { out, digest: Context::new(&SHA256), key, summary };
        writer.line(&format!("{MAGIC}\nat {at}\nkey {public}\n"))?;
        Ok(writer)
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.digest.update(text.as_bytes());
        self.out.write_all(text.as_bytes())
    }

    /// Adds chains, in the order of [`heads`].
    ///
    /// # Errors
    /// [`Unusable::Io`].
    pub fn add(&mut self, heads: &[Head]) -> Result<(), Unusable> {
        for Head { person_id, n, hash } in heads {
            self.line(&format!("{person_id} {n} {hash}\n"))?;
            self.summary.chains += 1;
            self.summary.lines = self.summary.lines.saturating_add(*n);
        }
        Ok(())
    }

    /// Ends and signs it.
    ///
    /// # Errors
    /// [`Unusable::Io`].
    pub fn seal(mut self) -> Result<(W, Summary), Unusable> {
        self.line(&format!("chains {} lines {}\n", self.summary.chains, self.summary.lines))?;
        let signature = self.key.sign(&signed(&self.digest.finish()));
        writeln!(self.out, "signature {}", hex::encode(signature.as_ref()))?;
        self.out.flush()?;
        Ok((self.out, self.summary))
    }
}

/// Reads a checkpoint. What it gives is worth nothing until its end was reached, where the signature
/// stands: read once to check, then again to compare.
pub struct Reader<R> {
    lines: Lines<R>,
    key: Ed25519KeyPair,
    summary: Summary,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads its first lines.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn begin(input: R, vault: &Vault) -> Result<Self, Unusable> {
        let mut lines = Lines { input, digest: Context::new(&SHA256) };
        if lines.next()?.as_deref() != Some(MAGIC) {
            return Err(Unusable::Malformed("its first line is another"));
        }
        let at = field(lines.next()?, "at ")?;
        let at = at.parse().map_err(|_| Unusable::Malformed("its time is no number"))?;
        let public = field(lines.next()?, "key ")?;
        let summary = Summary { at, chains: 0, lines: 0, key: public };
        Ok(Self { lines, key: key(vault)?, summary, ended: false })
    }

    /// The next heads, up to `most`; none at the end, when the signature was found to hold.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn heads(&mut self, most: usize) -> Result<Vec<Head>, Unusable> {
        let mut heads = Vec::new();
        while !self.ended && heads.len() < most {
            let line = self.lines.next()?.ok_or(Unusable::Malformed("it was cut"))?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [person, n, hash] => {
                    let n = n.parse().map_err(|_| Unusable::Malformed("a number is none"))?;
                    self.summary.chains += 1;
                    self.summary.lines = self.summary.lines.saturating_add(n);
                    heads.push(Head { person_id: person.to_owned(), n, hash: hash.to_owned() });
                }
                ["chains", chains, "lines", lines] => self.end(chains, lines)?,
                _ => return Err(Unusable::Malformed("a line is another")),
            }
        }
        Ok(heads)
    }

    fn end(&mut self, chains: &str, lines: &str) -> Result<(), Unusable> {
        let Summary { chains: counted, lines: summed, .. } = &self.summary;
        if *chains != counted.to_string() || *lines != summed.to_string() {
            return Err(Unusable::Malformed("its totals do not fit"));
        }
        let digest = self.lines.digest.clone().finish();
        let signature = field(self.lines.next()?, "signature ")?;
        let signature = hex::decode(signature).map_err(|_| Unusable::Signature)?;
        // The key is our own and signing is deterministic (RFC 8032 §5.1.6): to sign is to verify.
        let own = self.key.sign(&signed(&digest));
        if !bool::from(own.as_ref().ct_eq(&signature)) {
            return Err(Unusable::Signature);
        }
        if self.lines.next()?.is_some() {
            return Err(Unusable::Malformed("something follows its signature"));
        }
        self.ended = true;
        Ok(())
    }

    /// What it says of itself; true once its end was reached.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

fn field(line: Option<String>, name: &str) -> Result<String, Unusable> {
    let line = line.ok_or(Unusable::Malformed("it was cut"))?;
    let value = line.strip_prefix(name).ok_or(Unusable::Malformed("a line is another"))?;
    Ok(value.to_owned())
}

struct Lines<R> {
    input: R,
    digest: Context,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<String>, Unusable> {
        let mut line = String::new();
        let mut bounded = io::Read::take(&mut self.input, LONGEST);
        if bounded.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        self.digest.update(line.as_bytes());
        let text = line.strip_suffix('\n').ok_or(Unusable::Malformed("a line has no end"))?;
        Ok(Some(text.to_owned()))
    }
}
