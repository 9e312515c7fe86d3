//! Verified claims (OpenID Connect for Identity Assurance 1.0): what a partner asks to know as
//! proven, and how that is picked from what a record proves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::claims::{Wish, group, wish};
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

/// Requests in one member of the `claims` parameter.
const MOST: usize = 8;

/// Names in one request.
const NAMES: usize = 48;

/// Levels of a request for verification.
const DEEPEST: usize = 8;

/// One request (IDA §5.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What has to be told of the verification, and what it has to be.
    pub verification: Map<String, Value>,
    /// Claims.
    pub claims: BTreeMap<String, Wish>,
}

/// Reads the member: an object, or an array of them (IDA §5.3.6). None if it has another shape.
#[must_use]
pub(crate) fn read(value: &Value) -> Option<Vec<Request>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Object(_) => Some(vec![one(value)?]),
        Value::Array(list) if list.len() <= MOST => list.iter().map(one).collect(),
        _ => None,
    }
}

fn one(value: &Value) -> Option<Request> {
    let object = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(members)) if members.len() <= NAMES => Some(members.clone()),
        Some(_) => None,
    };
    let verification = object("verification")?;
    // Attacks row 42.
    if verification.values().any(|value| depth(value) > DEEPEST) {
        return None;
    }
    let claims = object("claims")?;
    let claims = claims.iter().map(|(name, asked)| Some((name.clone(), wish(asked)?)));
    Some(Request { verification, claims: claims.collect::<Option<_>>()? })
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(members) => members.values().map(depth).max(),
        Value::Array(list) => list.iter().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// Leaves what a client may ask for: claims whose scope is registered for it, and requests that
/// still name one. What is not known is no error (IDA §5.3.7).
pub(crate) fn only(requests: &mut Vec<Request>, registered: &Scope) {
    for request in requests.iter_mut() {
        request.claims.retain(|name, _| {
            SUPPORTED.contains(&name.as_str())
                && group(name).is_none_or(|scope| registered.has(scope))
        });
    }
    requests.retain(|request| !request.claims.is_empty());
}

/// What of `facts`, a whole `verified_claims` element, answers the requests: nothing, one element,
/// or an array of them where several were asked for and met. `now` is seconds of Unix time.
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
    let known = facts.get("verification")?.as_object()?;
    // IDA §5.5.1: a requirement that is not met leaves the whole element out.
    let mut verification = object(&request.verification, known, now)?;
    // IDA §5.1: every verification names its framework.
    let framework = known.get("trust_framework")?;
    verification.insert("trust_framework".to_owned(), framework.clone());
    let mut claims = Map::new();
    for (name, wish) in &request.claims {
        let Some(value) = facts.get("claims").and_then(|claims| claims.get(name)) else { continue };
        // IDA §5.5.2: a claim of another value is left out.
        let wanted = wish.values.is_empty()
            || wish.values.iter().any(|wished| value.as_str() == Some(wished));
        if wanted {
            claims.insert(name.clone(), value.clone());
        }
    }
    // IDA §5.1: an element without claims says nothing.
    (!claims.is_empty()).then(|| json!({"verification": verification, "claims": claims}))
}

/// Members that were asked for and are known; none if one that is required is not so.
fn object(
    request: &Map<String, Value>,
    known: &Map<String, Value>,
    now: i64,
) -> Option<Map<String, Value>> {
    let mut met = Map::new();
    for (name, asked) in request {
        match (asked, known.get(name)) {
            // IDA §5.3.7: what is not known is left out, unless it is required to be something.
            (asked, None) if demands(asked) => return None,
            (_, None) => {}
            (asked, Some(value)) => {
                met.insert(name.clone(), part(asked, value, now)?);
            }
        }
    }
    Some(met)
}

fn part(asked: &Value, known: &Value, now: i64) -> Option<Value> {
    match (asked, known) {
        (Value::Object(asked), Value::Object(known)) => {
            if asked.is_empty() {
                return Some(Value::Object(known.clone()));
            }
            object(asked, known, now).map(Value::Object)
        }
        // IDA §5.3.3: each entry asks for pieces of evidence of its kind; one has to be there.
        (Value::Array(asked), Value::Array(known)) => {
            let pieces = known
                .iter()
                .filter_map(|piece| asked.iter().find_map(|asked| part(asked, piece, now)));
            let pieces: Vec<Value> = pieces.collect();
            (asked.is_empty() || !pieces.is_empty()).then_some(Value::Array(pieces))
        }
        (Value::Object(asked), value) => allowed(asked, value, now).then(|| value.clone()),
        (_, value) => Some(value.clone()),
    }
}

/// IDA §5.5.1: `value`, `values` and `max_age` of one element.
fn allowed(asked: &Map<String, Value>, value: &Value, now: i64) -> bool {
    if asked.get("value").is_some_and(|wanted| wanted != value) {
        return false;
    }
    if let Some(list) = asked.get("values").and_then(Value::as_array)
        && !list.contains(value)
    {
        return false;
    }
    let Some(seconds) = asked.get("max_age").and_then(Value::as_i64) else { return true };
    let at = value.as_str().and_then(|text| {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
    });
    at.is_some_and(|at| now.saturating_sub(at.unix_timestamp()) <= seconds)
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

/// Members of the metadata (IDA §9).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({
        "verified_claims_supported": true,
        "trust_frameworks_supported": [TRUST_FRAMEWORK],
        "evidence_supported": ["electronic_record"],
        "electronic_records_supported": [RECORD],
        "claims_in_verified_claims_supported": SUPPORTED,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn facts() -> Value {
        json!({
            "verification": {
                "trust_framework": TRUST_FRAMEWORK, "assurance_level": "3",
                "time": "2026-11-24T00:00:00Z",
                "evidence": [{"type": "electronic_record", "record": {"type": RECORD}}],
            },
            "claims": {"name": "林小满", "birthdate": "1950-01-01"},
        })
    }

    fn asked(value: Value) -> Option<Value> {
        let mut requests = read(&value).unwrap();
        only(&mut requests, &Scope::parse("openid profile").unwrap());
        select(&requests, &facts(), NOW)
    }

    #[test]
    fn ida_5_3_what_is_asked_for_is_told_and_nothing_else() {
        let told = asked(json!({
            "verification": {"trust_framework": null, "nonsense": null},
            "claims": {"name": null, "birthdate": {"essential": false}, "made_up": {"essential": true}},
        }));
        assert_eq!(
            told.unwrap(),
            json!({"verification": {"trust_framework": TRUST_FRAMEWORK},
                "claims": {"name": "林小满", "birthdate": "1950-01-01"}})
        );
        let told = asked(json!({"verification": {"trust_framework": null, "time": {},
            "evidence": [{"type": {"value": "electronic_record"}, "record": {"type": null}}]},
            "claims": {"name": null}}))
        .unwrap();
        assert_eq!(told["verification"], {
            let mut all = facts()["verification"].clone();
            all.as_object_mut().unwrap().remove("assurance_level");
            all
        });
    }

    #[test]
    fn ida_5_5_1_a_requirement_that_is_not_met_leaves_all_out() {
        for verification in [
            json!({"trust_framework": {"value": "de_aml"}}),
            json!({"trust_framework": {"values": ["de_aml", "eidas"]}}),
            json!({"trust_framework": null, "time": {"max_age": 10}}),
            json!({"trust_framework": null, "made_up": {"value": "x"}}),
            json!({"trust_framework": null, "evidence": [{"type": {"value": "document"}}]}),
        ] {
            let told = asked(json!({"verification": verification, "claims": {"name": null}}));
            assert_eq!(told, None, "{verification}");
        }
        let long =
            json!({"trust_framework": {"value": TRUST_FRAMEWORK}, "time": {"max_age": 63_113_852}});
        assert!(asked(json!({"verification": long, "claims": {"name": null}})).is_some());
    }

    #[test]
    fn ida_5_5_2_a_claim_of_another_value_is_left_out() {
        let told = asked(json!({"verification": {"trust_framework": null},
            "claims": {"name": {"value": "x"}, "birthdate": null}}));
        assert_eq!(told.unwrap()["claims"], json!({"birthdate": "1950-01-01"}));
        assert_eq!(asked(json!({"verification": {}, "claims": {"name": {"value": "x"}}})), None);
    }

    #[test]
    fn ida_5_3_6_of_several_requests_those_that_are_met_are_answered() {
        let of = |framework: &str| json!({"verification": {"trust_framework": {"value": framework}}, "claims": {"name": null}});
        assert!(asked(json!([of("x"), of(TRUST_FRAMEWORK)])).unwrap().is_object());
        assert_eq!(
            asked(json!([of(TRUST_FRAMEWORK), of(TRUST_FRAMEWORK)]))
                .unwrap()
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn attack_34_a_verified_claim_reaches_no_further_than_its_scope() {
        let sent = json!({"verification": {}, "claims": {"name": null}});
        let mut requests = read(&sent).unwrap();
        only(&mut requests, &Scope::parse("openid phone").unwrap());
        assert!(requests.is_empty());
    }

    #[test]
    fn attack_42_deep_wide_and_misshapen_requests_are_refused() {
        let mut deep = json!(null);
        for _ in 0..12 {
            deep = json!({"a": deep});
        }
        assert!(read(&json!({"verification": {"x": deep}, "claims": {}})).is_none());
        assert!(read(&json!(vec![json!({}); 9])).is_none());
        for odd in [json!(1), json!("x"), json!({"claims": []}), json!([null])] {
            assert!(read(&odd).is_none() || odd == json!([null]), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn outside_text_never_panics(text: String, name in "[a-z_]{1,12}") {
            let value = json!({"verification": {name.clone(): {"value": text}}, "claims": {name: null}});
            let requests = read(&value).unwrap();
            let _ = select(&requests, &facts(), NOW);
        }
    }
}
