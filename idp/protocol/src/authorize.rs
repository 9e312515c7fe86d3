//! The authorization request: the ordered checks that need only the request and the registration.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::acr::{self, Wanted};
use crate::claims::ClaimsRequest;
use crate::client::{Client, signing_algorithms};
use crate::metadata::Offer;
use crate::parameters::Parameters;
use crate::scope::Scope;
use crate::{ErrorCode, ProtocolError, details, pkce, redirect_uri, target};

mod response;

pub use response::{Carrier, ResponseMode, ResponseType};

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
    /// The pushed request that it came from (RFC 9126); it dies with the answer.
    #[serde(default)]
    pub pushed: Option<String>,
    /// The request over the back channel that a person decides about; there is no redirect URI then
    /// (CIBA Core §7).
    #[serde(default)]
    pub backchannel: Option<String>,
}

/// Members of the metadata: RFC 9126 §5, RFC 9101 §10.5, JARM §4, and the response types that the
/// operator's switch brings.
pub(crate) fn metadata(offer: &Offer) -> Value {
    let mut members = json!({
        "pushed_authorization_request_endpoint": offer.at("/oauth2/par"),
        "require_pushed_authorization_requests": false,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": signing_algorithms(offer),
        "require_signed_request_object": false,
        "response_modes_supported": ResponseMode::names(),
        "authorization_signing_alg_values_supported": signing_algorithms(offer),
    });
    if let Some(members) = members.as_object_mut().filter(|_| offer.implicit_and_hybrid) {
        members.insert("response_types_supported".to_owned(), json!(ResponseType::FRONT));
        members.insert("grant_types_supported".to_owned(), json!(["implicit"]));
    }
    members
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
                [only] if !openid && !client.rules().redirect_uri => Ok(only.clone()),
                _ => Err(ProtocolError::invalid_request("The redirect_uri is missing.")),
            }
        }
    }
}

/// How a request arrived, and what the deployment offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// From the client itself, to the endpoint of RFC 9126.
    pub pushed: bool,
    /// As a request object that the client has signed (RFC 9101).
    pub signed: bool,
    /// `[protocol] implicit_and_hybrid`.
    pub front: bool,
    /// Our own name.
    pub issuer: &'a str,
}

/// Checks a request in order. A request object has been opened before: `parameters` are its own.
///
/// # Errors
/// The first [`Refusal`].
pub fn check(
    client: &Client,
    parameters: &Parameters,
    arrival: Arrival<'_>,
) -> Result<AuthorizationRequest, Refusal> {
    let redirect_uri = redirect_uri(client, parameters).map_err(Refusal::Page)?;
    let refuse = |error: ProtocolError| Refusal::Redirect {
        error,
        redirect_uri: redirect_uri.clone(),
        mode: ResponseMode::guessed(parameters),
        state: parameters.get("state").map(str::to_owned),
    };
    let rules = client.rules();
    // RFC 9126 §5, FAPI 2.0 §5.3.2.2, item 3: by the back channel only. A request that anybody can
    // have made up is told to the person, not to the client.
    if rules.pushed && !arrival.pushed {
        let text = "This client must push its authorization requests.";
        return Err(Refusal::Page(ProtocolError::invalid_request(text)));
    }
    // RFC 9101 §10.5, FAPI 2.0 Message Signing §5.3.1.
    if rules.signed_request && !arrival.signed {
        let text = "This client must sign its authorization requests.";
        return Err(refuse(ProtocolError::invalid_request(text)));
    }
    let response_mode = ResponseMode::read(parameters).map_err(refuse)?;
    unsupported(parameters).map_err(refuse)?;
    let response_type = response::kind(client, parameters, arrival.front).map_err(refuse)?;
    // RFC 9396 §2, RFC 8707 §2.
    let authorization_details =
        details::read(client, parameters.get("authorization_details"), arrival.issuer)
            .map_err(refuse)?;
    let resources = target::read(client, parameters, arrival.issuer).map_err(refuse)?;
    let scope = scope(client, parameters, !authorization_details.is_empty()).map_err(refuse)?;
    // OpenID Connect Core §3.2.2.1: an ID token belongs to an OpenID Connect request.
    if response_type.id_token && !scope.has("openid") {
        return Err(refuse(ProtocolError::invalid_scope("The scope openid is missing.")));
    }
    let code_challenge = pkce::challenge(
        parameters.get("code_challenge"),
        parameters.get("code_challenge_method"),
        rules.pkce && response_type.code,
    )
    .map_err(refuse)?;
    let prompt = prompt(parameters).map_err(refuse)?;
    let max_age = max_age(client, parameters).map_err(refuse)?;
    let claims =
        ClaimsRequest::parse(parameters.get("claims")).map_err(refuse)?.only(&client.scopes());
    let acr = wanted(client, parameters, &claims).map_err(refuse)?;
    let dpop_jkt = dpop_jkt(parameters).map_err(refuse)?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri_sent: parameters.get("redirect_uri").is_some(),
        redirect_uri: redirect_uri.clone(),
        scope,
        response_type,
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
        resources,
        authorization_details,
        dpop_jkt,
        pushed: None,
        backchannel: None,
        device: None,
    })
}

/// What is not understood is never ignored.
fn unsupported(parameters: &Parameters) -> Result<(), ProtocolError> {
    // RFC 9101 §4: a request object holds no request object; RFC 9126 §2.1: nor does a pushed one.
    if parameters.get("request").is_some() || parameters.get("request_uri").is_some() {
        let text = "A request object stands inside of another request.";
        return Err(ProtocolError::invalid_request(text));
    }
    // OpenID Connect Core §7.2.1: a registration inside the request.
    if parameters.get("registration").is_some() {
        return Err(ProtocolError::new(
            ErrorCode::RegistrationNotSupported,
            "The registration parameter is not supported.",
        ));
    }
    Ok(())
}

/// RFC 9449 §10: the thumbprint of the key to which the code will be bound.
fn dpop_jkt(parameters: &Parameters) -> Result<Option<String>, ProtocolError> {
    let Some(text) = parameters.get("dpop_jkt") else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    // RFC 7638 with SHA-256: 32 bytes in base64url.
    if text.len() == 43 && text.bytes().all(plain) {
        return Ok(Some(text.to_owned()));
    }
    Err(ProtocolError::invalid_request("The dpop_jkt is no thumbprint."))
}

/// What of the scope the client may ask for; it may be nothing where details say what is wanted
/// (RFC 9396 §3).
fn scope(client: &Client, parameters: &Parameters, detailed: bool) -> Result<Scope, ProtocolError> {
    let asked = Scope::parse(parameters.get("scope").unwrap_or_default())?;
    // OpenID Connect Core §3.1.2.1: scopes that are not understood should be ignored.
    let granted = asked.only(&client.scopes());
    if granted.is_empty() && !detailed {
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
fn wanted(
    client: &Client,
    parameters: &Parameters,
    claims: &ClaimsRequest,
) -> Result<Wanted, ProtocolError> {
    let wish = match claims.id_token.get("acr") {
        Some(wish) if !wish.values.is_empty() => wish,
        _ => return Ok(acr::wanted_of(client, parameters)),
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
