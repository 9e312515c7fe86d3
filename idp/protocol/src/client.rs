//! A client's registration, with the names of RFC 7591 and OpenID Connect Registration §2.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::jose::Algorithm;
use crate::scope::Scope;

pub mod document;
mod faults;
mod fields;
mod logout;
pub mod published;
pub mod registration;
mod rules;
mod targets;

pub use rules::{Policy, Rules};

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
    /// A certificate of a known authority, whose subject is registered (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate whose key is registered (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
    /// A public client.
    None,
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

/// What kind of program it is (OpenID Connect Registration §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// On a server or in a browser.
    #[default]
    Web,
    /// On a person's device.
    Native,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The attribute gives a reference.
fn is_false(flag: &bool) -> bool {
    !flag
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
#[allow(clippy::struct_excessive_bools)] // The members of a registration.
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
    /// Names of grants (RFC 7591 §2).
    #[serde(default = "one_grant")]
    pub grant_types: Vec<String>,
    /// `code`, and the implicit and hybrid ones where the operator allows them.
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
    /// `web` or `native` (OpenID Connect Registration §2).
    #[serde(default)]
    pub application_type: ApplicationType,
    /// Where its keys are published, instead of `jwks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Levels that it wants where a request names none (OpenID Connect Registration §2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// ID tokens must hold `auth_time`; ours always do (OpenID Connect Registration §2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_auth_time: bool,
    /// Key management of encrypted ID tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<String>,
    /// Content encryption of ID tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<String>,
    /// Userinfo as a signed JWT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<String>,
    /// Key management of encrypted userinfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<String>,
    /// Content encryption of userinfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<String>,
    /// Introspection as a signed JWT (RFC 9701 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<String>,
    /// Key management of encrypted introspection (RFC 9701 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_alg: Option<String>,
    /// Content encryption of introspection (RFC 9701 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_enc: Option<String>,
    /// `alg` of JARM answers (JARM §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<String>,
    /// Key management of encrypted JARM answers (JARM §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_alg: Option<String>,
    /// Content encryption of JARM answers (JARM §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_enc: Option<String>,
    /// The only `alg` of its request objects (RFC 9101 §10.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<String>,
    /// Key management of its encrypted request objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_alg: Option<String>,
    /// Content encryption of its request objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_enc: Option<String>,
    /// Exact addresses of its request objects (OpenID Connect Registration §2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// Requests must be signed (RFC 9101 §10.5).
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_signed_request_object: bool,
    /// Requests must be pushed (RFC 9126 §6).
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
    /// Types of authorization details that it may ask for (RFC 9396 §10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types: Vec<String>,
    /// Resources, besides our own, for which it may have tokens (RFC 8707 §2); the operator's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Resources that it is: whether a token for one of them stands, introspection tells it (RFC
    /// 7662 §1); the operator's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspects: Vec<String>,
    /// Clients that may act with its tokens (RFC 8693 §4.4); the operator's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_act: Vec<String>,
    /// Its tokens are always bound by DPoP (RFC 9449 §5.2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens: bool,
    /// Its tokens are bound to its certificate (RFC 8705 §3.4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Subject of its certificate (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// DNS name of its certificate (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    /// URI of its certificate (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<String>,
    /// IP address of its certificate (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<String>,
    /// E-mail address of its certificate (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<String>,
    /// Is told of a sign-out (Back-Channel Logout §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// The notice must hold `sid` (Back-Channel Logout §2.2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub backchannel_logout_session_required: bool,
    /// Is loaded in a frame at a sign-out (Front-Channel Logout §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// The frame's address must hold `iss` and `sid` (Front-Channel Logout §2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub frontchannel_logout_session_required: bool,
    /// `poll` or `ping` (CIBA Core §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_token_delivery_mode: Option<String>,
    /// Where it is pinged (CIBA Core §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_client_notification_endpoint: Option<String>,
    /// The only `alg` of its signed CIBA requests (CIBA Core §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_authentication_request_signing_alg: Option<String>,
    /// It asks for the person's secret code (CIBA Core §4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub backchannel_user_code_parameter: bool,
    /// Which software it is (RFC 7591 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Its version (RFC 7591 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
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
    /// It is described by the document at its `client_id` (see [`document`]). No member of a
    /// registration: who reads the registration from where it is kept knows it.
    #[serde(skip)]
    pub published: bool,
}

/// Scopes of a client that registers none (RFC 7591 §2 leaves the choice to the server): what stock
/// libraries ask for, nothing of the verified document.
const DEFAULT_SCOPE: &str = "openid profile email address phone offline_access";

/// `alg` values of signatures by us and by clients: the usual ones, and SM2 where the operator
/// offers it.
#[must_use]
pub fn signing_algorithms(offer: &crate::metadata::Offer) -> Vec<&'static str> {
    let offered = |algorithm: &Algorithm| offer.sm2 || Algorithm::USUAL.contains(algorithm);
    Algorithm::ALL.into_iter().filter(offered).map(Algorithm::name).collect()
}

impl Client {
    /// Reads a registration and checks it as a whole.
    ///
    /// # Errors
    /// All faults, each a sentence.
    pub fn from_json(value: Value) -> Result<Self, Vec<String>> {
        let scoped = value.get("scope").is_some();
        let signing = value.get("id_token_signed_response_alg").is_some();
        let mut client: Self = serde_json::from_value(value).map_err(|cause| {
            vec![format!("The registration has a value of the wrong kind: {cause}.")]
        })?;
        let for_people =
            ["authorization_code", "implicit", crate::device::GRANT, crate::ciba::GRANT];
        if !scoped && for_people.iter().any(|grant| client.may(grant)) {
            client.scope = DEFAULT_SCOPE.to_owned();
        }
        // FAPI 2.0 §5.4.1 knows no RS256, which is the default elsewhere.
        if !signing && client.rules().strong_authentication {
            client.id_token_signed_response_alg = "ES256".to_owned();
        }
        let faults = client.faults();
        if faults.is_empty() { Ok(client) } else { Err(faults) }
    }

    /// Whether the client has no credentials.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == AuthMethod::None
    }

    /// What it must do: each mandate of its policy or of its own registration.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::of(self)
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
    /// that all redirect URIs share. A client of several hosts that registered none is a sector of
    /// its own, named so that no host can be it: it shares its subjects with nobody.
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
        let shared = hosts.all(|host| host.as_deref() == Some(&first));
        Some(if shared { first } else { format!("client:{}", self.client_id) })
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
