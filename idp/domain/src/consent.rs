//! Whether what a person allowed covers what a partner asks for.

use idp_protocol::claims::{self, ClaimsRequest};
use idp_protocol::details;
use idp_protocol::scope::Scope;
use serde_json::Value;

/// Scopes that are no personal data and have no line on the consent page.
const SILENT: &[&str] = &["openid", "staff"];

/// The group of what is told as proven (OpenID Connect for Identity Assurance).
pub const VERIFIED: &str = "verified";

/// What a partner asks for, in the form in which consent is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Scopes.
    pub scope: Scope,
    /// Claims asked for by name beside them, and what authorization details permit, each once,
    /// sorted.
    pub claims: Vec<String>,
}

impl Asked {
    /// Reads a request: claims that this provider has; those of the protocol itself need none.
    #[must_use]
    pub fn new(scope: &Scope, request: &ClaimsRequest) -> Self {
        let mut claims: Vec<String> = request
            .id_token
            .keys()
            .chain(request.userinfo.keys())
            .filter(|name| claims::group(name).is_some())
            .cloned()
            .collect();
        // That a claim is told as proven is more than that it is told (attacks row 34).
        for proven in request.verified() {
            claims.push(VERIFIED.to_owned());
            for name in proven.claims.keys() {
                claims.extend([name.clone(), format!("{VERIFIED}:{name}")]);
            }
        }
        claims.sort_unstable();
        claims.dedup();
        Self { scope: scope.clone(), claims }
    }

    /// The same with authorization details (RFC 9396 §2).
    #[must_use]
    pub fn with_details(mut self, asked: &[Value]) -> Self {
        self.claims.extend(details::words(asked));
        self.claims.sort_unstable();
        self.claims.dedup();
        self
    }

    /// One group for each line of the consent page: the scopes, and the scopes whose claims are
    /// asked for by name.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> =
            self.scope.words().filter(|word| !SILENT.contains(word)).map(str::to_owned).collect();
        for group in self.claims.iter().filter_map(|name| claims::group(name)) {
            if !SILENT.contains(&group) && !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        if self.claims.iter().any(|word| word == VERIFIED) {
            groups.push(VERIFIED.to_owned());
        }
        if self.claims.iter().any(|word| details::is_word(word)) {
            groups.push(details::GROUP.to_owned());
        }
        groups
    }

    /// Whether an earlier consent covers this (attacks row 34): no scope or claim is new, and the
    /// partner still has the name under which the person allowed it.
    #[must_use]
    pub fn covered_by(&self, earlier: &Given<'_>, client_name: &str) -> bool {
        let scope = Scope::parse(earlier.scope).unwrap_or_default();
        let claims: Vec<&str> = earlier.claims.split_whitespace().collect();
        earlier.client_name == client_name
            && self.scope.within(&scope)
            && self.claims.iter().all(|name| claims.contains(&name.as_str()))
    }

    /// This and an earlier consent together, as they are remembered.
    #[must_use]
    pub fn with(&self, earlier: Option<&Given<'_>>) -> (String, String) {
        let mut scope: Vec<String> = self.scope.words().map(str::to_owned).collect();
        let mut claims = self.claims.clone();
        if let Some(earlier) = earlier {
            scope.extend(earlier.scope.split_whitespace().map(str::to_owned));
            claims.extend(earlier.claims.split_whitespace().map(str::to_owned));
        }
        for words in [&mut scope, &mut claims] {
            words.sort_unstable();
            words.dedup();
        }
        (scope.join(" "), claims.join(" "))
    }
}

/// A consent that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given<'a> {
    /// Scopes, separated by spaces.
    pub scope: &'a str,
    /// Claims by name, separated by spaces.
    pub claims: &'a str,
    /// The partner's name then.
    pub client_name: &'a str,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(scope: &str, claims: Option<&str>) -> Asked {
        Asked::new(&Scope::parse(scope).unwrap(), &ClaimsRequest::parse(claims).unwrap())
    }

    #[test]
    fn attack_34_a_wider_request_or_another_name_is_asked_again() {
        let given = Given { scope: "openid profile", claims: "email", client_name: "A" };
        assert!(asked("openid", None).covered_by(&given, "A"));
        assert!(
            asked("profile openid", Some(r#"{"userinfo":{"email":null}}"#)).covered_by(&given, "A")
        );
        assert!(!asked("openid phone", None).covered_by(&given, "A"));
        assert!(
            !asked("openid", Some(r#"{"id_token":{"phone_number":null}}"#)).covered_by(&given, "A")
        );
        assert!(!asked("openid", None).covered_by(&given, "B"));
    }

    #[test]
    fn attack_34_proof_of_what_was_allowed_is_asked_again() {
        let proof = |claims: &str| {
            let request = format!(
                r#"{{"userinfo":{{"verified_claims":{{"verification":{{}},"claims":{claims}}}}}}}"#
            );
            asked("openid profile", Some(&request))
        };
        let told = Given { scope: "openid profile", claims: "name", client_name: "A" };
        assert!(!proof(r#"{"name":null}"#).covered_by(&told, "A"), "a claim is not its proof");
        assert!(!proof("{}").covered_by(&told, "A"), "nor is it the verification");
        let (scope, claims) = proof(r#"{"name":null}"#).with(None);
        let proven = Given { scope: &scope, claims: &claims, client_name: "A" };
        assert!(proof(r#"{"name":null}"#).covered_by(&proven, "A"));
        assert!(proof("{}").covered_by(&proven, "A"));
        assert!(!proof(r#"{"birthdate":null}"#).covered_by(&proven, "A"));
        let claims = format!("{claims} birthdate");
        let beside = Given { claims: &claims, ..proven };
        assert!(!proof(r#"{"birthdate":null}"#).covered_by(&beside, "A"), "told, not proven");
        assert_eq!(proof("{}").groups(), ["profile", VERIFIED]);
    }

    #[test]
    fn attack_34_wider_authorization_details_are_asked_again() {
        let of = |item: &str| {
            let detail = json!({"type": details::CASE_ACCESS, "actions": ["read"],
                "items": [item]});
            asked("openid", None).with_details(&[detail])
        };
        let (_, claims) = of("a.b").with(None);
        let given = Given { scope: "openid", claims: &claims, client_name: "A" };
        assert!(of("a.b").covered_by(&given, "A") && asked("openid", None).covered_by(&given, "A"));
        assert!(!of("a.c").covered_by(&given, "A"));
        assert_eq!(of("a.b").groups(), [details::GROUP]);
    }

    #[test]
    fn one_line_a_group_and_consents_add_up() {
        let both = r#"{"userinfo":{"name":null,"phone_number":null,"acr":null}}"#;
        let asked = asked("openid profile offline_access", Some(both));
        assert_eq!(asked.groups(), ["profile", "offline_access", "phone"]);
        let given = Given { scope: "address openid", claims: "email", client_name: "A" };
        let (scope, claims) = asked.with(Some(&given));
        assert_eq!(scope, "address offline_access openid profile");
        assert_eq!(claims, "email name phone_number");
    }
}
