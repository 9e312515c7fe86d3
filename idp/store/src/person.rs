//! Persons: one record per number, sealed; found by blind index.

use idp_domain::citizen::account::{AccountState, PersonStatus};
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{ResidentNumber, masked};
use idp_domain::citizen::proofing::Proofing;
use serde::{Deserialize, Serialize};

use crate::{Db, Row, StoreError, Tx, Vault, args, statement};

/// What is known of a person. `Debug` is left out: this never reaches a log.
#[derive(Clone)]
pub struct Person {
    /// Id of the record.
    pub id: String,
    /// Who it is.
    pub record: Record,
    /// How well the identity is proven.
    pub proofing: Proofing,
    /// When it was proven so, milliseconds UTC.
    pub proofed_at: i64,
    /// Status of the record.
    pub status: PersonStatus,
}

/// The sealed part of a person's row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Kind of document: `resident_id`, `hmt_residence`, `foreigner_residence`.
    pub document: String,
    /// The 18 characters.
    pub number: String,
    /// Name as the register has it.
    pub name: String,
    /// `male` or `female`.
    pub sex: String,
    /// `YYYY-MM-DD`.
    pub born: String,
    /// First six digits.
    pub region: String,
    /// Registered address, when the register released it.
    pub address: Option<String>,
}

impl Record {
    /// The record that name and number give.
    #[must_use]
    pub fn new(name: &PersonName, number: &ResidentNumber, address: Option<String>) -> Self {
        let born = number.born();
        Self {
            document: number.kind().code().to_owned(),
            number: number.as_str().to_owned(),
            name: name.as_str().to_owned(),
            sex: number.sex().claim().to_owned(),
            born: format!("{:04}-{:02}-{:02}", born.year(), u8::from(born.month()), born.day()),
            region: number.region_code().to_owned(),
            address,
        }
    }
}

/// A fact's evidence, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// `phone`, `resident_number`, `social_security_card`, `driving_licence_file`, `face`.
    pub kind: String,
    /// Who vouched: `sms`, `population_register`, `face_check`, `import`, `demo`.
    pub source: String,
    /// The proofing level that it carried, 1 to 5.
    pub level: i64,
    /// Milliseconds UTC.
    pub at: i64,
}

const PURPOSE: &str = "person.record";

statement!(
    CREATE,
    "insert into person (id, number_index, record, proofing, proofed_at, status, created_at)
     values ($1, $2, $3, $4, $5, 'alive', $5)"
);
statement!(FIND, "select id, record, proofing, proofed_at, status from person where id = $1");
// One statement, because userinfo and every ID token ask it.
statement!(
    CLAIMS,
    "select p.id, p.record, p.proofing, p.proofed_at, p.status, a.state, a.language, a.phone,
     a.phone_verified_at, a.email, a.user_name
     from account a join person p on p.id = a.person_id where a.person_id = $1",
    together: "select asked, p.id, p.record, p.proofing, p.proofed_at, p.status, a.state, a.language,
     a.phone, a.phone_verified_at, a.email, a.user_name
     from unnest($1::text[]) with ordinality as sent (id, asked)
     join account a on a.person_id = sent.id join person p on p.id = a.person_id"
);
statement!(ID_BY_NUMBER, "select id from person where number_index = $1");
statement!(
    RAISE,
    "update person set proofing = $2, proofed_at = $3
     where id = $1 and proofing <= $2 and status = 'alive'"
);
statement!(SET_STATUS, "update person set status = $2 where id = $1");
statement!(
    ADD_PROOF,
    "insert into person_evidence (person_id, kind, at, source, level)
     values ($1, $2, $3, $4, $5) on conflict (person_id, kind, at) do nothing"
);
statement!(
    PROOFS,
    "select kind, source, level, at from person_evidence where person_id = $1 order by at, kind"
);

/// The blind index of a number.
#[must_use]
pub fn number_index(tx: &Tx, number: &str) -> String {
    tx.vault().blind("person.number", number)
}

/// Creates a person.
///
/// # Errors
/// [`StoreError::Conflict`] if a person with this number exists.
pub async fn create(
    tx: &mut Tx,
    id: &str,
    record: &Record,
    proofing: Proofing,
    now: i64,
) -> Result<(), StoreError> {
    let index = number_index(tx, &record.number);
    let text = serde_json::to_vec(record).map_err(|cause| StoreError::Data(cause.to_string()))?;
    let sealed = tx.vault().seal(PURPOSE, text)?;
    tx.execute(&CREATE, args![id, index, sealed, proofing.level(), now]).await?;
    Ok(())
}

/// A person by id.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Person>, StoreError> {
    let row = tx.optional(&FIND, args![id]).await?;
    row.map(|row| opened(tx.vault(), &row)).transpose()
}

fn opened(vault: &Vault, row: &Row) -> Result<Person, StoreError> {
    let unreadable = |what: &str| StoreError::Data(format!("person.{what}"));
    let text = vault.open(PURPOSE, &row.blob("record")?)?;
    Ok(Person {
        id: row.text("id")?,
        record: serde_json::from_slice(&text).map_err(|_| unreadable("record"))?,
        proofing: Proofing::from_level(row.int("proofing")?)
            .ok_or_else(|| unreadable("proofing"))?,
        proofed_at: row.int("proofed_at")?,
        status: PersonStatus::from_code(&row.text("status")?)
            .ok_or_else(|| unreadable("status"))?,
    })
}

/// The id of the person with this number.
///
/// # Errors
/// As the database says.
pub async fn id_by_number(tx: &mut Tx, number: &str) -> Result<Option<String>, StoreError> {
    let index = number_index(tx, number);
    tx.optional(&ID_BY_NUMBER, args![index]).await?.map(|row| row.text("id")).transpose()
}

/// Raises the proofing level, or renews its date; a weaker proof changes nothing and gives false.
///
/// # Errors
/// As the database says.
pub async fn raise(
    tx: &mut Tx,
    id: &str,
    proofing: Proofing,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&RAISE, args![id, proofing.level(), now]).await? == 1)
}

/// Sets the status of the record.
///
/// # Errors
/// As the database says.
pub async fn set_status(tx: &mut Tx, id: &str, status: PersonStatus) -> Result<(), StoreError> {
    tx.execute(&SET_STATUS, args![id, status.code()]).await?;
    Ok(())
}

/// Notes what proved a fact.
///
/// # Errors
/// As the database says.
pub async fn add_proof(tx: &mut Tx, id: &str, proof: &Proof) -> Result<(), StoreError> {
    let row = args![id, &proof.kind, proof.at, &proof.source, proof.level];
    tx.execute(&ADD_PROOF, row).await?;
    Ok(())
}

/// What proved the facts of a person, oldest first.
///
/// # Errors
/// As the database says.
pub async fn proofs(tx: &mut Tx, id: &str) -> Result<Vec<Proof>, StoreError> {
    let rows = tx.all(&PROOFS, args![id]).await?;
    rows.iter()
        .map(|row| {
            Ok(Proof {
                kind: row.text("kind")?,
                source: row.text("source")?,
                level: row.int("level")?,
                at: row.int("at")?,
            })
        })
        .collect()
}

/// Everything about a person that claims are made of. `Debug` is left out.
#[derive(Clone)]
pub struct PersonClaims {
    /// Name as the register has it.
    pub name: String,
    /// `M` or `F`.
    pub sex: &'static str,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// First six digits of the number.
    pub region: String,
    /// The 18 characters; released as `number` only under the scope that grants it.
    pub number: String,
    /// The number with its birth digits hidden.
    pub number_masked: String,
    /// E.164, verified.
    pub phone: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Registered address.
    pub address: Option<String>,
    /// Language of the account, BCP 47.
    pub locale: Option<String>,
    /// Proofing level, 1 to 5.
    pub proofing: u8,
    /// When the record was last proven, milliseconds UTC.
    pub updated_at: i64,
    /// State of the account.
    pub account_state: AccountState,
    /// Status of the record.
    pub person_status: PersonStatus,
}

/// What claims about a person are made of; none without an account.
///
/// # Errors
/// As the database says.
pub async fn claims(tx: &mut Tx, id: &str) -> Result<Option<PersonClaims>, StoreError> {
    let row = tx.optional(&CLAIMS, args![id]).await?;
    row.map(|row| told(tx.vault(), &row)).transpose()
}

/// The same, asked by itself.
///
/// # Errors
/// As the database says.
pub async fn claims_of(db: &Db, id: &str) -> Result<Option<PersonClaims>, StoreError> {
    let rows = db.ask(&CLAIMS, args![id].to_vec()).await?;
    rows.first().map(|row| told(db.vault(), row)).transpose()
}

fn told(vault: &Vault, row: &Row) -> Result<PersonClaims, StoreError> {
    let person = opened(vault, row)?;
    let account_state = AccountState::from_code(&row.text("state")?)
        .ok_or_else(|| StoreError::Data("account.state".to_owned()))?;
    let contacts = crate::account::opened(vault, row)?;
    let record = person.record;
    Ok(PersonClaims {
        sex: if record.sex == "male" { "M" } else { "F" },
        birth_date: record.born,
        region: record.region,
        number_masked: masked(&record.number),
        name: record.name,
        number: record.number,
        phone: contacts.phone,
        email: contacts.email,
        address: record.address,
        locale: row.text_opt("language")?,
        proofing: u8::try_from(person.proofing.level()).unwrap_or(1),
        updated_at: person.proofed_at,
        account_state,
        person_status: person.status,
    })
}
