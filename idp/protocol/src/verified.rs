//! Verified claims (OpenID Connect for Identity Assurance 1.0, final; its section numbers): what a
//! partner asks to know as proven, and how that is picked from what a record proves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::metadata::Offer;
use crate::scope::Scope;

/// The member that asks, and that answers.
pub const NAME: &str = "verified_claims";

/// The rules under which identities of this provider are proven: name and number matched against
/// the population register, and two more kinds of evidence.
pub const TRUST_FRAMEWORK: &str = "cn_resident_identity";

/// The record that was asked.
pub const RECORD: &str = "cn_population_register";

/// How it was asked: the person's data were compared with the record.
pub const CHECK_METHOD: &str = "data";

/// Claims that the record proves.
pub const SUPPORTED: &[&str] = &["name", "gender", "birthdate"];

/// The least proofing level at which anything is proven (real name).
pub const LEAST: u8 = 3;

/// Scope of all these claims, which a client has to have to hear of anybody's verification.
const SCOPE: &str = "profile";

/// Elements without which the one around them is not valid (Identity Assurance Schema 1.0 §5.4):
/// told with whatever else of it is asked for.
const REQUIRED: &[&str] = &["trust_framework", "type", "check_method"];

/// Requests in one member of the `claims` parameter.
const MOST: usize = 8;

/// Names in one request.
const NAMES: usize = 48;

/// Levels of a request for verification.
const DEEPEST: usize = 8;

/// One request (§5.3, §5.4): each member null, or what it has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Of the verification.
    pub verification: Map<String, Value>,
    /// Claims. Empty: nothing but the verification.
    pub claims: Map<String, Value>,
}

/// Reads the member: an object, or an array of them (§5.6). None if it has another shape.
#[must_use]
pub(crate) fn read(value: &Value) -> Option<Vec<Request>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(list) if list.len() <= MOST => list.iter().map(one).collect(),
        value => Some(vec![one(value)?]),
    }
}

fn one(value: &Value) -> Option<Request> {
    let value = value.as_object()?;
    let member = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(members)) if members.len() <= NAMES => Some(members.clone()),
        Some(_) => None,
    };
    let (verification, claims) = (member("verification")?, member("claims")?);
    // Attacks row 42.
    let shallow = |value: &Value| depth(value) <= DEEPEST;
    let plain = claims.values().all(|asked| asked.is_null() || asked.is_object());
    let fine = plain && verification.values().chain(claims.values()).all(shallow);
    fine.then_some(Request { verification, claims })
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(members) => members.values().map(depth).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// Leaves what a client may ask for (attacks row 34): nothing without the scope, and of requests that
/// still ask for something the claims that there are. What is not known is no error (§5.7.2).
pub(crate) fn only(requests: &mut Vec<Request>, registered: &Scope) {
    requests.retain_mut(|request| {
        let before = request.claims.len();
        request.claims.retain(|name, _| SUPPORTED.contains(&name.as_str()));
        registered.has(SCOPE) && (before == 0 || !request.claims.is_empty())
    });
}

/// What of `facts`, a whole `verified_claims` element, answers the requests: nothing, one element,
/// or an array of them where several were asked for and met (§5.6). `now` is seconds of Unix time.
#[must_use]
pub fn select(requests: &[Request], facts: &Value, now: i64) -> Option<Value> {
    let mut met: Vec<Value> =
        requests.iter().filter_map(|request| answer(request, facts, now)).collect();
    match met.len() {
        0 => None,
        1 => met.pop(),
        _ => Some(Value::Array(met)),
    }
}

fn answer(request: &Request, facts: &Value, now: i64) -> Option<Value> {
    let (known, held) =
        (facts.get("verification")?.as_object()?, facts.get("claims")?.as_object()?);
    // §5.7.4: a requirement of the verification that is not met leaves the whole element out.
    let verification = members(&request.verification, known, now)?;
    // §5.7.2, §5.7.4: a claim that is not known, or not what it has to be, is left out.
    let told = request.claims.iter().filter_map(|(name, asked)| {
        let value = held.get(name)?;
        allowed(asked, value, now).then(|| (name.clone(), value.clone()))
    });
    let claims: Map<String, Value> = told.collect();
    // Who asked for claims and gets none learns nothing else instead.
    let something = request.claims.is_empty() || !claims.is_empty();
    something.then(|| json!({"verification": verification, "claims": claims}))
}

/// Members that were asked for and are known; none if one that is required is not so.
fn members(
    asked: &Map<String, Value>,
    known: &Map<String, Value>,
    now: i64,
) -> Option<Map<String, Value>> {
    let mut met = Map::new();
    for (name, asked) in asked {
        match known.get(name) {
            // §5.7.2, unless it has to be something that is not to be had (§5.7.4).
            None if demands(asked) => return None,
            None => {}
            Some(value) => {
                met.insert(name.clone(), part(asked, value, now)?);
            }
        }
    }
    for name in REQUIRED {
        if let Some(value) = known.get(*name) {
            met.insert((*name).to_owned(), value.clone());
        }
    }
    Some(met)
}

fn part(asked: &Value, known: &Value, now: i64) -> Option<Value> {
    match (asked, known) {
        // §5.7.1: that something is essential changes nothing.
        (Value::Object(inner), Value::Object(known))
            if inner.keys().any(|name| name != "essential") =>
        {
            members(inner, known, now).map(Value::Object)
        }
        // §5.4: each entry is a filter and a template; they are linked by OR.
        (Value::Array(filters), Value::Array(pieces)) => {
            let met: Vec<Value> = pieces
                .iter()
                .filter_map(|piece| filters.iter().find_map(|asked| part(asked, piece, now)))
                .collect();
            (!met.is_empty()).then_some(Value::Array(met))
        }
        (Value::Array(_), _) => None,
        (asked, value) => allowed(asked, value, now).then(|| value.clone()),
    }
}

/// §5.5: `value`, `values` and `max_age` of one element. One of another kind than it has to be is
/// met by nothing: restrictions are never ignored.
fn allowed(asked: &Value, value: &Value, now: i64) -> bool {
    let one = asked.get("value").is_none_or(|wanted| wanted == value);
    let among = asked
        .get("values")
        .is_none_or(|list| list.as_array().is_some_and(|list| list.contains(value)));
    one && among && asked.get("max_age").is_none_or(|most| younger(value, most, now))
}

/// §5.5.2: whether a time is at most so many seconds ago.
fn younger(value: &Value, most: &Value, now: i64) -> bool {
    let at = value.as_str().and_then(|text| {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
    });
    let (Some(at), Some(most)) = (at, most.as_f64()) else { return false };
    #[allow(clippy::cast_precision_loss)] // Ages of seconds, far below 2^52.
    let age = now.saturating_sub(at.unix_timestamp()) as f64;
    age <= most
}

/// Whether a request asks for certain values, at any level.
fn demands(asked: &Value) -> bool {
    match asked {
        Value::Object(members) => {
            ["value", "values", "max_age"].iter().any(|name| members.contains_key(*name))
                || members.values().any(demands)
        }
        Value::Array(list) => list.iter().any(demands),
        _ => false,
    }
}

/// Members of the metadata (§8).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({
        "trust_frameworks_supported": [TRUST_FRAMEWORK],
        "evidence_supported": ["electronic_record"],
        "electronic_records_supported": [RECORD],
        "claims_in_verified_claims_supported": SUPPORTED,
    })
}

#[cfg(test)]
mod tests;
