//! Claims: which scope asks for which, and the `claims` parameter (OpenID Connect Core §5.4, §5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProtocolError;
use crate::scope::Scope;
use crate::verified;

/// Scope and its claims. `identity` is ours: the verified document, masked, and what follows of it.
pub const BY_SCOPE: &[(&str, &[&str])] = &[
    ("profile", &["name", "gender", "birthdate", "locale", "zoneinfo", "updated_at"]),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("identity", &["number_masked", "region", "age_over_16", "age_over_18"]),
    ("staff", &["staff_id", "staff_name", "staff_role"]),
];

/// All claims that this provider can release, for the metadata.
pub const SUPPORTED: &[&str] = &[
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "sid",
    "proofing_level",
    "auth_level",
    "name",
    "gender",
    "birthdate",
    "locale",
    "zoneinfo",
    "updated_at",
    "email",
    "email_verified",
    "address",
    "phone_number",
    "phone_number_verified",
    "number_masked",
    "region",
    "age_over_16",
    "age_over_18",
];

/// Names in one `claims` parameter.
const MOST: usize = 48;

/// What one member of the `claims` parameter asks of a claim (OpenID Connect Core §5.5.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The client cannot go on smoothly without it.
    #[serde(default)]
    pub essential: bool,
    /// Only these values are of use; text only.
    #[serde(default)]
    pub values: Vec<String>,
}

/// The `claims` parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// For the ID token.
    #[serde(default)]
    pub id_token: BTreeMap<String, Wish>,
    /// For the userinfo endpoint.
    #[serde(default)]
    pub userinfo: BTreeMap<String, Wish>,
    /// Verified claims for the ID token (OpenID Connect for Identity Assurance §5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_verified: Vec<verified::Request>,
    /// Verified claims for the userinfo endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo_verified: Vec<verified::Request>,
}

impl ClaimsRequest {
    /// Parses the parameter.
    ///
    /// # Errors
    /// `invalid_request` for text that is not JSON of this shape or too large (attacks row 42).
    pub fn parse(text: Option<&str>) -> Result<Self, ProtocolError> {
        let wrong = ProtocolError::invalid_request("The claims parameter is malformed.");
        let Some(text) = text else { return Ok(Self::default()) };
        // serde_json bounds nesting itself; the parameter's length is bounded by its parser.
        let value: Value = serde_json::from_str(text).map_err(|_| wrong.clone())?;
        let object = value.as_object().ok_or(wrong.clone())?;
        let read = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(BTreeMap::new()),
            Some(Value::Object(members)) if members.len() <= MOST => members
                .iter()
                .filter(|(name, _)| *name != verified::NAME)
                .map(|(name, wish)| Ok((name.clone(), self::wish(wish).ok_or(wrong.clone())?)))
                .collect(),
            Some(_) => Err(wrong.clone()),
        };
        let proven = |name: &str| {
            let asked = object.get(name).and_then(|member| member.get(verified::NAME));
            asked.map_or(Some(Vec::new()), verified::read).ok_or(wrong.clone())
        };
        Ok(Self {
            id_token: read("id_token")?,
            userinfo: read("userinfo")?,
            id_token_verified: proven("id_token")?,
            userinfo_verified: proven("userinfo")?,
        })
    }

    /// What a client may ask for: claims that this provider has, and of those about the person only
    /// the ones whose scope is registered for the client. The rest is ignored (OpenID Connect Core
    /// §5.5): naming a claim must not reach further than naming its scope.
    #[must_use]
    pub fn only(mut self, registered: &Scope) -> Self {
        for member in [&mut self.id_token, &mut self.userinfo] {
            member.retain(|name, _| {
                SUPPORTED.contains(&name.as_str())
                    && group(name).is_none_or(|scope| registered.has(scope))
            });
        }
        verified::only(&mut self.id_token_verified, registered);
        verified::only(&mut self.userinfo_verified, registered);
        self
    }

    /// What is asked for as verified, wherever.
    pub fn verified(&self) -> impl Iterator<Item = &verified::Request> {
        self.id_token_verified.iter().chain(&self.userinfo_verified)
    }

    /// Subjects of which one must be the person's (OpenID Connect Core §5.5.1: a `sub` with a value
    /// is a demand like `id_token_hint`); empty: anyone.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        self.id_token.get("sub").map_or(&[], |wish| &wish.values)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.id_token.is_empty() && self.userinfo.is_empty() && self.verified().next().is_none()
    }
}

fn wish(value: &Value) -> Option<Wish> {
    match value {
        Value::Null => Some(Wish::default()),
        Value::Object(members) => {
            let essential = match members.get("essential") {
                None => false,
                Some(value) => value.as_bool()?,
            };
            let mut values = Vec::new();
            // Values that are not text (a number for max_age) do not narrow anything here.
            values.extend(members.get("value").and_then(Value::as_str).map(str::to_owned));
            if let Some(list) = members.get("values") {
                let list = list.as_array().filter(|list| list.len() <= MOST)?;
                values.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(Wish { essential, values })
        }
        _ => None,
    }
}

/// Claims that the userinfo endpoint releases for a scope and a `claims` parameter.
#[must_use]
pub fn for_userinfo(scope: &Scope, request: &ClaimsRequest) -> Vec<String> {
    let mut names: Vec<String> = BY_SCOPE
        .iter()
        .filter(|(word, _)| scope.has(word))
        .flat_map(|(_, claims)| claims.iter().map(|&claim| claim.to_owned()))
        .collect();
    for name in request.userinfo.keys() {
        if SUPPORTED.contains(&name.as_str()) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Claims about the person that the ID token holds because they were asked for there by name
/// (OpenID Connect Core §5.5); a scope alone puts nothing into it (§5.4, response type `code`).
#[must_use]
pub fn for_id_token(request: &ClaimsRequest) -> Vec<String> {
    let about_person = |name: &&String| group(name).is_some() && SUPPORTED.contains(&name.as_str());
    request.id_token.keys().filter(about_person).cloned().collect()
}

/// The scope whose consent line covers a claim; claims of the protocol itself need none.
#[must_use]
pub fn group(claim: &str) -> Option<&'static str> {
    BY_SCOPE.iter().find(|(_, claims)| claims.contains(&claim)).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn core_5_5_members_are_null_or_objects() {
        let text = r#"{"userinfo":{"name":{"essential":true},"x":null},"id_token":{"acr":{"values":["a"]}}}"#;
        let request = ClaimsRequest::parse(Some(text)).unwrap();
        assert!(request.userinfo["name"].essential);
        assert_eq!(request.id_token["acr"].values, ["a"]);
        assert!(ClaimsRequest::parse(Some("{\"userinfo\":[]}")).is_err());
        assert!(ClaimsRequest::parse(Some("[]")).is_err());
        assert!(ClaimsRequest::parse(Some("{")).is_err());
        let names = for_userinfo(&Scope::parse("openid email").unwrap(), &request);
        assert_eq!(names, ["email", "email_verified", "name"]);
    }

    #[test]
    fn attack_42_deep_json_is_refused() {
        let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
        assert!(ClaimsRequest::parse(Some(&format!("{{\"userinfo\":{{\"a\":{deep}}}}}"))).is_err());
    }

    #[test]
    fn core_5_5_a_named_claim_reaches_no_further_than_its_scope() {
        let text = r#"{"userinfo":{"phone_number":null,"name":null,"staff_id":null,"made_up":null},
            "id_token":{"acr":null,"email":null,"name":null,"sub":{"value":"s"}}}"#;
        let request = ClaimsRequest::parse(Some(text)).unwrap();
        let request = request.only(&Scope::parse("openid profile staff").unwrap());
        assert_eq!(request.userinfo.keys().collect::<Vec<_>>(), ["name"]);
        assert_eq!(request.id_token.keys().collect::<Vec<_>>(), ["acr", "name", "sub"]);
        assert_eq!(for_id_token(&request), ["name"]);
        assert_eq!(request.subjects(), ["s"]);
    }

    #[test]
    fn claims_of_a_scope_are_published_but_those_of_staff() {
        for (scope, claims) in BY_SCOPE {
            for claim in *claims {
                assert_eq!(SUPPORTED.contains(claim), *scope != "staff", "{claim}");
            }
        }
    }

    #[test]
    fn attack_42_too_many_names_are_refused() {
        let names: Vec<_> = (0..49).map(|n| format!("\"c{n}\":null")).collect();
        let text = format!("{{\"userinfo\":{{{}}}}}", names.join(","));
        assert!(ClaimsRequest::parse(Some(&text)).is_err());
    }

    fn wishes() -> impl Strategy<Value = BTreeMap<String, Wish>> {
        let wish = (any::<bool>(), proptest::collection::vec("[a-z:]{0,9}", 0..4))
            .prop_map(|(essential, values)| Wish { essential, values });
        proptest::collection::btree_map("[a-z_]{1,9}", wish, 0..8)
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(id_token in wishes(), userinfo in wishes()) {
            let request = ClaimsRequest { id_token, userinfo, ..ClaimsRequest::default() };
            let text = serde_json::to_string(&request).unwrap();
            prop_assert_eq!(ClaimsRequest::parse(Some(&text)).unwrap(), request);
        }

        #[test]
        fn outside_text_never_panics(text: String) {
            let _ = ClaimsRequest::parse(Some(&text));
        }
    }
}
