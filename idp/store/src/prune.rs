//! Removes what has expired, in small steps that keep nobody waiting.

use crate::single_use;
use crate::{StoreError, Tx};
use crate::{backchannel, code, device, flow, grant, logout, refresh, registration, session};
use crate::{face, journey, otp, proof, pushed, staff, throttle};

/// One step: up to 200 rows of each table. Gives how many; the caller goes on while it is not
/// zero. What expired within the last day stays, so that the replay of a code is still known as
/// one; requests that nobody answered go at once, because anybody can make them.
///
/// # Errors
/// As the database says.
pub async fn step(tx: &mut Tx, now: i64) -> Result<u64, StoreError> {
    const DAY: i64 = 86_400_000;
    let before = now - DAY;
    let mut removed = code::prune(tx, before).await?;
    removed += backchannel::prune(tx, before).await?;
    removed += pushed::prune(tx, before).await?;
    removed += flow::prune(tx, now).await?;
    removed += device::prune(tx, before).await?;
    removed += logout::prune(tx, before, now - 30 * DAY).await?;
    removed += session::prune(tx, before).await?;
    removed += registration::prune(tx, before).await?;
    removed += refresh::prune(tx, before).await?;
    removed += grant::prune(tx, before).await?;
    removed += single_use::prune(tx, now).await?;
    // None of these is looked at after its time: a counter that has ended counts anew.
    removed += proof::prune(tx, now).await?;
    removed += otp::prune(tx, now).await?;
    removed += throttle::prune(tx, now).await?;
    removed += journey::prune(tx, now).await?;
    removed += staff::prune(tx, now).await?;
    removed += face::prune(tx, now).await?;
    Ok(removed)
}
