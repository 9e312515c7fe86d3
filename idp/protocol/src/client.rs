//! A client's registration, with the names of RFC 7591 and OpenID Connect Registration §2.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::redirect_uri;
use crate::scope::Scope;

/// How a client authenticates (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// An assertion signed by the client's key (RFC 7523).
    PrivateKeyJwt,
    /// A public client.
    None,
}

/// Whose rules a client lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Plain OpenID Connect.
    #[default]
    Openid,
}

/// Whether two sectors see the same subject (OpenID Connect Core §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// A different subject for each sector.
    #[default]
    Pairwise,
    /// The same subject everywhere.
    Public,
}

fn one_grant() -> Vec<String> {
    vec!["authorization_code".to_owned()]
}

fn one_response_type() -> Vec<String> {
    vec!["code".to_owned()]
}

fn basic() -> AuthMethod {
    AuthMethod::ClientSecretBasic
}

fn rs256() -> String {
    "RS256".to_owned()
}

/// A registered client. The secret is not here: only its keyed hash is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// RFC 6749 §2.2.
    #[serde(default)]
    pub client_id: String,
    /// For the consent page.
    #[serde(default)]
    pub client_name: String,
    /// The same in English (`client_name#en`, OpenID Connect Registration §2.1).
    #[serde(default, rename = "client_name#en", skip_serializing_if = "Option::is_none")]
    pub client_name_en: Option<String>,
    /// Exact addresses.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Exact addresses (RP-Initiated Logout §3.1).
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    #[serde(default = "one_grant")]
    pub grant_types: Vec<String>,
    /// `code`.
    #[serde(default = "one_response_type")]
    pub response_types: Vec<String>,
    /// How it authenticates.
    #[serde(default = "basic")]
    pub token_endpoint_auth_method: AuthMethod,
    /// `alg` of its assertions, if pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// `RS256` unless another is registered.
    #[serde(default = "rs256")]
    pub id_token_signed_response_alg: String,
    /// Public keys of `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Scopes that it may ask for.
    #[serde(default)]
    pub scope: String,
    /// Pairwise by default.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Under which its subjects are made; the first redirect URI's host by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
    /// Seconds after which it wants a fresh sign-in (OpenID Connect Registration §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<i64>,
    /// People to write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Of the operator's own house, released under this recorded legal basis instead of consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// Whose rules it lives by.
    #[serde(default)]
    pub policy: Policy,
}

const GRANTS: &[&str] = &["authorization_code", "refresh_token", "client_credentials"];
/// `alg` values that ID tokens can be signed with.
pub const SIGNING_ALGORITHMS: &[&str] = &["RS256", "ES256", "PS256", "EdDSA"];

impl Client {
    /// Reads a registration and checks it as a whole.
    ///
    /// # Errors
    /// All faults, each a sentence.
    pub fn from_json(value: Value) -> Result<Self, Vec<String>> {
        let client: Self = serde_json::from_value(value).map_err(|cause| {
            vec![format!("The registration has a value of the wrong kind: {cause}.")]
        })?;
        let faults = client.faults();
        if faults.is_empty() { Ok(client) } else { Err(faults) }
    }

    /// Everything that keeps the registration from being used.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let uses_code = self.may("authorization_code");
        if uses_code && self.redirect_uris.is_empty() {
            faults.push("`redirect_uris` is empty.".to_owned());
        }
        for uri in &self.redirect_uris {
            if let Err(fault) = redirect_uri::registrable(uri) {
                faults.push(format!("`redirect_uris`: {fault}."));
            }
        }
        for uri in &self.post_logout_redirect_uris {
            if let Err(fault) = redirect_uri::registrable(uri) {
                faults.push(format!("`post_logout_redirect_uris`: {fault}."));
            }
        }
        for grant in &self.grant_types {
            if !GRANTS.contains(&grant.as_str()) {
                faults.push(format!("`grant_types`: this provider has no {grant}."));
            }
        }
        if self.response_types.iter().any(|kind| kind != "code") {
            faults.push("`response_types`: only `code` is offered.".to_owned());
        }
        if !SIGNING_ALGORITHMS.contains(&self.id_token_signed_response_alg.as_str()) {
            faults.push("`id_token_signed_response_alg` is not offered.".to_owned());
        }
        let keyed = self.token_endpoint_auth_method == AuthMethod::PrivateKeyJwt;
        if keyed && self.jwks.is_none() {
            faults.push("`private_key_jwt` needs `jwks`.".to_owned());
        }
        // RFC 6749 §4.4: client credentials are for confidential clients only.
        if self.is_public() && self.may("client_credentials") {
            faults.push("A public client cannot use `client_credentials`.".to_owned());
        }
        if Scope::parse(&self.scope).is_err() {
            faults.push("`scope` is malformed.".to_owned());
        }
        let name = self.client_name.chars().count();
        if name > 100 || self.client_name.chars().any(char::is_control) {
            faults.push("`client_name` is longer than 100 characters or not text.".to_owned());
        }
        if uses_code && self.sector().is_none() {
            faults.push("`sector` cannot be derived from `redirect_uris`.".to_owned());
        }
        faults
    }

    /// Whether the client has no credentials.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == AuthMethod::None
    }

    /// Whether it may use a grant type.
    #[must_use]
    pub fn may(&self, grant: &str) -> bool {
        self.grant_types.iter().any(|known| known == grant)
    }

    /// Scopes that it may ask for.
    #[must_use]
    pub fn scopes(&self) -> Scope {
        Scope::parse(&self.scope).unwrap_or_default()
    }

    /// The sector of its pairwise subjects (OpenID Connect Core §8.1): registered, or the host
    /// that all redirect URIs share.
    #[must_use]
    pub fn sector(&self) -> Option<String> {
        if let Some(sector) = &self.sector {
            return Some(sector.clone());
        }
        let mut hosts = self.redirect_uris.iter().map(|uri| {
            let url = Url::parse(uri).ok()?;
            url.host_str()
                .map_or_else(|| Some(url.scheme().to_owned()), |host| Some(host.to_owned()))
        });
        let first = hosts.next()??;
        hosts.all(|host| host.as_deref() == Some(&first)).then_some(first)
    }

    /// The name in a language.
    #[must_use]
    pub fn name(&self, language: &str) -> &str {
        let english = self.client_name_en.as_deref().filter(|_| language.starts_with("en"));
        english
            .or(Some(&self.client_name))
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.client_id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_those_of_registration_2() {
        let client = Client::from_json(json!({"client_id": "a",
            "redirect_uris": ["https://a.example/cb"], "extra": 1}))
        .unwrap();
        assert_eq!(client.token_endpoint_auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(client.id_token_signed_response_alg, "RS256");
        assert_eq!(client.sector().as_deref(), Some("a.example"));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = Client::from_json(json!({"redirect_uris": ["http://a.example/cb"],
            "grant_types": ["authorization_code", "password"], "response_types": ["token"],
            "token_endpoint_auth_method": "private_key_jwt"}))
        .unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn core_8_1_two_hosts_need_a_registered_sector() {
        let uris = json!(["https://a.example/cb", "https://b.example/cb"]);
        assert!(Client::from_json(json!({"redirect_uris": uris})).is_err());
        assert!(Client::from_json(json!({"redirect_uris": uris, "sector": "ab"})).is_ok());
    }
}
