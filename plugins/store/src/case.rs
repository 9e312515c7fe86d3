//! Cases: the row that every change of a case carries forward under its sequence.

use idp_store::{Row, StoreError, Tx, args, statement};
use serde_json::Value as Json;

/// A case as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Random, with a check character.
    pub number: String,
    /// Item code.
    pub item: String,
    /// Plugin that decides.
    pub plugin: String,
    /// Letter of the machine.
    pub machine: String,
    /// The hall's pairwise subject of the applicant.
    pub subject: String,
    /// Key of the applicant's audit chain.
    pub person_id: Option<String>,
    /// The client's transaction id: the same submission is one case.
    pub transaction: String,
    /// Language of messages.
    pub lang: String,
    /// State of the machine.
    pub state: String,
    /// Sequence of the last event; every change names the one it saw.
    pub seq: i64,
    /// Version of the plugin's data.
    pub state_version: i64,
    /// Version of the plugin that acted last.
    pub plugin_version: String,
    /// The plugin's data; sealed.
    pub data: Json,
    /// The form as submitted; sealed.
    pub form: Json,
    /// One line for the citizen in each language; sealed.
    pub status: Json,
    /// The clock; sealed, because it holds reasons.
    pub clock: Json,
    /// The price that was asked, as JSON.
    pub quote: Option<Json>,
    /// Queue of officers.
    pub queue: Option<String>,
    /// Parcel label.
    pub label: Option<String>,
    /// 1–5.
    pub rating: Option<i64>,
    /// `blue`, `yellow`, `red`.
    pub signal: Option<String>,
    /// End of the promised limit, milliseconds UTC.
    pub promised_due: Option<i64>,
    /// When the clock has to be looked at, milliseconds UTC.
    pub tick_at: Option<i64>,
    /// Milliseconds UTC.
    pub opened_at: i64,
    /// Milliseconds UTC.
    pub changed_at: i64,
}

macro_rules! columns {
    () => {
        "number, item, plugin, machine, subject, person_id, transaction_id, lang, state, seq,
         state_version, plugin_version, data, form, status, clock, quote, queue, label, rating,
         signal, promised_due, tick_at, opened_at, changed_at"
    };
}

statement!(
    INSERT,
    concat!(
        "insert into hall_case (",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
         $19, $20, $21, $22, $23, $24, $25)"
    )
);
statement!(FIND, concat!("select ", columns!(), " from hall_case where number = $1"));
statement!(
    OF_SUBJECT,
    concat!(
        "select ",
        columns!(),
        " from hall_case where subject = $1 order by opened_at desc, number limit 200"
    )
);
statement!(
    BY_TRANSACTION,
    "select number from hall_case where subject = $1 and transaction_id = $2"
);
statement!(
    UPDATE,
    "update hall_case set state = $3, seq = $4, state_version = $5, plugin_version = $6, data = $7,
     form = $8, status = $9, clock = $10, quote = $11, queue = $12, label = $13, rating = $14,
     signal = $15, promised_due = $16, tick_at = $17, changed_at = $18
     where number = $1 and seq = $2"
);
statement!(
    DESK,
    concat!(
        "select ",
        columns!(),
        " from hall_case where state in ('precheck', 'review', 'special_procedure')
         order by promised_due, opened_at limit 500"
    )
);
statement!(
    DESK_ALL,
    concat!("select ", columns!(), " from hall_case order by opened_at desc limit 500")
);
statement!(
    SIGNALLED,
    concat!(
        "select ",
        columns!(),
        " from hall_case where signal is not null order by case signal when 'red' then 0
         when 'yellow' then 1 else 2 end, promised_due limit 500"
    )
);
statement!(TICKING, "select number from hall_case where tick_at <= $1 order by tick_at limit 100");
statement!(NEXT_TICK, "select min(tick_at) as at from hall_case where tick_at is not null");
statement!(
    COUNTS,
    "select item, state, count(*) as n from hall_case group by item, state order by item, state"
);
statement!(
    RATINGS,
    "select item, count(*) as n, cast(sum(rating) as bigint) as total from hall_case
     where rating is not null group by item order by item"
);

const DATA: &str = "hall_case.data";
const FORM: &str = "hall_case.form";
const STATUS: &str = "hall_case.status";
const CLOCK: &str = "hall_case.clock";

pub(crate) fn opened(tx: &Tx, purpose: &str, sealed: &[u8]) -> Result<Json, StoreError> {
    serde_json::from_slice(&tx.vault().open(purpose, sealed)?)
        .map_err(|cause| StoreError::Data(format!("{purpose}: {cause}")))
}

pub(crate) fn sealed(tx: &Tx, purpose: &str, json: &Json) -> Result<Vec<u8>, StoreError> {
    tx.vault().seal(purpose, json.to_string())
}

fn read(tx: &Tx, row: &Row) -> Result<Case, StoreError> {
    let quote = row.text_opt("quote")?.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Case {
        number: row.text("number")?,
        item: row.text("item")?,
        plugin: row.text("plugin")?,
        machine: row.text("machine")?,
        subject: row.text("subject")?,
        person_id: row.text_opt("person_id")?,
        transaction: row.text("transaction_id")?,
        lang: row.text("lang")?,
        state: row.text("state")?,
        seq: row.int("seq")?,
        state_version: row.int("state_version")?,
        plugin_version: row.text("plugin_version")?,
        data: opened(tx, DATA, &row.blob("data")?)?,
        form: opened(tx, FORM, &row.blob("form")?)?,
        status: opened(tx, STATUS, &row.blob("status")?)?,
        clock: opened(tx, CLOCK, &row.blob("clock")?)?,
        quote,
        queue: row.text_opt("queue")?,
        label: row.text_opt("label")?,
        rating: row.int_opt("rating")?,
        signal: row.text_opt("signal")?,
        promised_due: row.int_opt("promised_due")?,
        tick_at: row.int_opt("tick_at")?,
        opened_at: row.int("opened_at")?,
        changed_at: row.int("changed_at")?,
    })
}

fn list(tx: &Tx, rows: &[Row]) -> Result<Vec<Case>, StoreError> {
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Writes a new case.
///
/// # Errors
/// [`StoreError::Conflict`] if its number or its transaction is taken.
pub async fn insert(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    let row = args![
        &case.number,
        &case.item,
        &case.plugin,
        &case.machine,
        &case.subject,
        case.person_id.clone(),
        &case.transaction,
        &case.lang,
        &case.state,
        case.seq,
        case.state_version,
        &case.plugin_version,
        sealed(tx, DATA, &case.data)?,
        sealed(tx, FORM, &case.form)?,
        sealed(tx, STATUS, &case.status)?,
        sealed(tx, CLOCK, &case.clock)?,
        case.quote.as_ref().map(Json::to_string),
        case.queue.clone(),
        case.label.clone(),
        case.rating,
        case.signal.clone(),
        case.promised_due,
        case.tick_at,
        case.opened_at,
        case.changed_at,
    ];
    tx.execute(&INSERT, row).await.map(drop)
}

/// Carries a case forward from `expected`; false if somebody was first.
///
/// # Errors
/// As the database says.
pub async fn update(tx: &mut Tx, case: &Case, expected: i64) -> Result<bool, StoreError> {
    let row = args![
        &case.number,
        expected,
        &case.state,
        case.seq,
        case.state_version,
        &case.plugin_version,
        sealed(tx, DATA, &case.data)?,
        sealed(tx, FORM, &case.form)?,
        sealed(tx, STATUS, &case.status)?,
        sealed(tx, CLOCK, &case.clock)?,
        case.quote.as_ref().map(Json::to_string),
        case.queue.clone(),
        case.label.clone(),
        case.rating,
        case.signal.clone(),
        case.promised_due,
        case.tick_at,
        case.changed_at,
    ];
    Ok(tx.execute(&UPDATE, row).await? == 1)
}

/// A case by its number.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, number: &str) -> Result<Option<Case>, StoreError> {
    let row = tx.optional(&FIND, args![number]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// A person's cases, newest first.
///
/// # Errors
/// As the database says.
pub async fn of_subject(tx: &mut Tx, subject: &str) -> Result<Vec<Case>, StoreError> {
    let rows = tx.all(&OF_SUBJECT, args![subject]).await?;
    list(tx, &rows)
}

/// The number of the case that a transaction made.
///
/// # Errors
/// As the database says.
pub async fn by_transaction(
    tx: &mut Tx,
    subject: &str,
    transaction: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.optional(&BY_TRANSACTION, args![subject, transaction]).await?;
    row.map(|row| row.text("number")).transpose()
}

/// What waits for an officer, the earliest promise first; or the newest of all.
///
/// # Errors
/// As the database says.
pub async fn desk(tx: &mut Tx, all: bool) -> Result<Vec<Case>, StoreError> {
    let rows = tx.all(if all { &DESK_ALL } else { &DESK }, args![]).await?;
    list(tx, &rows)
}

/// Cases with a signal, the worst first.
///
/// # Errors
/// As the database says.
pub async fn signalled(tx: &mut Tx) -> Result<Vec<Case>, StoreError> {
    let rows = tx.all(&SIGNALLED, args![]).await?;
    list(tx, &rows)
}

/// Numbers of cases whose clock has to be looked at.
///
/// # Errors
/// As the database says.
pub async fn ticking(tx: &mut Tx, now: i64) -> Result<Vec<String>, StoreError> {
    tx.all(&TICKING, args![now]).await?.iter().map(|row| row.text("number")).collect()
}

/// When the next clock has to be looked at.
///
/// # Errors
/// As the database says.
pub async fn next_tick(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    tx.one(&NEXT_TICK, args![]).await?.int_opt("at")
}

/// Cases by item and state.
///
/// # Errors
/// As the database says.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, String, i64)>, StoreError> {
    let rows = tx.all(&COUNTS, args![]).await?;
    rows.iter().map(|row| Ok((row.text("item")?, row.text("state")?, row.int("n")?))).collect()
}

/// Ratings by item: number and sum.
///
/// # Errors
/// As the database says.
pub async fn ratings(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let rows = tx.all(&RATINGS, args![]).await?;
    rows.iter().map(|row| Ok((row.text("item")?, row.int("n")?, row.int("total")?))).collect()
}
