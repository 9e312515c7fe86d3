//! Officers and administrators: password and TOTP.

use crate::{Row, StoreError, Tx, args, statement};

/// An officer or administrator. `Debug` is left out: it holds the second factor's seed.
#[derive(Clone)]
pub struct Staff {
    /// Id, released to the hall as `staff_id`.
    pub id: String,
    /// Name for signing in, small letters.
    pub user_name: String,
    /// Name for people.
    pub name: String,
    /// `officer`, `supervisor` or `administrator`.
    pub role: String,
    /// PHC string of the password's hash.
    pub password: String,
    /// Seed of the TOTP (RFC 6238), raw bytes.
    pub totp: Vec<u8>,
    /// Whether it may sign in.
    pub active: bool,
}

/// A sign-in between password and code.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Who.
    pub staff_id: String,
    /// The flow that it belongs to, if any.
    pub flow: Option<String>,
}

/// Wrong codes after which the password must be given again.
pub const TRIES: i64 = 5;

statement!(
    CREATE,
    "insert into staff (id, user_name, name, role, password, totp, totp_step, state, created_at)
     values ($1, $2, $3, $4, $5, $6, 0, 'active', $7)"
);
statement!(
    FIND,
    "select id, user_name, name, role, password, totp, state from staff where id = $1"
);
statement!(
    FIND_BY_NAME,
    "select id, user_name, name, role, password, totp, state from staff where user_name = $1"
);
statement!(
    LIST,
    "select id, user_name, name, role, password, totp, state from staff order by user_name"
);
statement!(
    USE_STEP,
    "update staff set totp_step = $2 where id = $1 and totp_step < $2 and state = 'active'"
);
statement!(
    UPDATE,
    "update staff set name = $2, role = $3, password = $4, totp = $5, state = $6 where id = $1"
);
statement!(
    BEGIN,
    "insert into staff_pending (id, secret, staff_id, flow, attempts, expires_at)
     values ($1, $2, $3, $4, 0, $5)"
);
statement!(
    PENDING,
    "select secret, staff_id, flow from staff_pending
     where id = $1 and attempts < $2 and expires_at > $3"
);
statement!(
    TRY,
    "update staff_pending set attempts = attempts + 1
     where id = $1 and attempts < $2 and expires_at > $3"
);
statement!(END, "delete from staff_pending where id = $1");
statement!(
    PRUNE,
    "delete from staff_pending where id in (select id from staff_pending where expires_at < $1 limit 200)"
);

/// Creates an officer.
///
/// # Errors
/// [`StoreError::Conflict`] if the user name is taken.
pub async fn create(tx: &mut Tx, staff: &Staff, now: i64) -> Result<(), StoreError> {
    let name = tx.vault().seal("staff.name", &staff.name)?;
    let totp = tx.vault().seal("staff.totp", &staff.totp)?;
    let row = args![&staff.id, &staff.user_name, name, &staff.role, &staff.password, totp, now];
    tx.execute(&CREATE, row).await?;
    Ok(())
}

/// Writes an officer's changed row.
///
/// # Errors
/// As the database says.
pub async fn update(tx: &mut Tx, staff: &Staff) -> Result<bool, StoreError> {
    let name = tx.vault().seal("staff.name", &staff.name)?;
    let totp = tx.vault().seal("staff.totp", &staff.totp)?;
    let state = if staff.active { "active" } else { "disabled" };
    let row = args![&staff.id, name, &staff.role, &staff.password, totp, state];
    Ok(tx.execute(&UPDATE, row).await? == 1)
}

fn read(tx: &Tx, row: &Row) -> Result<Staff, StoreError> {
    Ok(Staff {
        id: row.text("id")?,
        user_name: row.text("user_name")?,
        name: tx.vault().open_text("staff.name", &row.blob("name")?)?,
        role: row.text("role")?,
        password: row.text("password")?,
        totp: tx.vault().open("staff.totp", &row.blob("totp")?)?,
        active: row.text("state")? == "active",
    })
}

/// An officer by id.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Staff>, StoreError> {
    let row = tx.optional(&FIND, args![id]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// An officer by user name, small letters.
///
/// # Errors
/// As the database says.
pub async fn find_by_name(tx: &mut Tx, user_name: &str) -> Result<Option<Staff>, StoreError> {
    let row = tx.optional(&FIND_BY_NAME, args![user_name]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// All officers by user name.
///
/// # Errors
/// As the database says.
pub async fn list(tx: &mut Tx) -> Result<Vec<Staff>, StoreError> {
    let rows = tx.all(&LIST, args![]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Uses a TOTP window: each, and each before it, serves once (RFC 6238 §5.2, attacks row 46).
///
/// # Errors
/// As the database says.
pub async fn use_step(tx: &mut Tx, id: &str, step: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&USE_STEP, args![id, step]).await? == 1)
}

/// Keeps that the password was right and the code is awaited; `secret` is the stored form.
///
/// # Errors
/// As the database says.
pub async fn begin(
    tx: &mut Tx,
    id: &str,
    secret: &str,
    pending: &Pending,
    expires_at: i64,
) -> Result<(), StoreError> {
    let row = args![id, secret, &pending.staff_id, pending.flow.clone(), expires_at];
    tx.execute(&BEGIN, row).await?;
    Ok(())
}

/// The awaited sign-in and its stored secret, while tries are left.
///
/// # Errors
/// As the database says.
pub async fn pending(
    tx: &mut Tx,
    id: &str,
    now: i64,
) -> Result<Option<(Pending, String)>, StoreError> {
    let Some(row) = tx.optional(&PENDING, args![id, TRIES, now]).await? else { return Ok(None) };
    let pending = Pending { staff_id: row.text("staff_id")?, flow: row.text_opt("flow")? };
    Ok(Some((pending, row.text("secret")?)))
}

/// Counts a try at the code; false when none is left.
///
/// # Errors
/// As the database says.
pub async fn try_code(tx: &mut Tx, id: &str, now: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&TRY, args![id, TRIES, now]).await? == 1)
}

/// Ends the awaited sign-in.
///
/// # Errors
/// As the database says.
pub async fn end(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&END, args![id]).await? == 1)
}

/// Deletes up to 200 awaited sign-ins that expired before `before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![before]).await
}
