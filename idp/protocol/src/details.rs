//! Authorization details (RFC 9396): what is asked for in particular, where a scope would say too
//! much.
//!
//! This provider knows one type: a look at the cases of some items, or at single cases, instead of
//! all that the scope `cases` opens.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::metadata::Offer;
use crate::{ErrorCode, ProtocolError, target};

/// The type: where the cases of some items stand, or single cases by their number.
pub const CASE_ACCESS: &str = "urn:tongban:case-access";
/// Types that this provider knows (RFC 9396 §10).
pub const TYPES: &[&str] = &[CASE_ACCESS];
/// The group of the consent page.
pub const GROUP: &str = "case-access";
/// What can be done with a case: its state, dates and timeline are read.
const READ: &str = "read";
/// Objects of one request, and members of a list (attacks row 42).
const MOST: usize = 16;

/// `urn:tongban:case-access` (RFC 9396 §2.2: `locations`, `actions`; the rest are the type's own).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseAccess {
    #[serde(rename = "type")]
    kind: String,
    actions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    locations: Vec<String>,
    /// Codes of items: every case of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    items: Vec<String>,
    /// Numbers of cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cases: Vec<String>,
}

/// Cases that details open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Codes of items, each once.
    pub items: Vec<String>,
    /// Numbers of cases, each once.
    pub cases: Vec<String>,
}

impl Reach {
    /// Whether a case may be looked at.
    #[must_use]
    pub fn opens(&self, item: &str, number: &str) -> bool {
        let has = |list: &[String], one: &str| list.iter().any(|known| known == one);
        has(&self.items, item) || has(&self.cases, number)
    }
}

fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidAuthorizationDetails, description)
}

/// Members of the metadata (RFC 9396 §10).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({"authorization_details_types_supported": TYPES})
}

/// Reads the parameter; absent is an empty list.
///
/// # Errors
/// `invalid_authorization_details` for anything that is not wholly understood (RFC 9396 §5).
pub fn read(
    client: &Client,
    text: Option<&str>,
    issuer: &str,
) -> Result<Vec<Value>, ProtocolError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let malformed = || refuse("The authorization_details are no JSON array of objects.");
    // RFC 9396 §2: an array of objects.
    let sent: Vec<Value> = serde_json::from_str(text).map_err(|_| malformed())?;
    if sent.is_empty() || sent.len() > MOST {
        return Err(refuse("The authorization_details are none or too many."));
    }
    let mut details = Vec::with_capacity(sent.len());
    for value in sent {
        // RFC 9396 §2: type is required.
        let kind = value.get("type").and_then(Value::as_str).ok_or_else(malformed)?;
        // RFC 9396 §5: unknown types, and (§10) such as the client has not registered.
        let registered = client.authorization_details_types.iter().any(|known| known == kind);
        if kind != CASE_ACCESS || !registered {
            return Err(refuse("A type of authorization_details is unknown or not registered."));
        }
        let detail: CaseAccess = serde_json::from_value(value)
            .map_err(|_| refuse("The authorization_details have unknown or malformed fields."))?;
        detail.check(issuer)?;
        details.push(serde_json::to_value(detail).map_err(|_| malformed())?);
    }
    Ok(details)
}

impl CaseAccess {
    fn check(&self, issuer: &str) -> Result<(), ProtocolError> {
        // RFC 9396 §5: values that the type does not know.
        if self.actions.as_slice() != [READ] {
            return Err(refuse("The only action of authorization_details is read."));
        }
        if self.items.is_empty() && self.cases.is_empty() {
            return Err(refuse("The authorization_details name neither items nor cases."));
        }
        let lists = [&self.locations, &self.items, &self.cases];
        if lists.iter().any(|list| list.len() > MOST) {
            return Err(refuse("A list of authorization_details is too long."));
        }
        // RFC 9396 §2.2: the cases stand here and nowhere else.
        if !self.locations.iter().all(|place| target::ours(place, issuer)) {
            return Err(refuse("A location of authorization_details is not this provider."));
        }
        // They are shown on the consent page and kept as words (attacks rows 34, 37).
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let code = |text: &String| (1..=80).contains(&text.len()) && text.bytes().all(plain);
        if self.items.iter().chain(&self.cases).all(code) {
            return Ok(());
        }
        Err(refuse("An item or case of authorization_details is malformed."))
    }
}

/// What details permit, one word each, without spaces: more words are more rights.
#[must_use]
pub fn words(details: &[Value]) -> Vec<String> {
    let Reach { items, cases } = reach(details);
    let items = items.into_iter().map(|code| format!("case:read:item:{code}"));
    items.chain(cases.into_iter().map(|number| format!("case:read:number:{number}"))).collect()
}

/// Whether a word of a remembered consent is one of [`words`].
#[must_use]
pub fn is_word(word: &str) -> bool {
    word.starts_with("case:")
}

/// Cases that details open.
#[must_use]
pub fn reach(details: &[Value]) -> Reach {
    let mut reach = Reach::default();
    for detail in details.iter().filter(|detail| detail["type"] == CASE_ACCESS) {
        let lists = [("items", &mut reach.items), ("cases", &mut reach.cases)];
        for (name, known) in lists {
            let texts = detail[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            for text in texts {
                if !known.iter().any(|one| one == text) {
                    known.push(text.to_owned());
                }
            }
        }
    }
    reach
}

/// What is left of `granted` when a token request asks for `asked` (RFC 9396 §6.1).
///
/// # Errors
/// `invalid_authorization_details` for anything that was not granted.
pub fn narrow(granted: &[Value], asked: Vec<Value>) -> Result<Vec<Value>, ProtocolError> {
    let rights = words(granted);
    if words(&asked).iter().all(|word| rights.contains(word)) {
        return Ok(asked);
    }
    Err(refuse("The authorization_details are wider than what was granted."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ISSUER: &str = "https://id.example";

    fn client() -> Client {
        let registration = json!({"redirect_uris": ["https://a.example/cb"],
            "authorization_details_types": [CASE_ACCESS]});
        Client::from_json(registration).unwrap()
    }

    fn one(extra: Value) -> Value {
        let mut detail = json!({"type": CASE_ACCESS, "actions": ["read"], "items": ["a.b"]});
        detail.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        detail
    }

    fn details(value: &Value) -> Result<Vec<Value>, ProtocolError> {
        read(&client(), Some(&value.to_string()), ISSUER)
    }

    #[test]
    fn rfc_9396_5_what_is_not_wholly_understood_is_refused() {
        let good = json!([one(json!({"cases": ["X-1"], "locations": [ISSUER]}))]);
        assert_eq!(details(&good).unwrap(), *good.as_array().unwrap());
        for bad in [
            json!([]),
            json!({"type": CASE_ACCESS}),
            json!(["x"]),
            json!([{"actions": ["read"], "items": ["a"]}]),
            json!([one(json!({"type": "urn:x"}))]),
            json!([one(json!({"actions": []}))]),
            json!([one(json!({"actions": ["read", "write"]}))]),
            json!([one(json!({"items": []}))]),
            json!([one(json!({"items": ["a b"]}))]),
            json!([one(json!({"items": [7]}))]),
            json!([one(json!({"cases": ["<b>"]}))]),
            json!([one(json!({"privileges": ["admin"]}))]),
            json!([one(json!({"locations": ["https://other.example"]}))]),
            json!([one(json!({})), one(json!({"datatypes": []}))]),
        ] {
            let error = details(&bad).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidAuthorizationDetails, "{bad}");
        }
    }

    #[test]
    fn attack_42_lists_are_bounded() {
        let many: Vec<String> = (0..17).map(|n| format!("i{n}")).collect();
        assert!(details(&json!([one(json!({"items": many}))])).is_err());
        let objects: Vec<Value> = (0..17).map(|_| one(json!({}))).collect();
        assert!(details(&json!(objects)).is_err());
        let deep = "[".repeat(4000);
        assert!(read(&client(), Some(&deep), ISSUER).is_err());
    }

    #[test]
    fn rfc_9396_10_a_client_registers_its_types() {
        let plain = Client::from_json(json!({"redirect_uris": ["https://a.example/cb"]})).unwrap();
        let text = json!([one(json!({}))]).to_string();
        assert!(read(&plain, Some(&text), ISSUER).is_err());
        assert!(read(&plain, None, ISSUER).unwrap().is_empty());
    }

    #[test]
    fn rfc_9396_6_1_a_token_request_narrows_and_never_widens() {
        let granted = vec![one(json!({"items": ["a", "b"], "cases": ["1"]}))];
        let asked = vec![one(json!({"items": ["b"]}))];
        assert_eq!(narrow(&granted, asked.clone()).unwrap(), asked);
        for wider in [json!({"items": ["c"]}), json!({"items": ["a"], "cases": ["2"]})] {
            assert!(narrow(&granted, vec![one(wider)]).is_err());
        }
        assert!(narrow(&[], asked).is_err());
    }

    #[test]
    fn details_open_the_cases_that_they_name() {
        let reach = reach(&[one(json!({"items": ["a"]})), one(json!({"cases": ["7"]}))]);
        assert!(reach.opens("a", "1") && reach.opens("x", "7") && reach.opens("a.b", "1"));
        assert!(!reach.opens("x", "1") && !reach.opens("7", "a"));
    }

    proptest! {
        #[test]
        fn outside_text_never_panics_and_what_is_taken_is_taken_again(text: String, name: String) {
            let _ = read(&client(), Some(&text), ISSUER);
            let value = json!([one(json!({"items": [name]}))]);
            if let Ok(taken) = details(&value) {
                prop_assert_eq!(details(&json!(taken)).unwrap(), taken);
            }
        }
    }
}
