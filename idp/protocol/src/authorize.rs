//! The authorization request: the ordered checks that need only the request and the registration.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::acr::{self, Wanted};
use crate::claims::ClaimsRequest;
use crate::client::Client;
use crate::parameters::Parameters;
use crate::scope::Scope;
use crate::{ErrorCode, ProtocolError, pkce, redirect_uri};

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMode {
    /// Where it stands.
    pub carrier: Carrier,
    /// As one signed JWT (JARM §2.3).
    #[serde(default)]
    pub jwt: bool,
}

impl ResponseMode {
    /// In the query, in the plain.
    pub const QUERY: Self = Self { carrier: Carrier::Query, jwt: false };
    /// A form that posts itself, in the plain.
    pub const FORM_POST: Self = Self { carrier: Carrier::FormPost, jwt: false };
}

/// Where the parameters of an answer stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// In the query.
    Query,
    /// In the fragment (OAuth 2.0 Multiple Response Types §2.1).
    Fragment,
    /// In a form that posts itself (OAuth 2.0 Form Post Response Mode §2).
    FormPost,
}

/// `response_type`: a set (OAuth 2.0 Multiple Response Types §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseType {
    /// A code.
    pub code: bool,
    /// An ID token from the front.
    pub id_token: bool,
    /// An access token from the front.
    pub token: bool,
}

impl ResponseType {
    /// A code and nothing else.
    pub const CODE: Self = Self { code: true, id_token: false, token: false };
}

/// `prompt` (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // The values of one parameter.
pub struct Prompt {
    /// No page at all.
    pub none: bool,
    /// Sign in again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the person choose an account.
    pub select_account: bool,
    /// Begin with registration (Initiating User Registration 1.0 §4.1).
    #[serde(default)]
    pub create: bool,
}

/// A request that passed every check which needs no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client.
    pub client_id: String,
    /// Where the answer goes: registered, exactly.
    pub redirect_uri: String,
    /// Whether the request named it (RFC 6749 §4.1.3 then demands it at the token endpoint).
    pub redirect_uri_sent: bool,
    /// Known scopes that the client may ask for.
    pub scope: Scope,
    /// What comes back.
    pub response_type: ResponseType,
    /// Given back unchanged.
    pub state: Option<String>,
    /// Given back in the ID token.
    pub nonce: Option<String>,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// What to ask the person.
    pub prompt: Prompt,
    /// Seconds since the sign-in, at most.
    pub max_age: Option<i64>,
    /// Levels asked for.
    pub acr: Wanted,
    /// Claims asked for by name.
    pub claims: ClaimsRequest,
    /// Languages of the pages, best first.
    pub ui_locales: Option<String>,
    /// Who is expected to sign in.
    pub login_hint: Option<String>,
    /// An ID token that names who is expected; verified by the endpoint.
    pub id_token_hint: Option<String>,
    /// PKCE.
    pub code_challenge: Option<String>,
    /// Resources for which tokens are wanted; none: our own (RFC 8707 §2).
    #[serde(default)]
    pub resources: Vec<String>,
    /// What is asked for in particular (RFC 9396 §2).
    #[serde(default)]
    pub authorization_details: Vec<Value>,
    /// Thumbprint of the key to which the code is bound (RFC 9449 §10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    /// The device authorization that a person decides about; there is no redirect URI then
    /// (RFC 8628 §3.3).
    #[serde(default)]
    pub device: Option<String>,
}

/// A failure, and whether the client may be told by redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A page for the person: the client or its redirect URI cannot be trusted (RFC 6749
    /// §4.1.2.1, attacks row 18).
    Page(ProtocolError),
    /// A redirect to a registered address.
    Redirect {
        /// What went wrong.
        error: ProtocolError,
        /// Where to.
        redirect_uri: String,
        /// How.
        mode: ResponseMode,
        /// Given back unchanged.
        state: Option<String>,
    },
}

/// The redirect URI of a request, before anything else is believed.
///
/// # Errors
/// A page in every case: never a redirect to what is not registered.
pub fn redirect_uri(client: &Client, parameters: &Parameters) -> Result<String, ProtocolError> {
    match parameters.get("redirect_uri") {
        // RFC 9700 §2.1: exact comparison.
        Some(sent) if redirect_uri::matches(&client.redirect_uris, sent) => Ok(sent.to_owned()),
        Some(_) => Err(ProtocolError::invalid_request("The redirect_uri is not registered.")),
        // OpenID Connect Core §3.1.2.1: required; RFC 6749 §3.1.2.3 allows a sole one for OAuth.
        None => {
            let openid = parameters
                .get("scope")
                .is_some_and(|scope| scope.split(' ').any(|word| word == "openid"));
            match client.redirect_uris.as_slice() {
                [only] if !openid => Ok(only.clone()),
                _ => Err(ProtocolError::invalid_request("The redirect_uri is missing.")),
            }
        }
    }
}

/// Checks a request in order.
///
/// # Errors
/// The first [`Refusal`].
pub fn check(client: &Client, parameters: &Parameters) -> Result<AuthorizationRequest, Refusal> {
    let redirect_uri = redirect_uri(client, parameters).map_err(Refusal::Page)?;
    let asked_mode = response_mode(parameters);
    let refuse = |error: ProtocolError| Refusal::Redirect {
        error,
        redirect_uri: redirect_uri.clone(),
        mode: asked_mode.clone().unwrap_or(ResponseMode::QUERY),
        state: parameters.get("state").map(str::to_owned),
    };
    let response_mode = asked_mode.clone().map_err(refuse)?;
    unsupported(parameters).map_err(refuse)?;
    response_type(client, parameters).map_err(refuse)?;
    let scope = scope(client, parameters).map_err(refuse)?;
    let code_challenge = pkce::challenge(
        parameters.get("code_challenge"),
        parameters.get("code_challenge_method"),
        client.is_public(),
    )
    .map_err(refuse)?;
    let prompt = prompt(parameters).map_err(refuse)?;
    let max_age = max_age(client, parameters).map_err(refuse)?;
    let claims =
        ClaimsRequest::parse(parameters.get("claims")).map_err(refuse)?.only(&client.scopes());
    let acr = wanted(parameters, &claims).map_err(refuse)?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri_sent: parameters.get("redirect_uri").is_some(),
        redirect_uri: redirect_uri.clone(),
        scope,
        response_type: ResponseType::CODE,
        state: text("state"),
        nonce: text("nonce"),
        response_mode,
        prompt,
        max_age,
        acr,
        claims,
        ui_locales: text("ui_locales"),
        login_hint: text("login_hint"),
        id_token_hint: text("id_token_hint"),
        code_challenge,
        resources: Vec::new(),
        authorization_details: Vec::new(),
        dpop_jkt: None,
        device: None,
    })
}

fn response_mode(parameters: &Parameters) -> Result<ResponseMode, ProtocolError> {
    match parameters.get("response_mode") {
        None | Some("query") => Ok(ResponseMode::QUERY),
        Some("form_post") => Ok(ResponseMode::FORM_POST),
        Some(_) => Err(ProtocolError::invalid_request("The response_mode is not supported.")),
    }
}

/// OpenID Connect Core §6: a request object that is not understood is never ignored.
fn unsupported(parameters: &Parameters) -> Result<(), ProtocolError> {
    if parameters.get("request").is_some() {
        return Err(ProtocolError::new(
            ErrorCode::RequestNotSupported,
            "Request objects are not supported.",
        ));
    }
    if parameters.get("request_uri").is_some() {
        return Err(ProtocolError::new(
            ErrorCode::RequestUriNotSupported,
            "Request objects by reference are not supported.",
        ));
    }
    // OpenID Connect Core §7.2.1: the same for a registration inside the request.
    if parameters.get("registration").is_some() {
        return Err(ProtocolError::new(
            ErrorCode::RegistrationNotSupported,
            "The registration parameter is not supported.",
        ));
    }
    Ok(())
}

fn response_type(client: &Client, parameters: &Parameters) -> Result<(), ProtocolError> {
    // RFC 6749 §3.1.1: required.
    match parameters.required("response_type", "The response_type is missing.")? {
        "code" => {}
        _ => {
            return Err(ProtocolError::new(
                ErrorCode::UnsupportedResponseType,
                "Only the response_type code is supported.",
            ));
        }
    }
    // RFC 6749 §4.1.2.1: the client may not use this method.
    if !client.may("authorization_code") {
        return Err(ProtocolError::unauthorized_client("The client may not use this grant."));
    }
    Ok(())
}

fn scope(client: &Client, parameters: &Parameters) -> Result<Scope, ProtocolError> {
    let asked = Scope::parse(parameters.get("scope").unwrap_or_default())?;
    // OpenID Connect Core §3.1.2.1: scopes that are not understood should be ignored.
    let granted = asked.only(&client.scopes());
    if granted.is_empty() {
        return Err(ProtocolError::invalid_scope("No scope that this client may ask for."));
    }
    Ok(granted)
}

fn prompt(parameters: &Parameters) -> Result<Prompt, ProtocolError> {
    let mut prompt = Prompt::default();
    for word in parameters.get("prompt").unwrap_or_default().split(' ') {
        match word {
            "" => {}
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            // Initiating User Registration 1.0 §4.1.
            "create" => prompt.create = true,
            _ => return Err(ProtocolError::invalid_request("The prompt is not supported.")),
        }
    }
    // OpenID Connect Core §3.1.2.1: none with any other value is an error.
    if prompt.none && (Prompt { none: false, ..prompt }) != Prompt::default() {
        return Err(ProtocolError::invalid_request("The prompt none stands alone."));
    }
    Ok(prompt)
}

fn max_age(client: &Client, parameters: &Parameters) -> Result<Option<i64>, ProtocolError> {
    let Some(text) = parameters.get("max_age") else { return Ok(client.default_max_age) };
    let wrong = ProtocolError::invalid_request("The max_age is not a number of seconds.");
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    let seconds: i64 = text.parse().map_err(|_| wrong.clone())?;
    if seconds <= 1_000_000_000 { Ok(Some(seconds)) } else { Err(wrong) }
}

/// `acr_values` is voluntary; `acr` in `claims` may be essential (OpenID Connect Core §5.5.1.1).
fn wanted(parameters: &Parameters, claims: &ClaimsRequest) -> Result<Wanted, ProtocolError> {
    let wish = match claims.id_token.get("acr") {
        Some(wish) if !wish.values.is_empty() => wish,
        _ => return Ok(acr::wanted(parameters.get("acr_values"))),
    };
    let wanted = acr::wanted(Some(&wish.values.join(" ")));
    // OpenID Connect Core §5.5.1.1: an essential acr that cannot be given is a failed sign-in.
    if wish.essential && wanted == Wanted::default() {
        return Err(ProtocolError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "No acr value that was asked for is offered.",
        ));
    }
    Ok(Wanted { essential: wish.essential, ..wanted })
}

#[cfg(test)]
mod tests;
