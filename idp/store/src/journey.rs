//! Registration, recovery and sign-in by SMS under way. The state lies here and moves by
//! conditional update only (attacks rows 22, 23); the browser holds an id and a secret.

use idp_domain::citizen::journey::{Purpose, State};

use crate::{StoreError, Tx, args, statement};

/// A journey. `Debug` is left out: it holds a phone and a password's hash.
#[derive(Clone)]
pub struct Journey {
    /// Id.
    pub id: String,
    /// Stored form of the secret that the browser holds.
    pub secret: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: State,
    /// The phone, E.164.
    pub phone: String,
    /// The code that is out, if one was sent.
    pub otp_id: Option<String>,
    /// How many codes were sent.
    pub sends: i64,
    /// When the last was sent, milliseconds UTC.
    pub sent_at: i64,
    /// PHC string of the chosen password's hash (registration).
    pub password: Option<String>,
    /// The person whose account it is about (recovery, sign-in).
    pub person_id: Option<String>,
    /// The flow that it belongs to, if any.
    pub flow: Option<String>,
}

statement!(
    CREATE,
    "insert into journey (id, secret, purpose, state, phone, phone_index, otp_id, sends, sent_at,
     person_id, flow, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9, $12)"
);
statement!(
    FIND,
    "select id, secret, purpose, state, phone, otp_id, sends, sent_at, password, person_id, flow
     from journey where id = $1 and expires_at > $2"
);
statement!(
    ADVANCE,
    "update journey set state = $3, password = coalesce($4, password)
     where id = $1 and state = $2 and expires_at > $5"
);
statement!(
    RESEND,
    "update journey set otp_id = $2, sends = sends + 1, sent_at = $3
     where id = $1 and state = 'code_sent' and sends = $4 and expires_at > $3"
);
statement!(END, "delete from journey where id = $1");
statement!(
    PRUNE,
    "delete from journey where id in (select id from journey where expires_at < $1 limit 200)"
);

/// Begins a journey.
///
/// # Errors
/// As the database says.
pub async fn create(tx: &mut Tx, journey: &Journey, expires_at: i64) -> Result<(), StoreError> {
    let index = tx.vault().blind("account.phone", &journey.phone);
    let phone = tx.vault().seal("journey.phone", &journey.phone)?;
    let row = args![
        &journey.id,
        &journey.secret,
        journey.purpose.code(),
        journey.state.code(),
        phone,
        index,
        journey.otp_id.clone(),
        journey.sends,
        journey.sent_at,
        journey.person_id.clone(),
        journey.flow.clone(),
        expires_at
    ];
    tx.execute(&CREATE, row).await?;
    Ok(())
}

/// A journey that has not expired.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str, now: i64) -> Result<Option<Journey>, StoreError> {
    let Some(row) = tx.optional(&FIND, args![id, now]).await? else { return Ok(None) };
    let unreadable = |what: &str| StoreError::Data(format!("journey.{what}"));
    Ok(Some(Journey {
        id: row.text("id")?,
        secret: row.text("secret")?,
        purpose: Purpose::from_code(&row.text("purpose")?).ok_or_else(|| unreadable("purpose"))?,
        state: State::from_code(&row.text("state")?).ok_or_else(|| unreadable("state"))?,
        phone: tx.vault().open_text("journey.phone", &row.blob("phone")?)?,
        otp_id: row.text_opt("otp_id")?,
        sends: row.int("sends")?,
        sent_at: row.int("sent_at")?,
        password: row.text_opt("password")?,
        person_id: row.text_opt("person_id")?,
        flow: row.text_opt("flow")?,
    }))
}

/// Moves a journey; false if it did not stand where the mover thought (a second tab, a race).
///
/// # Errors
/// As the database says.
pub async fn advance(
    tx: &mut Tx,
    id: &str,
    (from, to): (State, State),
    password: Option<&str>,
    now: i64,
) -> Result<bool, StoreError> {
    let row = args![id, from.code(), to.code(), password, now];
    Ok(tx.execute(&ADVANCE, row).await? == 1)
}

/// Notes that a further code was sent; false if another request was first.
///
/// # Errors
/// As the database says.
pub async fn resent(
    tx: &mut Tx,
    journey: &Journey,
    otp_id: Option<&str>,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&RESEND, args![&journey.id, otp_id, now, journey.sends]).await? == 1)
}

/// Ends a journey.
///
/// # Errors
/// As the database says.
pub async fn end(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute(&END, args![id]).await?;
    Ok(())
}

/// Deletes up to 200 journeys that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
