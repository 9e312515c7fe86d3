//! Removes what has expired, in steps too small to keep anybody waiting: one table a unit of work,
//! up to 200 rows of it, found by an index.

use crate::single_use;
use crate::{StoreError, Tx};
use crate::{
    backchannel, client_document, code, device, flow, grant, logout, refresh, registration, session,
};
use crate::{face, journey, otp, proof, pushed, sandbox, staff, throttle};

/// What expired within the last day stays, so that the replay of a code is still known as one.
const DAY: i64 = 86_400_000;

/// One step of a round, counted from 0: gives how many rows it removed, and nothing behind the last
/// one. Requests that nobody answered, proofs and counters go as soon as they have expired:
/// anybody can make them, and none is looked at after its time.
///
/// # Errors
/// As the database says.
pub async fn step(tx: &mut Tx, step: usize, now: i64) -> Result<Option<u64>, StoreError> {
    let before = now - DAY;
    let removed = match step {
        0 => code::prune(tx, before).await,
        1 => backchannel::prune(tx, before).await,
        2 => pushed::prune(tx, before).await,
        3 => flow::prune(tx, now).await,
        4 => device::prune(tx, before).await,
        5 => logout::prune(tx, before, now - 30 * DAY).await,
        6 => session::prune(tx, before).await,
        7 => registration::prune(tx, before).await,
        8 => refresh::prune(tx, before).await,
        9 => grant::prune(tx, before).await,
        10 => single_use::prune(tx, now).await,
        11 => proof::prune(tx, now).await,
        12 => otp::prune(tx, now).await,
        13 => throttle::prune(tx, now).await,
        14 => journey::prune(tx, now).await,
        15 => staff::prune(tx, now).await,
        16 => face::prune(tx, now).await,
        17 => sandbox::prune(tx, now).await,
        // After the grants, so that what they held goes in the same round.
        18 => client_document::prune(tx, before).await,
        _ => return Ok(None),
    };
    removed.map(Some)
}

/// A whole round in one unit of work, for tests.
///
/// # Errors
/// As the database says.
pub async fn round(tx: &mut Tx, now: i64) -> Result<u64, StoreError> {
    let (mut removed, mut number) = (0, 0);
    while let Some(rows) = step(tx, number, now).await? {
        (removed, number) = (removed + rows, number + 1);
    }
    Ok(removed)
}
