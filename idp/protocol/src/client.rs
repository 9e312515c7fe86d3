//! A client's registration, with the names of RFC 7591 and OpenID Connect Registration §2.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::jose::{self, Algorithm};
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
    /// Where its name leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// How it uses what it learns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Where others may start its sign-in (OpenID Connect Core §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Its host is the sector of the pairwise subjects (OpenID Connect Core §8.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
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
    /// Under which its subjects are made; the redirect URIs' host by default.
    #[serde(default, alias = "sector_identifier", skip_serializing_if = "Option::is_none")]
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

/// Scopes of a client that registers none (RFC 7591 §2 leaves the choice to the server): what stock
/// libraries ask for, nothing of the verified document.
const DEFAULT_SCOPE: &str = "openid profile email address phone offline_access";
/// Members of any list of a registration (attacks row 42).
const MOST: usize = 32;
/// Characters that make a name look like another on a consent page.
fn misleading(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
        let scoped = value.get("scope").is_some();
        let mut client: Self = serde_json::from_value(value).map_err(|cause| {
            vec![format!("The registration has a value of the wrong kind: {cause}.")]
        })?;
        if !scoped && client.may("authorization_code") {
            client.scope = DEFAULT_SCOPE.to_owned();
        }
        let faults = client.faults();
        if faults.is_empty() { Ok(client) } else { Err(faults) }
    }

    /// Everything that keeps the registration from being used.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.address_faults();
        self.key_faults(&mut faults);
        let uses_code = self.may("authorization_code");
        // Printable ASCII that neither header nor page has to escape (RFC 6749 Appendix A.1).
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>&'".contains(&byte);
        if self.client_id.len() > 200 || !self.client_id.bytes().all(plain) {
            faults.push("`client_id` is longer than 200 characters or not plain ASCII.".to_owned());
        }
        for grant in &self.grant_types {
            if !GRANTS.contains(&grant.as_str()) {
                faults.push(format!("`grant_types`: this provider has no {grant}."));
            }
        }
        if self.response_types.iter().any(|kind| kind != "code") {
            faults.push("`response_types`: only `code` is offered.".to_owned());
        }
        // RFC 6749 §6: a refresh token comes of a code.
        if self.may("refresh_token") && !uses_code {
            faults.push("`refresh_token` needs `authorization_code`.".to_owned());
        }
        // RFC 6749 §4.4: client credentials are for confidential clients only.
        if self.is_public() && self.may("client_credentials") {
            faults.push("A public client cannot use `client_credentials`.".to_owned());
        }
        match Scope::parse(&self.scope) {
            Err(_) => faults.push("`scope` is malformed.".to_owned()),
            // Officers do not consent: only a house of the operator may learn who they are.
            Ok(scope) if scope.has("staff") && self.legal_basis.is_none() => {
                faults.push("The scope `staff` needs a `legal_basis`.".to_owned());
            }
            Ok(_) => {}
        }
        for name in [Some(&self.client_name), self.client_name_en.as_ref()].into_iter().flatten() {
            if name.chars().count() > 100 || name.chars().any(misleading) {
                faults.push("`client_name` is longer than 100 characters or not text.".to_owned());
            }
        }
        if self.default_max_age.is_some_and(|seconds| seconds < 0) {
            faults.push("`default_max_age` is negative.".to_owned());
        }
        if uses_code && self.sector().is_none() {
            faults.push("`sector` cannot be derived from `redirect_uris`.".to_owned());
        }
        faults
    }

    fn address_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.may("authorization_code") && self.redirect_uris.is_empty() {
            faults.push("`redirect_uris` is empty.".to_owned());
        }
        for (name, uris) in [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ] {
            if uris.len() > MOST {
                faults.push(format!("`{name}` has more than {MOST} members."));
            }
            let found = uris.iter().filter_map(|uri| redirect_uri::registrable(uri).err());
            faults.extend(found.map(|fault| format!("`{name}`: {fault}.")));
        }
        if self.contacts.len() > MOST || self.contacts.iter().any(|contact| contact.len() > 256) {
            faults.push("`contacts` is too long.".to_owned());
        }
        // They become links on our pages or addresses that browsers are sent to.
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("initiate_login_uri", &self.initiate_login_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ] {
            let https = |uri: &String| {
                uri.starts_with("https://") && redirect_uri::registrable(uri).is_ok()
            };
            if uri.as_ref().is_some_and(|uri| !https(uri)) {
                faults.push(format!("`{name}` must be a plain https address."));
            }
        }
        faults
    }

    fn key_faults(&self, faults: &mut Vec<String>) {
        if !SIGNING_ALGORITHMS.contains(&self.id_token_signed_response_alg.as_str()) {
            faults.push("`id_token_signed_response_alg` is not offered.".to_owned());
        }
        let pinned = self.token_endpoint_auth_signing_alg.as_deref();
        if pinned.is_some_and(|name| Algorithm::from_name(name).is_none()) {
            faults.push("`token_endpoint_auth_signing_alg` is not offered.".to_owned());
        }
        match &self.jwks {
            None if self.token_endpoint_auth_method == AuthMethod::PrivateKeyJwt => {
                faults.push("`private_key_jwt` needs `jwks`.".to_owned());
            }
            None => {}
            Some(jwks) => {
                faults.extend(jose::registrable(jwks).err().map(|fault| format!("{fault}.")));
            }
        }
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
        // The operator who registers vouches for the list behind it; nothing is fetched.
        if let Some(uri) = &self.sector_identifier_uri {
            return Url::parse(uri).ok()?.host_str().map(str::to_owned);
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
mod tests;
