//! Clients that register and manage themselves (RFC 7591, RFC 7592, OpenID Connect Registration).
//!
//! What a client sends is read as a whole, each time, against what only the operator may say
//! (attacks row 38).

use serde_json::{Map, Value, json};

use super::{Client, DEFAULT_SCOPE, Policy, SubjectType};
use crate::ErrorCode;
use crate::metadata::Offer;
use crate::scope::Scope;

/// Members that only the operator gives: whose house the client is of, under which sector it knows
/// people, for whose resources it has tokens, whose it learns of, who acts with them. What a client
/// says of them is left out, as RFC 7591 §2 lets a server do with any member.
const OPERATORS: &[&str] =
    &["legal_basis", "sector", "sector_identifier", "resources", "introspects", "may_act"];
/// Grants that only the operator gives.
const OPERATORS_GRANTS: [&str; 2] = [crate::exchange::GRANT, crate::assertion::GRANT];
/// Members of our answers, which a client sends back (RFC 7592 §2.2).
const ANSWERED: &[&str] = &[
    "client_id",
    "client_secret",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

/// Why a registration was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2).
    pub code: ErrorCode,
    /// Sentences, in ASCII without quotes, nothing of what the client sent.
    pub description: String,
}

impl Refusal {
    /// Of faults.
    #[must_use]
    pub fn of(faults: &[String]) -> Self {
        let redirect = faults.iter().any(|fault| fault.starts_with("`redirect_uris`"));
        let code =
            if redirect { ErrorCode::InvalidRedirectUri } else { ErrorCode::InvalidClientMetadata };
        // RFC 6749 §5.2: the characters of a description.
        let plain = |character: char| match character {
            ' '..='~' if !['"', '\\'].contains(&character) => character,
            _ => '?',
        };
        let description = faults.join(" ").chars().take(1000).map(plain).collect();
        Self { code, description }
    }

    /// Of one fault.
    #[must_use]
    pub fn because(fault: &str) -> Self {
        Self::of(&[fault.to_owned()])
    }
}

/// What stands before a write: who vouches for the client, and what it is so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing<'c> {
    /// Somebody had an initial access token of the operator's.
    pub vouched: bool,
    /// The registration that is overwritten.
    pub before: Option<&'c Client>,
}

/// Reads what a client sent about itself.
///
/// # Errors
/// [`Refusal`] with all faults.
pub fn read(sent: &Value, standing: Standing<'_>) -> Result<Client, Refusal> {
    let Value::Object(sent) = sent else {
        return Err(Refusal::because("The registration must be a JSON object."));
    };
    let mut members: Map<String, Value> = sent
        .iter()
        .filter(|(name, value)| {
            // RFC 7592 §2.2: null is as if it were absent.
            !value.is_null()
                && !OPERATORS.contains(&name.as_str())
                && !ANSWERED.contains(&name.as_str())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let wished = match members.get("policy").map(|policy| policy.as_str().unwrap_or_default()) {
        None | Some("openid") => Policy::Openid,
        Some("fapi2") => Policy::Fapi2,
        Some("fapi2-message-signing") => Policy::Fapi2MessageSigning,
        Some(_) => return Err(Refusal::because("`policy`: openid, fapi2, fapi2-message-signing.")),
    };
    let policy = strictest(standing.before.map(|before| before.policy), wished);
    members.insert("policy".to_owned(), json!(policy));
    if let Some(before) = standing.before {
        keep(&mut members, before);
    }
    let sent = Value::Object(members);
    if serde_json::from_value::<Client>(sent.clone()).is_err() {
        return Err(Refusal::because("A member has a value of the wrong kind."));
    }
    let mut client = Client::from_json(sent).map_err(|faults| Refusal::of(&faults))?;
    // OpenID Connect Core §8.1: whoever moves to another sector would know nobody again.
    if standing.before.is_some_and(|before| moves(before, &client)) {
        return Err(Refusal::because(
            "The sector would change, and every `sub` with it: keep it by a \
             `sector_identifier_uri`, ask the operator, or register anew.",
        ));
    }
    // Attacks row 33: nobody knocks at people's devices whom nobody vouches for.
    let given = standing.before.is_some_and(|before| before.may(crate::ciba::GRANT));
    if client.may(crate::ciba::GRANT) && !standing.vouched && !given {
        return Err(Refusal::because("`grant_types`: the back channel is for known partners."));
    }
    // Attacks row 39: to act for people who are absent is the operator's to give.
    for grant in OPERATORS_GRANTS {
        let given = standing.before.is_some_and(|before| before.may(grant));
        if client.may(grant) && !given {
            return Err(Refusal::because("`grant_types`: one of them is the operator's to give."));
        }
    }
    client.scope = allowed(&client, standing).words().collect::<Vec<_>>().join(" ");
    Ok(client)
}

/// Whether subjects that were given out would change.
fn moves(before: &Client, after: &Client) -> bool {
    let pairwise = before.subject_type == SubjectType::Pairwise;
    let elsewhere =
        before.subject_type != after.subject_type || pairwise && before.sector() != after.sector();
    before.sector().is_some() && elsewhere
}

/// What the operator has said stays.
fn keep(members: &mut Map<String, Value>, before: &Client) {
    members.insert("client_id".to_owned(), json!(before.client_id));
    for (name, value) in [("legal_basis", &before.legal_basis), ("sector", &before.sector)] {
        if let Some(value) = value {
            members.insert(name.to_owned(), json!(value));
        }
    }
    for (name, list) in [
        ("resources", &before.resources),
        ("introspects", &before.introspects),
        ("may_act", &before.may_act),
    ] {
        if !list.is_empty() {
            members.insert(name.to_owned(), json!(list));
        }
    }
}

/// A client may bind itself to stricter rules, never loosen them.
fn strictest(before: Option<Policy>, wished: Policy) -> Policy {
    match (before, wished) {
        (None | Some(Policy::Openid), wished) => wished,
        (Some(Policy::Fapi2), Policy::Fapi2MessageSigning) => wished,
        (Some(before), _) => before,
    }
}

/// For a client that nobody vouches for: what stock libraries ask for, and what the operator has
/// given it since. The verified document is not among it.
fn allowed(client: &Client, standing: Standing<'_>) -> Scope {
    let scope = client.scopes();
    if standing.vouched {
        return scope;
    }
    let usual = Scope::parse(DEFAULT_SCOPE).unwrap_or_default();
    let given = standing.before.map(Client::scopes).unwrap_or_default();
    let kept = |word: &str| usual.has(word) || given.has(word);
    scope.words().filter(|word| !kept(word)).fold(scope.clone(), |rest, word| rest.without(word))
}

/// A registration as its client may see it (RFC 7591 §3.2.1).
#[must_use]
pub fn shown(client: &Client) -> Value {
    let mut value = serde_json::to_value(client).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        for name in OPERATORS {
            members.remove(*name);
        }
    }
    value
}

/// Members of the metadata (OpenID Connect Discovery §3).
pub(crate) fn metadata(offer: &Offer) -> Value {
    if offer.registration {
        json!({"registration_endpoint": offer.at("/oauth2/register")})
    } else {
        json!({})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(more: Value) -> Value {
        let mut value = json!({"redirect_uris": ["https://a.example/cb"]});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    }

    const VOUCHED: Standing<'_> = Standing { vouched: true, before: None };

    #[test]
    fn rfc_7591_2_unknown_members_are_ignored_and_ours_are_not_the_clients() {
        let all = json!({"extra": {"deep": [1]}, "client_id": "mine", "client_secret": "s",
            "tos_uri": null, "legal_basis": "x", "sector": "other.example",
            "sector_identifier": "other.example", "resources": ["https://r.example"],
            "introspects": ["https://r.example"],
            "may_act": ["other"]});
        let client = read(&sent(all), VOUCHED).unwrap();
        assert_eq!(client.client_id, "");
        assert_eq!(client.legal_basis, None);
        assert_eq!(client.sector().as_deref(), Some("a.example"));
        assert!(client.resources.is_empty() && client.may_act.is_empty());
        assert!(client.introspects.is_empty());
    }

    #[test]
    fn rfc_7591_3_2_2_the_code_says_whose_fault_it_is() {
        let code = |value: Value| read(&value, VOUCHED).unwrap_err().code;
        assert_eq!(
            code(json!({"redirect_uris": ["https://a.example/#x"]})),
            ErrorCode::InvalidRedirectUri
        );
        assert_eq!(code(json!({})), ErrorCode::InvalidRedirectUri);
        for value in [
            json!([]),
            json!({"redirect_uris": "x"}),
            sent(json!({"grant_types": ["password"]})),
            sent(json!({"policy": "ciba"})),
            sent(json!({"policy": 1})),
        ] {
            assert_eq!(code(value.clone()), ErrorCode::InvalidClientMetadata, "{value}");
        }
    }

    #[test]
    fn attack_38_nothing_of_the_operators_can_be_had_by_registering() {
        assert!(read(&sent(json!({"scope": "openid staff"})), VOUCHED).is_err());
        let open = Standing::default();
        let scope = "openid profile identity cases";
        let knock = json!({"grant_types": [crate::ciba::GRANT],
            "backchannel_token_delivery_mode": "poll"});
        assert!(read(&sent(knock.clone()), open).is_err());
        assert!(read(&sent(knock), VOUCHED).is_ok());
        // Attacks row 39: whoever is vouched for speaks for itself, not for people who are absent.
        for grant in OPERATORS_GRANTS {
            let key = json!({"keys": [{"kty": "OKP", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
            let wish = sent(json!({"grant_types": ["authorization_code", grant], "jwks": key}));
            let refusal = read(&wish, VOUCHED).unwrap_err();
            assert!(refusal.description.contains("operator"), "{refusal:?}");
            let given = json!({"client_id": "c", "grant_types": ["authorization_code", grant],
                "redirect_uris": ["https://a.example/cb"], "jwks": key});
            let before = Client::from_json(given).unwrap();
            let standing = Standing { vouched: false, before: Some(&before) };
            assert!(read(&wish, standing).is_ok(), "{grant}");
        }
        let client = read(&sent(json!({"scope": scope})), open).unwrap();
        assert_eq!(client.scope, "openid profile");
        assert_eq!(read(&sent(json!({"scope": scope})), VOUCHED).unwrap().scope, scope);
    }

    #[test]
    fn attack_38_an_update_is_no_way_around_the_policy() {
        let key = {
            let pkcs8 = crate::jose::generate(crate::jose::Algorithm::Es256).unwrap();
            crate::jose::Signer::new(crate::jose::Algorithm::Es256, &pkcs8).unwrap().jwk().clone()
        };
        let strong = json!({"policy": "fapi2", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [key]}});
        let mut before = read(&sent(strong.clone()), VOUCHED).unwrap();
        before.client_id = "c".to_owned();
        before.legal_basis = Some("operator".to_owned());
        before.sector = Some("s.example".to_owned());
        before.resources = vec!["https://r.example".to_owned()];
        before.introspects = before.resources.clone();
        before.may_act = vec!["s".to_owned()];
        before.scope = "openid cases".to_owned();
        let standing = Standing { vouched: false, before: Some(&before) };
        // Weaker authentication under the looser policy that it names: still measured by its own.
        assert!(read(&sent(json!({"policy": "openid"})), standing).is_err());
        let mut again = strong;
        again["policy"] = json!("openid");
        again["scope"] = json!("openid cases identity");
        let after = read(&sent(again), standing).unwrap();
        assert_eq!(after.policy, Policy::Fapi2);
        assert_eq!(after.client_id, "c");
        assert_eq!(after.legal_basis.as_deref(), Some("operator"));
        assert_eq!(after.sector.as_deref(), Some("s.example"));
        assert_eq!(after.resources, ["https://r.example"]);
        assert_eq!(after.introspects, ["https://r.example"]);
        assert_eq!(after.may_act, ["s"]);
        assert!(shown(&after).get("may_act").is_none());
        assert_eq!(after.scope, "openid cases");
        assert!(shown(&after).get("legal_basis").is_none());
        assert!(shown(&after).get("sector").is_none());
    }

    proptest! {
        #[test]
        fn rfc_6749_5_2_a_description_is_plain_whatever_was_sent(text: String, name in "[a-z_]{1,30}") {
            let value = sent(json!({name: text, "grant_types": [text], "client_name": text}));
            if let Err(refusal) = read(&value, VOUCHED) {
                let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
                prop_assert!(refusal.description.bytes().all(plain));
            }
        }
    }

    #[test]
    fn core_8_nobody_moves_to_another_sector_unawares() {
        let before = Client::from_json(sent(json!({"client_id": "c"}))).unwrap();
        let standing = |before| Standing { before: Some(before), ..Standing::default() };
        let moved = json!({"redirect_uris": ["https://a.example/cb", "https://b.example/cb"]});
        let refusal = read(&sent(moved.clone()), standing(&before)).unwrap_err();
        assert!(format!("{refusal:?}").contains("sector_identifier_uri"), "{refusal:?}");
        let mut kept = moved.clone();
        kept["sector_identifier_uri"] = json!("https://a.example/uris.json");
        assert!(read(&sent(kept), standing(&before)).is_ok());
        assert!(read(&sent(json!({"subject_type": "public"})), standing(&before)).is_err());
        // Public subjects are everybody's: no address changes them.
        let mut open = moved;
        open["subject_type"] = json!("public");
        let before = json!({"client_id": "c", "subject_type": "public"});
        let before = Client::from_json(sent(before)).unwrap();
        assert!(read(&sent(open), standing(&before)).is_ok());
    }
}
