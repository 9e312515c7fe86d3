//! Accounts of citizens: how they are found at sign-in, their password hash, their state, and the
//! devices they are known on.

use idp_domain::citizen::account::{AccountState, PersonStatus, Shut, gate};
use idp_domain::citizen::phone::Phone;

use crate::{Row, StoreError, Tx, Vault, args, statement};

/// An account without its phone and e-mail. `Debug` is left out: it holds the password's hash.
#[derive(Clone)]
pub struct Account {
    /// The person, and the account's key.
    pub person_id: String,
    /// PHC string of the password's hash.
    pub password: String,
    /// State of the account.
    pub state: AccountState,
    /// Status of the person's record.
    pub person_status: PersonStatus,
    /// Proofing level of the person, 1 to 5.
    pub proofing: i64,
    /// Chosen language of pages, if any.
    pub language: Option<String>,
}

impl Account {
    /// Whether it may sign in or receive a token.
    ///
    /// # Errors
    /// Why not.
    pub fn gate(&self) -> Result<(), Shut> {
        gate(self.state, self.person_status)
    }
}

/// What a new account holds.
#[derive(Clone)]
pub struct NewAccount {
    /// The person.
    pub person_id: String,
    /// Verified phone.
    pub phone: Option<Phone>,
    /// User name in small letters.
    pub user_name: Option<String>,
    /// E-mail in small letters.
    pub email: Option<String>,
    /// PHC string of the password's hash.
    pub password: String,
    /// Language of pages.
    pub language: Option<String>,
}

/// How a person can be reached, opened from its seals. `Debug` is left out.
#[derive(Clone, Default)]
pub struct Contacts {
    /// E.164.
    pub phone: Option<String>,
    /// When the phone was verified, milliseconds UTC.
    pub phone_verified_at: Option<i64>,
    /// E-mail.
    pub email: Option<String>,
    /// User name.
    pub user_name: Option<String>,
}

/// By what an account is looked up.
#[derive(Clone)]
pub enum Identifier {
    /// Verified phone.
    Phone(Phone),
    /// The 18 characters of the number.
    Number(String),
    /// E-mail, small letters.
    Email(String),
    /// User name, small letters.
    UserName(String),
}

statement!(
    HOLD,
    "select a.state, p.status from account a join person p on p.id = a.person_id
     where a.person_id = $1",
    // Whoever shuts it waits until what is given can be seen, and taken back.
    postgres: "select a.state, p.status from account a join person p on p.id = a.person_id
     where a.person_id = $1 for share"
);
statement!(
    CREATE,
    "insert into account (person_id, user_name, phone_index, phone, phone_verified_at, email_index,
     email, password, password_at, state, language, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $9)"
);
statement!(
    FIND,
    "select a.person_id, a.password, a.state, a.language, p.status, p.proofing
     from account a join person p on p.id = a.person_id where a.person_id = $1"
);
statement!(ID_BY_PHONE, "select person_id from account where phone_index = $1");
statement!(ID_BY_EMAIL, "select person_id from account where email_index = $1");
statement!(ID_BY_USER_NAME, "select person_id from account where user_name = $1");
statement!(
    ID_BY_NUMBER,
    "select a.person_id from account a join person p on p.id = a.person_id
     where p.number_index = $1"
);
statement!(
    CONTACTS,
    "select phone, phone_verified_at, email, user_name from account where person_id = $1"
);
statement!(
    RELEASE_PHONE,
    "update account set phone_index = null, phone = null, phone_verified_at = null
     where phone_index = $1 and person_id <> $2 returning person_id"
);
statement!(
    SET_PHONE,
    "update account set phone_index = $2, phone = $3, phone_verified_at = $4 where person_id = $1"
);
statement!(SET_PASSWORD, "update account set password = $2, password_at = $3 where person_id = $1");
statement!(SET_STATE, "update account set state = $2 where person_id = $1 and state = $3");
statement!(SET_LANGUAGE, "update account set language = $2 where person_id = $1");
statement!(TAKEN, "select person_id from account where user_name = $1 or email_index = $2");
statement!(COUNT, "select count(*) as n from account");
statement!(
    KNOW_DEVICE,
    "insert into device (person_id, device, seen_at) values ($1, $2, $3)
     on conflict (person_id, device) do update set seen_at = excluded.seen_at"
);
statement!(KNOWN_DEVICE, "select seen_at from device where person_id = $1 and device = $2");
statement!(FORGET_DEVICES, "delete from device where person_id = $1");

/// The blind index of a phone.
#[must_use]
pub fn phone_index(tx: &Tx, phone: &Phone) -> String {
    tx.vault().blind("account.phone", phone.e164())
}

/// Creates an account. Who has proven to hold the phone takes it over: numbers of mobile phones
/// are given to others after a time, and their former holders must not sign in with them.
/// Gives the person that lost the phone, if any.
///
/// # Errors
/// [`StoreError::Conflict`] if the person has an account, or the user name or e-mail is taken.
pub async fn create(tx: &mut Tx, new: &NewAccount, now: i64) -> Result<Option<String>, StoreError> {
    let phone_index = new.phone.as_ref().map(|phone| phone_index(tx, phone));
    let former = match &phone_index {
        Some(index) => release_phone(tx, index, &new.person_id).await?,
        None => None,
    };
    let vault = tx.vault();
    let phone =
        new.phone.as_ref().map(|phone| vault.seal("account.phone", phone.e164())).transpose()?;
    let email_index = new.email.as_ref().map(|email| vault.blind("account.email", email));
    let email = new.email.as_ref().map(|email| vault.seal("account.email", email)).transpose()?;
    let verified = new.phone.as_ref().map(|_| now);
    tx.execute(
        &CREATE,
        args![
            &new.person_id,
            new.user_name.clone(),
            phone_index,
            phone,
            verified,
            email_index,
            email,
            &new.password,
            now,
            new.language.clone()
        ],
    )
    .await?;
    Ok(former)
}

/// Whether user name or e-mail of a new account belong to another.
///
/// # Errors
/// As the database says.
pub async fn is_taken(tx: &mut Tx, new: &NewAccount) -> Result<bool, StoreError> {
    let email = new.email.as_ref().map(|email| tx.vault().blind("account.email", email));
    Ok(tx.optional(&TAKEN, args![new.user_name.clone(), email]).await?.is_some())
}

async fn release_phone(
    tx: &mut Tx,
    index: &str,
    keeper: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.optional(&RELEASE_PHONE, args![index, keeper]).await?;
    row.map(|row| row.text("person_id")).transpose()
}

/// Gives an account another verified phone; the person that lost it, if any.
///
/// # Errors
/// As the database says.
pub async fn set_phone(
    tx: &mut Tx,
    person: &str,
    phone: &Phone,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let index = phone_index(tx, phone);
    let former = release_phone(tx, &index, person).await?;
    let sealed = tx.vault().seal("account.phone", phone.e164())?;
    tx.execute(&SET_PHONE, args![person, index, sealed, now]).await?;
    Ok(former)
}

/// An account by its person.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, person: &str) -> Result<Option<Account>, StoreError> {
    tx.optional(&FIND, args![person]).await?.map(|row| read(&row)).transpose()
}

fn read(row: &Row) -> Result<Account, StoreError> {
    let unreadable = |what: &str| StoreError::Data(format!("account.{what}"));
    Ok(Account {
        person_id: row.text("person_id")?,
        password: row.text("password")?,
        state: AccountState::from_code(&row.text("state")?).ok_or_else(|| unreadable("state"))?,
        person_status: PersonStatus::from_code(&row.text("status")?)
            .ok_or_else(|| unreadable("status"))?,
        proofing: row.int("proofing")?,
        language: row.text_opt("language")?,
    })
}

/// The gate of an account's state and its record's status, by their codes.
pub(crate) fn read_gate(state: &str, status: &str) -> Result<Result<(), Shut>, StoreError> {
    let unreadable = |what: &str| StoreError::Data(format!("account.{what}"));
    let state = AccountState::from_code(state).ok_or_else(|| unreadable("state"))?;
    let status = PersonStatus::from_code(status).ok_or_else(|| unreadable("status"))?;
    Ok(gate(state, status))
}

/// An account by what a person types at sign-in.
///
/// # Errors
/// As the database says.
pub async fn find_by(tx: &mut Tx, identifier: &Identifier) -> Result<Option<Account>, StoreError> {
    let row = match identifier {
        Identifier::Phone(phone) => {
            let index = phone_index(tx, phone);
            tx.optional(&ID_BY_PHONE, args![index]).await?
        }
        Identifier::Number(number) => {
            let index = crate::person::number_index(tx, number);
            tx.optional(&ID_BY_NUMBER, args![index]).await?
        }
        Identifier::Email(email) => {
            let index = tx.vault().blind("account.email", email);
            tx.optional(&ID_BY_EMAIL, args![index]).await?
        }
        Identifier::UserName(name) => tx.optional(&ID_BY_USER_NAME, args![name]).await?,
    };
    match row {
        Some(row) => find(tx, &row.text("person_id")?).await,
        None => Ok(None),
    }
}

/// Whether the account of this person may sign in or receive a token; an absent account may not.
/// The one gate of attacks row 26: every grant asks it.
///
/// # Errors
/// As the database says.
pub async fn gate_of(tx: &mut Tx, person: &str) -> Result<Result<(), Shut>, StoreError> {
    Ok(find(tx, person).await?.map_or(Err(Shut::NotInUse), |account| account.gate()))
}

/// The same, kept as it is until the unit is over: whoever shuts the account at this moment ends
/// what the unit gave, or the unit gives nothing.
///
/// # Errors
/// As the database says.
pub async fn hold(tx: &mut Tx, person: &str) -> Result<Result<(), Shut>, StoreError> {
    let row = tx.optional(&HOLD, args![person]).await?;
    row.map_or(Ok(Err(Shut::NotInUse)), |row| read_gate(&row.text("state")?, &row.text("status")?))
}

/// Phone, e-mail and user name, opened.
///
/// # Errors
/// As the database says.
pub async fn contacts(tx: &mut Tx, person: &str) -> Result<Contacts, StoreError> {
    let row = tx.optional(&CONTACTS, args![person]).await?;
    row.map_or_else(|| Ok(Contacts::default()), |row| opened(tx.vault(), &row))
}

/// Contacts in the row of a statement that selects them.
pub(crate) fn opened(vault: &Vault, row: &Row) -> Result<Contacts, StoreError> {
    let open = |purpose: &str, sealed: Option<Vec<u8>>| {
        sealed.map(|sealed| vault.open_text(purpose, &sealed)).transpose()
    };
    Ok(Contacts {
        phone: open("account.phone", row.blob_opt("phone")?)?,
        phone_verified_at: row.int_opt("phone_verified_at")?,
        email: open("account.email", row.blob_opt("email")?)?,
        user_name: row.text_opt("user_name")?,
    })
}

/// Sets the password's hash and forgets the devices that were known: whoever had the old password
/// may have been among them.
///
/// # Errors
/// As the database says.
pub async fn set_password(
    tx: &mut Tx,
    person: &str,
    hash: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(&SET_PASSWORD, args![person, hash, now]).await?;
    tx.execute(&FORGET_DEVICES, args![person]).await?;
    Ok(())
}

/// Moves the account from one state to another; false if it was not in the first.
///
/// # Errors
/// As the database says.
pub async fn set_state(
    tx: &mut Tx,
    person: &str,
    from: AccountState,
    to: AccountState,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&SET_STATE, args![person, to.code(), from.code()]).await? == 1)
}

/// Keeps the language that a person chose.
///
/// # Errors
/// As the database says.
pub async fn set_language(tx: &mut Tx, person: &str, language: &str) -> Result<(), StoreError> {
    tx.execute(&SET_LANGUAGE, args![person, language]).await?;
    Ok(())
}

/// How many accounts there are.
///
/// # Errors
/// As the database says.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(&COUNT, args![]).await?.int("n")
}

/// Remembers a device (a digest of its cookie) as one of this person's.
///
/// # Errors
/// As the database says.
pub async fn know_device(
    tx: &mut Tx,
    person: &str,
    device: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(&KNOW_DEVICE, args![person, device, now]).await?;
    Ok(())
}

/// Whether this person has signed in from the device before.
///
/// # Errors
/// As the database says.
pub async fn knows_device(tx: &mut Tx, person: &str, device: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(&KNOWN_DEVICE, args![person, device]).await?.is_some())
}
