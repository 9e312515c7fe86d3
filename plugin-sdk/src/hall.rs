//! What a plugin may read during a call: verified facts, the operator's settings, time, its own
//! documents. The same call of the same event reads the same.

use crate::Problem;
#[cfg(target_arch = "wasm32")]
use crate::bindings::tongban;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::Hall;

use serde_json::Value;

/// A verified fact of the applicant (`region`, `age_over_16`, …), if granted and known.
#[must_use]
pub fn fact(name: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return tongban::identity::identity::attribute(name).ok().flatten();
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| hall.fact_of(name)).ok().flatten()
}

/// A setting of the operator for this item.
#[must_use]
pub fn setting(name: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return tongban::kit::config::get(name);
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| Ok(hall.settings.get(name).cloned())).ok().flatten()
}

/// The event's time, milliseconds UTC.
#[must_use]
pub fn now() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return tongban::kit::calendar::now();
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| Ok(hall.now)).unwrap_or_default()
}

/// `at` plus working days of the dated calendar, milliseconds UTC. Natively Saturdays and Sundays
/// are the only holidays.
#[must_use]
pub fn working_days(at: u64, days: i32) -> u64 {
    #[cfg(target_arch = "wasm32")]
    return tongban::kit::calendar::add_working_days(at, days);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::working_days(at, days)
}

/// A line of the plugin's own log. Never a personal value.
pub fn log(level: &str, code: &str) {
    #[cfg(target_arch = "wasm32")]
    tongban::kit::log::event(level, code, &[]);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = Hall::inside(|hall| {
        hall.log.push(format!("{level} {code}"));
        Ok(())
    });
}

/// A document of the plugin's own with its version.
///
/// # Errors
/// The hall's refusal.
pub fn document(collection: &str, id: &str) -> Result<Option<(Value, u64)>, Problem> {
    #[cfg(target_arch = "wasm32")]
    {
        let found = tongban::store::docs::get(collection, id)?;
        Ok(found.map(|doc| (crate::json(&doc.body), doc.version)))
    }
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| hall.read(collection, id))
}

/// Writes a document if its version is still `expect` (0 for a new one; none writes anyway); the
/// answer is the new version.
///
/// # Errors
/// The hall's refusal.
pub fn keep(collection: &str, id: &str, body: &Value, expect: Option<u64>) -> Result<u64, Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::store::docs::put(collection, id, &body.to_string(), expect);
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| hall.write(collection, id, Some(body), expect))
}

/// Removes a document.
///
/// # Errors
/// The hall's refusal.
pub fn forget(collection: &str, id: &str) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    return tongban::store::docs::remove(collection, id);
    #[cfg(not(target_arch = "wasm32"))]
    Hall::inside(|hall| hall.write(collection, id, None, None)).map(drop)
}
