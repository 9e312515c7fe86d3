//! The citizen's audit trail: who looked at my data, when and why. One hash chain a person.
//!
//! A line's hash covers a salted digest of its details, not the details, so that personal values
//! can be erased while the chain still verifies. The head of each chain stands under a message
//! authentication code, which reveals a cut tail.

use aws_lc_rs::{digest, hmac};
use serde_json::Value as Json;

use crate::{Row, StoreError, Tx, args, statement};

/// What happened, before it is chained.
#[derive(Debug, Clone)]
pub struct Line {
    /// Milliseconds UTC.
    pub at: i64,
    /// `sign_in`, `sign_in_failed`, `sign_out`, `consent`, `consent_withdrawn`, `claims_released`,
    /// `proofing_raised`, `registered`, `plugin_call`, `officer_look`, `session_ended`, `frozen`,
    /// `token_reused`, `token_exchanged`, `token_asserted`.
    pub kind: &'static str,
    /// Who did it: `self`, a client's id, an officer's id, a plugin.
    pub actor: String,
    /// For the person to read; sealed.
    pub details: Json,
}

/// A line as shown.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Shown {
    /// Position in the person's chain, from 1.
    pub n: i64,
    /// Milliseconds UTC.
    pub at: i64,
    /// As [`Line::kind`].
    pub kind: String,
    /// As [`Line::actor`].
    pub actor: String,
    /// As [`Line::details`]; null when erased.
    pub details: Json,
    /// The line's hash, hex.
    pub hash: String,
}

/// The first line that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Broken {
    /// Whose chain.
    pub person_id: String,
    /// Which line.
    pub n: i64,
    /// `altered`, `missing`, `cut` or `headless`; against a checkpoint also `deleted`,
    /// `rolled back` or `replaced`.
    pub fault: &'static str,
}

statement!(HEAD, "select n, hash from audit_head where person_id = $1");
statement!(
    HEAD_LOCKED,
    "select n, hash from audit_head where person_id = $1",
    // SQLite has one writer; PostgreSQL must hold others off this chain.
    postgres: "select n, hash from audit_head where person_id = $1 for update"
);
statement!(
    APPEND,
    "insert into audit_line (person_id, n, at, kind, actor, details, salted, previous, hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    SET_HEAD,
    "insert into audit_head (person_id, n, hash, mac) values ($1, $2, $3, $4)
     on conflict (person_id) do update set n = excluded.n, hash = excluded.hash, mac = excluded.mac"
);
statement!(
    LIST,
    "select n, at, kind, actor, details, hash from audit_line
     where person_id = $1 and n < $2 order by n desc limit $3"
);
statement!(
    CHAIN,
    "select n, at, kind, actor, details, salted, previous, hash from audit_line
     where person_id = $1 and n > $2 order by n limit 1000"
);
statement!(
    HEADLESS,
    "select l.person_id, l.n from audit_line l
     where not exists (select 1 from audit_head h where h.person_id = l.person_id) limit 1"
);
statement!(
    EXPORT,
    "select person_id, n, at, kind, actor, details, salted, previous, hash from audit_line
     where (person_id, n) > ($1, $2) order by person_id, n limit 500"
);
statement!(
    EXPORT_ONE,
    "select person_id, n, at, kind, actor, details, salted, previous, hash from audit_line
     where person_id = $1 and n > $2 order by n limit 500"
);
statement!(
    PEOPLE,
    "select person_id, n, hash, mac from audit_head where person_id > $1
     order by person_id limit 500"
);

const PURPOSE: &str = "audit.details";

fn hashed(person: &str, n: i64, line: (&str, i64, &str), salted: &str, previous: &str) -> String {
    let (kind, at, actor) = line;
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [person, &n.to_string(), &at.to_string(), kind, actor, salted, previous] {
        // Lengths keep two different lines from having the same bytes.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex::encode(context.finish())
}

pub(crate) fn head_code(tx: &Tx, person: &str, n: i64, hash: &str) -> Result<String, StoreError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &tx.vault().derive("audit.head")?);
    Ok(hex::encode(hmac::sign(&key, format!("{person} {n} {hash}").as_bytes())))
}

/// Adds a line to a person's chain, inside the transaction of what it tells about.
///
/// # Errors
/// [`StoreError::Retry`] if another transaction added the same line first.
pub async fn append(tx: &mut Tx, person: &str, line: Line) -> Result<(), StoreError> {
    let (n, previous) = match tx.optional(&HEAD_LOCKED, args![person]).await? {
        Some(row) => (row.int("n")? + 1, row.text("hash")?),
        None => (1, String::new()),
    };
    let text = line.details.to_string();
    let sealed = tx.vault().seal(PURPOSE, &text)?;
    // The sealed bytes are salted by their nonce: their digest says nothing about the text.
    let salted = hex::encode(digest::digest(&digest::SHA256, &sealed));
    let hash = hashed(person, n, (line.kind, line.at, &line.actor), &salted, &previous);
    let code = head_code(tx, person, n, &hash)?;
    let row = args![person, n, line.at, line.kind, line.actor, sealed, salted, previous, &hash];
    match tx.execute(&APPEND, row).await {
        Err(StoreError::Conflict) => return Err(tx.lose()),
        other => other?,
    };
    tx.execute(&SET_HEAD, args![person, n, &hash, code]).await?;
    Ok(())
}

/// The newest `limit` lines before line `before`.
///
/// # Errors
/// As the database says.
pub async fn list(
    tx: &mut Tx,
    person: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Shown>, StoreError> {
    let rows = tx.all(&LIST, args![person, before, limit]).await?;
    rows.iter().map(|row| shown(tx, row)).collect()
}

fn shown(tx: &Tx, row: &Row) -> Result<Shown, StoreError> {
    let details = tx.vault().open(PURPOSE, &row.blob("details")?).ok();
    Ok(Shown {
        n: row.int("n")?,
        at: row.int("at")?,
        kind: row.text("kind")?,
        actor: row.text("actor")?,
        details: details
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Json::Null),
        hash: row.text("hash")?,
    })
}

/// Verifies the chains of up to 500 people after `after`; the last person seen, or none at the
/// end, and the first broken line.
///
/// # Errors
/// As the database says.
pub async fn verify(
    tx: &mut Tx,
    after: &str,
) -> Result<(Option<String>, Option<Broken>), StoreError> {
    let heads = tx.all(&PEOPLE, args![after]).await?;
    if heads.is_empty()
        && let Some(row) = tx.optional(&HEADLESS, args![]).await?
    {
        // A chain whose head was taken away would otherwise be looked at by nobody.
        let (person_id, n) = (row.text("person_id")?, row.int("n")?);
        return Ok((None, Some(Broken { person_id, n, fault: "headless" })));
    }
    let mut last = None;
    for head in &heads {
        let person = head.text("person_id")?;
        if let Some(broken) = verify_person(tx, &person, head).await? {
            return Ok((None, Some(broken)));
        }
        last = Some(person);
    }
    Ok((last, None))
}

async fn verify_person(
    tx: &mut Tx,
    person: &str,
    head: &Row,
) -> Result<Option<Broken>, StoreError> {
    let broken = |n, fault| Ok(Some(Broken { person_id: person.to_owned(), n, fault }));
    let (mut n, mut previous) = (0, String::new());
    loop {
        let rows = tx.all(&CHAIN, args![person, n]).await?;
        for row in &rows {
            if row.int("n")? != n + 1 {
                return broken(n + 1, "missing");
            }
            n += 1;
            let salted = row.text("salted")?;
            let details = row.blob("details")?;
            let erased = details.is_empty();
            let same = hex::encode(digest::digest(&digest::SHA256, &details)) == salted;
            let (kind, actor) = (row.text("kind")?, row.text("actor")?);
            let hash = hashed(person, n, (&kind, row.int("at")?, &actor), &salted, &previous);
            if row.text("previous")? != previous || row.text("hash")? != hash || !(same || erased) {
                return broken(n, "altered");
            }
            previous = hash;
        }
        if rows.len() < 1000 {
            break;
        }
    }
    let (head_n, head_hash) = (head.int("n")?, head.text("hash")?);
    if head_n != n || head_hash != previous {
        return broken(n.min(head_n) + 1, "cut");
    }
    if head.text("mac")? != head_code(tx, person, n, &head_hash)? {
        return broken(n, "altered");
    }
    Ok(None)
}

/// A line with everything that its hash is made of.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Exported {
    /// Whose chain.
    pub person_id: String,
    /// The line as shown.
    #[serde(flatten)]
    pub shown: Shown,
    /// Digest of the sealed details, hex.
    pub salted: String,
    /// Hash of the line before, hex; empty for the first.
    pub previous: String,
}

/// Up to 500 lines after line `n` of `person`, over all chains or (`alone`) of this one.
///
/// # Errors
/// As the database says.
pub async fn export(
    tx: &mut Tx,
    (person, n): (&str, i64),
    alone: bool,
) -> Result<Vec<Exported>, StoreError> {
    let statement = if alone { &EXPORT_ONE } else { &EXPORT };
    let rows = tx.all(statement, args![person, n]).await?;
    let exported = |row: &Row| {
        Ok(Exported {
            person_id: row.text("person_id")?,
            shown: shown(tx, row)?,
            salted: row.text("salted")?,
            previous: row.text("previous")?,
        })
    };
    rows.iter().map(exported).collect()
}

/// The length of a person's chain.
///
/// # Errors
/// As the database says.
pub async fn length(tx: &mut Tx, person: &str) -> Result<i64, StoreError> {
    tx.optional(&HEAD, args![person]).await?.map_or(Ok(0), |row| row.int("n"))
}
