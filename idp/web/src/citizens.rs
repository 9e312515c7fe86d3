//! Accounts that are made without a page: by the operator's commands and by the demonstration.

use aws_lc_rs::rand;
use idp_domain::ambient::Ambient;
use idp_domain::citizen::account::{AccountState, PersonStatus};
use idp_domain::citizen::name::{NameFault, PersonName};
use idp_domain::citizen::number::{self, NumberFault, ResidentNumber, day_in_china};
use idp_domain::citizen::phone::{Phone, PhoneFault};
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::{self, NewAccount};
use idp_store::audit::{self, Line};
use idp_store::person::{self, PersonClaims, Proof, Record};
use idp_store::staff::{self, Staff};
use idp_store::{Db, StoreError, Tx};
use serde_json::json;

use crate::pages::{self, Hashing};
use crate::session;

/// Accounts written in one unit.
const BATCH: usize = 200;

/// A citizen to be given an account. `Debug` is left out: it holds number and password hash.
#[derive(Clone)]
pub struct NewCitizen {
    /// Name.
    pub name: String,
    /// The 18 characters.
    pub number: String,
    /// Mobile number in any form; none: no sign-in by phone.
    pub phone: Option<String>,
    /// User name, if any.
    pub user_name: Option<String>,
    /// E-mail, if any.
    pub email: Option<String>,
    /// Registered address, if known.
    pub address: Option<String>,
    /// Proofing level, 1 to 5.
    pub proofing: u8,
    /// PHC string of the password's hash, argon2: see [`hash_password`].
    pub password_hash: String,
    /// Who vouches for it: `demo`, `import`, `counter`.
    pub source: &'static str,
}

/// What came of one citizen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new account, by person id.
    Created(String),
    /// The person, the user name or the e-mail has an account already; nothing was changed.
    Exists,
}

/// Why a citizen or an officer cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The number.
    #[error(transparent)]
    Number(#[from] NumberFault),
    /// The name.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// The phone.
    #[error(transparent)]
    Phone(#[from] PhoneFault),
    /// The level.
    #[error("{0} is no proofing level\nhint: 1 to 5")]
    Proofing(u8),
    /// The password's hash.
    #[error(
        "the password cannot be hashed\nhint: argon2 needs memory; look at the limits of the process"
    )]
    Hash,
    /// The role.
    #[error("{0} is no role\nhint: officer, supervisor or administrator")]
    Role(String),
    /// The user name of staff.
    #[error("the user name is taken\nhint: `tongban staff list` shows who has it")]
    Taken,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hashes a password for [`NewCitizen`]. Takes as long as signing in does: call it off the
/// runtime's threads.
///
/// # Errors
/// [`CreateError::Hash`] without memory.
pub fn hash_password(
    ambient: &Ambient,
    hashing: Hashing,
    password: &str,
) -> Result<String, CreateError> {
    let mut salt = [0; 16];
    ambient.random.fill(&mut salt);
    pages::hash_password(hashing.params(), password.as_bytes(), &salt).ok_or(CreateError::Hash)
}

/// The `index`th synthetic citizen (region 359901), always the same: name, number, phone.
#[must_use]
pub fn synthetic(index: u32) -> Option<(String, String, String)> {
    const FAMILY: [&str; 10] = ["林", "陈", "黄", "郑", "吴", "张", "王", "李", "刘", "蔡"];
    const GIVEN: [&str; 20] = [
        "小满", "清和", "谷雨", "立秋", "白露", "思源", "海生", "若水", "明远", "子衿", "云舒",
        "望舒", "嘉禾", "文渊", "初晴", "知行", "怀瑾", "景行", "星河", "长风",
    ];
    let start = time::Date::from_calendar_date(1950, time::Month::January, 1).ok()?;
    // 500 sequences a day leave the other 500 to the demonstration's own people.
    let born = start.checked_add(time::Duration::days(i64::from(index / 500)))?;
    let sequence = u16::try_from(500 + index % 500).ok()?;
    let number = number::synthetic(born, sequence)?;
    let pick = |list: &[&'static str], n: u32| {
        usize::try_from(n).ok().and_then(|n| list.get(n % list.len()).copied())
    };
    let name = format!("{}{}", pick(&FAMILY, index)?, pick(&GIVEN, index / 10)?);
    // 199 is assigned, but the numbers go to the simulator only.
    let phone = format!("199{:08}", 10_000_000 + index);
    Some((name, number.as_str().to_owned(), phone))
}

#[derive(Clone)]
struct Ready {
    id: String,
    record: Record,
    proofing: Proofing,
    account: NewAccount,
    source: &'static str,
}

fn ready(ambient: &Ambient, new: NewCitizen, demo: bool) -> Result<Ready, CreateError> {
    let name = PersonName::parse(&new.name)?;
    let number = ResidentNumber::parse(&new.number, day_in_china(ambient.now()), demo)?;
    let phone = new.phone.as_deref().map(Phone::parse).transpose()?;
    let proofing =
        Proofing::from_level(i64::from(new.proofing)).ok_or(CreateError::Proofing(new.proofing))?;
    let id = ambient.id();
    let account = NewAccount {
        person_id: id.clone(),
        phone,
        user_name: new.user_name.map(|name| name.to_lowercase()),
        email: new.email.map(|email| email.to_lowercase()),
        password: new.password_hash,
        language: None,
    };
    let record = Record::new(&name, &number, new.address);
    Ok(Ready { id, record, proofing, account, source: new.source })
}

/// Creates accounts, some hundred a unit; outcomes in the order of `citizens`. `demo` allows
/// synthetic numbers.
///
/// # Errors
/// The first fault of a citizen, before anything is written; later, as the database says.
pub async fn create(
    db: &Db,
    ambient: &Ambient,
    demo: bool,
    citizens: Vec<NewCitizen>,
) -> Result<Vec<Outcome>, CreateError> {
    let all: Result<Vec<Ready>, CreateError> =
        citizens.into_iter().map(|new| ready(ambient, new, demo)).collect();
    let (all, now) = (all?, ambient.now());
    let mut outcomes = Vec::with_capacity(all.len());
    for batch in all.chunks(BATCH) {
        let batch = batch.to_vec();
        let written = db
            .write::<_, StoreError, _>("create_citizens", move |tx: &mut Tx| {
                let batch = batch.clone();
                Box::pin(async move {
                    let mut written = Vec::with_capacity(batch.len());
                    for citizen in &batch {
                        written.push(create_one(tx, citizen, now).await?);
                    }
                    Ok(written)
                })
            })
            .await?;
        outcomes.extend(written);
    }
    Ok(outcomes)
}

async fn create_one(tx: &mut Tx, new: &Ready, now: i64) -> Result<Outcome, StoreError> {
    // Asked before writing: a refused insert would end the whole batch on PostgreSQL.
    if person::id_by_number(tx, &new.record.number).await?.is_some()
        || account::is_taken(tx, &new.account).await?
    {
        return Ok(Outcome::Exists);
    }
    person::create(tx, &new.id, &new.record, new.proofing, now).await?;
    account::create(tx, &new.account, now).await?;
    let proof = Proof {
        kind: "resident_number".to_owned(),
        source: new.source.to_owned(),
        level: new.proofing.level(),
        at: now,
    };
    person::add_proof(tx, &new.id, &proof).await?;
    let details = json!({ "proofing": new.proofing.level(), "source": new.source });
    let line = Line { at: now, kind: "registered", actor: "operator".to_owned(), details };
    audit::append(tx, &new.id, line).await?;
    Ok(Outcome::Created(new.id.clone()))
}

/// The person whom a phone, number, e-mail or user name names, with what is known of them.
///
/// # Errors
/// As the database says.
pub async fn find(
    db: &Db,
    identifier: &str,
    now: i64,
) -> Result<Option<(String, PersonClaims)>, StoreError> {
    let Some(identifier) = pages::identifier(identifier, now) else { return Ok(None) };
    db.read("find_citizen", move |tx: &mut Tx| {
        let identifier = identifier.clone();
        Box::pin(async move {
            let Some(found) = account::find_by(tx, &identifier).await? else { return Ok(None) };
            let claims = person::claims(tx, &found.person_id).await?;
            Ok(claims.map(|claims| (found.person_id, claims)))
        })
    })
    .await
}

/// Stops an account for the operator; every session and grant ends, and recovery does not open it
/// (attacks row 51). False if it was stopped or closed already.
///
/// # Errors
/// As the database says.
pub async fn freeze(db: &Db, person_id: &str, now: i64) -> Result<bool, StoreError> {
    pages::freeze(db, person_id.to_owned(), true, now).await
}

/// Opens an account that the operator stopped or the person froze; false if it was neither.
///
/// # Errors
/// As the database says.
pub async fn unfreeze(db: &Db, person_id: &str, now: i64) -> Result<bool, StoreError> {
    let person = person_id.to_owned();
    db.write("unfreeze", move |tx: &mut Tx| {
        let person = person.clone();
        Box::pin(async move {
            let mut opened = false;
            for from in [AccountState::Disabled, AccountState::Frozen] {
                opened |= account::set_state(tx, &person, from, AccountState::Active).await?;
            }
            if opened {
                let actor = "operator".to_owned();
                let line = Line { at: now, kind: "unfrozen", actor, details: json!({}) };
                audit::append(tx, &person, line).await?;
            }
            Ok(opened)
        })
    })
    .await
}

/// Writes down what the population register says of a person's record: that they died, that their
/// number was changed, that it was merged into another. Sessions and grants end with a record that
/// has ended, and partners are told (attacks row 51). False if there is no such person.
///
/// # Errors
/// As the database says.
pub async fn set_record(
    db: &Db,
    person_id: &str,
    status: PersonStatus,
    now: i64,
) -> Result<bool, StoreError> {
    let person = person_id.to_owned();
    db.write("set_record", move |tx: &mut Tx| {
        let person = person.clone();
        Box::pin(async move {
            if person::find(tx, &person).await?.is_none() {
                return Ok(false);
            }
            person::set_status(tx, &person, status).await?;
            if status != PersonStatus::Alive {
                session::end_all_in(tx, &person, now).await?;
            }
            let (actor, details) = ("operator".to_owned(), json!({"status": status.code()}));
            let line = Line { at: now, kind: "record_changed", actor, details };
            audit::append(tx, &person, line).await?;
            Ok(true)
        })
    })
    .await
}

/// An officer to be created.
#[derive(Clone)]
pub struct NewStaff {
    /// Name for signing in.
    pub user_name: String,
    /// Name for people.
    pub name: String,
    /// `officer`, `supervisor` or `administrator`.
    pub role: String,
    /// PHC string of the password's hash: see [`hash_password`].
    pub password_hash: String,
    /// Seed of the TOTP; none: a fresh one.
    pub totp: Option<[u8; 20]>,
}

/// A created officer.
#[derive(Clone)]
pub struct CreatedStaff {
    /// Id.
    pub id: String,
    /// The TOTP's seed in base32 (RFC 4648 §6), as authenticators take it. Shown once.
    pub totp_secret: String,
}

/// Creates an officer.
///
/// # Errors
/// [`CreateError::Taken`] if the user name is taken, [`CreateError::Role`] for an unknown role.
pub async fn create_staff(
    db: &Db,
    ambient: &Ambient,
    new: NewStaff,
) -> Result<CreatedStaff, CreateError> {
    if !["officer", "supervisor", "administrator"].contains(&new.role.as_str()) {
        return Err(CreateError::Role(new.role));
    }
    let mut seed = [0; 20];
    match new.totp {
        Some(given) => seed = given,
        None => rand::fill(&mut seed).map_err(|_| CreateError::Hash)?,
    }
    let staff = Staff {
        id: ambient.id(),
        user_name: new.user_name.trim().to_lowercase(),
        name: new.name,
        role: new.role,
        password: new.password_hash,
        totp: seed.to_vec(),
        active: true,
    };
    let (id, now) = (staff.id.clone(), ambient.now());
    let written = db
        .write("create_staff", move |tx: &mut Tx| {
            let staff = staff.clone();
            Box::pin(async move { staff::create(tx, &staff, now).await })
        })
        .await;
    match written {
        Ok(()) => Ok(CreatedStaff { id, totp_secret: base32(&seed) }),
        Err(StoreError::Conflict) => Err(CreateError::Taken),
        Err(other) => Err(other.into()),
    }
}

/// RFC 4648 §6; a seed of 20 bytes needs no padding.
fn base32(bytes: &[u8; 20]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(32);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let at = usize::try_from((buffer >> bits) & 31).unwrap_or(0);
            text.push(ALPHABET.get(at).copied().map_or('A', char::from));
        }
        buffer &= (1 << bits) - 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_shown_in_base32() {
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn synthetic_citizens_are_always_the_same_and_all_different() {
        let all: Vec<_> = (0..5000).map(|n| synthetic(n).unwrap()).collect();
        let numbers: std::collections::BTreeSet<_> = all.iter().map(|one| &one.1).collect();
        let phones: std::collections::BTreeSet<_> = all.iter().map(|one| &one.2).collect();
        assert_eq!((numbers.len(), phones.len()), (5000, 5000));
        assert!(numbers.iter().all(|number| number.starts_with("359901")));
        assert_eq!(synthetic(7), synthetic(7));
    }
}
