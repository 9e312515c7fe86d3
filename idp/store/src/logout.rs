//! Who is told that a session or a grant has ended: every partner that holds something of it.
//!
//! A notice is an effect in the outbox, written by the unit that ends the session. What it says is
//! signed when it leaves, with the keys and the registration of that moment.

use idp_protocol::client::Client;
use serde_json::json;

use crate::outbox::{self, Claimed, Entry};
use crate::{Row, StoreError, Tx, args, statement};

/// The outbox's name for these notices.
pub const INTERFACE: &str = "backchannel-logout";

statement!(
    OF_SESSION,
    "select distinct g.client_id, g.person_id, g.kind, g.session_id, c.registration
     from issued_grant g join client c on c.client_id = g.client_id
     where g.session_id = $1 order by g.client_id"
);
statement!(
    OF_PERSON,
    "select distinct g.client_id, g.person_id, g.kind, g.session_id, c.registration
     from issued_grant g join client c on c.client_id = g.client_id
     where g.person_id = $1 and (g.revoked_at is null or exists
       (select 1 from session s where s.id = g.session_id and s.ended_at is null))
     order by g.client_id"
);
statement!(
    OF_CLIENT,
    "select distinct g.client_id, g.person_id, g.kind, g.session_id, c.registration
     from issued_grant g join client c on c.client_id = g.client_id
     where g.person_id = $1 and g.client_id = $2 and (g.revoked_at is null or exists
       (select 1 from session s where s.id = g.session_id and s.ended_at is null))"
);

// The ids of these rows begin with the time in decimal, those of others with it in hexadecimal,
// whose first digit is still 0: only a range of the primary key is looked through.
statement!(
    PRUNE,
    "delete from outbox where id in (select id from outbox
     where id >= '1' and interface = 'backchannel-logout'
     and ((state = 'sent' and id < $1) or (state in ('failed', 'dead') and id < $2)) limit 200)"
);

/// What one partner holds of a person: of one session, or of none (a device).
#[derive(Debug, Clone)]
pub struct Held {
    /// The partner.
    pub client: Client,
    /// The person, or the officer.
    pub person_id: String,
    /// `citizen` or `staff`.
    pub kind: String,
    /// The session that it came from.
    pub session_id: Option<String>,
}

fn read(row: &Row) -> Result<Held, StoreError> {
    Ok(Held {
        client: serde_json::from_str(&row.text("registration")?)
            .map_err(|cause| StoreError::Data(cause.to_string()))?,
        person_id: row.text("person_id")?,
        kind: row.text("kind")?,
        session_id: row.text_opt("session_id")?,
    })
}

/// Who holds something of a session. Grants that were revoked count too: the partner may still
/// show the person as signed in.
///
/// # Errors
/// As the database says.
pub async fn of_session(tx: &mut Tx, session: &str) -> Result<Vec<Held>, StoreError> {
    tx.all(&OF_SESSION, args![session]).await?.iter().map(read).collect()
}

/// Who holds something of a person, by session; to be asked before the sessions end.
///
/// # Errors
/// As the database says.
pub async fn of_person(tx: &mut Tx, person: &str) -> Result<Vec<Held>, StoreError> {
    tx.all(&OF_PERSON, args![person]).await?.iter().map(read).collect()
}

/// What one partner holds of a person, by session; to be asked before its grants end.
///
/// # Errors
/// As the database says.
pub async fn of_client(
    tx: &mut Tx,
    person: &str,
    client_id: &str,
) -> Result<Vec<Held>, StoreError> {
    tx.all(&OF_CLIENT, args![person, client_id]).await?.iter().map(read).collect()
}

fn row_id(at: i64, part: &str) -> String {
    format!("{at:013}-{part}")
}

/// Removes up to 200 notices: those that arrived before `before`, and those that were given up
/// before `long_before`.
///
/// # Errors
/// As the database says.
pub async fn prune(tx: &mut Tx, before: i64, long_before: i64) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, args![row_id(before, ""), row_id(long_before, "")]).await
}

/// Writes a notice for each partner that registered an address for them. With `lease` (milliseconds)
/// the caller carries them itself; whatever it has not settled by then, the worker takes up.
///
/// # Errors
/// As the database says.
pub async fn tell(
    tx: &mut Tx,
    held: &[Held],
    now: i64,
    lease: Option<i64>,
) -> Result<Vec<Claimed>, StoreError> {
    let mut claimed = Vec::new();
    for held in held.iter().filter(|held| held.client.backchannel_logout_uri.is_some()) {
        let client_id = &held.client.client_id;
        let of = held.session_id.as_deref().unwrap_or(&held.person_id);
        let key = format!("{INTERFACE} {now} {of} {client_id}");
        let part = tx.vault().blind("outbox.id", &key);
        let entry = Entry {
            id: row_id(now, part.get(..24).unwrap_or(&part)),
            key,
            interface: INTERFACE,
            subject: Some(client_id.clone()),
            arguments: json!({
                "client_id": client_id,
                "person_id": held.person_id,
                "kind": held.kind,
                "session_id": held.session_id,
            }),
            at: now,
        };
        match lease {
            Some(lease) => claimed.push(outbox::enqueue_held(tx, entry, lease).await?),
            None => outbox::enqueue(tx, entry).await?,
        }
    }
    Ok(claimed)
}
