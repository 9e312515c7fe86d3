//! Requests over the back channel (OpenID Connect CIBA Core 1.0): a client asks, a person decides on
//! a device of their own.

use serde_json::{Value, json};

use crate::acr::{self, Wanted};
use crate::authorize::{AuthorizationRequest, Prompt, ResponseMode, ResponseType};
use crate::claims::ClaimsRequest;
use crate::client::Client;
use crate::jose::{self, Algorithm, Unverified};
use crate::metadata::Offer;
use crate::parameters::Parameters;
use crate::scope::Scope;
use crate::target::Targets;
use crate::{ErrorCode, ProtocolError, request_object};

/// Name of the grant (CIBA Core §10.1).
pub const GRANT: &str = "urn:openid:params:grant-type:ciba";

/// Seconds that a request waits for its person, unless the client wants less.
pub const LIFE: i64 = 120;
/// Characters of a binding message: it is compared on a small screen (CIBA Core §7.1).
const LONGEST_MESSAGE: usize = 64;
/// The longest life of a signed request, and its greatest age, seconds (FAPI-CIBA §5.2.2).
const LONGEST: i64 = 3600;
/// Clocks may differ, seconds.
const SKEW: i64 = 10;

/// Who is meant; exactly one hint (CIBA Core §7.1).
#[derive(Clone, PartialEq, Eq)]
pub enum Hint {
    /// What the person signs in with, or the subject that the client knows.
    Login(String),
    /// An ID token of ours; not verified here.
    IdToken(String),
}

/// Without the hint, which may be a phone number.
impl std::fmt::Debug for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Login(_) => "Login",
            Self::IdToken(_) => "IdToken",
        })
    }
}

/// A request that passed every check which needs no person.
#[derive(Debug, Clone)]
pub struct Request {
    /// Scopes that the client may ask for.
    pub scope: Scope,
    /// Resources and details asked for.
    pub targets: Targets,
    /// Levels asked for.
    pub acr: Wanted,
    /// Who is meant.
    pub hint: Hint,
    /// Shown to the person beside the client's name.
    pub binding_message: Option<String>,
    /// Seconds that it waits.
    pub life: i64,
    /// With what a ping authenticates (CIBA Core §7.1).
    pub notification_token: Option<String>,
}

/// A signed request, believed; that its `jti` is new remains to be asked.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The parameters within.
    pub parameters: Parameters,
    /// Unique for the client.
    pub jti: String,
    /// Seconds UTC until when `jti` has to be remembered.
    pub expires: i64,
}

const fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::invalid_request(description)
}

/// Opens a signed request (CIBA Core §7.1.1).
///
/// # Errors
/// `invalid_request`.
pub fn open(
    client: &Client,
    text: &str,
    keys: &[Value],
    issuer: &str,
    now: i64,
) -> Result<Signed, ProtocolError> {
    let token = Unverified::parse(text).map_err(|_| refuse("The request is malformed."))?;
    // FAPI-CIBA §5.2.2: PS256 or ES256; the registered one, if one is.
    let allowed: Vec<Algorithm> =
        match client.backchannel_authentication_request_signing_alg.as_deref() {
            Some(name) => Algorithm::from_name(name).into_iter().collect(),
            None => client.rules().algorithms().to_vec(),
        };
    let typ = Some(request_object::TYP).filter(|typ| token.is_typed(typ));
    let claims = token
        .verify(keys, &allowed, typ)
        .map_err(|_| refuse("The request is not signed by a registered key and algorithm."))?;
    let Value::Object(claims) = claims else { return Err(refuse("The request is no object.")) };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // CIBA Core §7.1.1: every one of these is required.
    if text("iss") != Some(&client.client_id) {
        return Err(refuse("The iss of the request must be the client_id."));
    }
    let meant = match claims.get("aud") {
        Some(Value::String(only)) => only == issuer,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(issuer)),
        _ => false,
    };
    if !meant {
        return Err(refuse("The aud of the request must be the issuer."));
    }
    let number =
        |name: &str, missing| claims.get(name).and_then(jose::seconds).ok_or(refuse(missing));
    let expires = number("exp", "The request has no exp.")?;
    let issued = number("iat", "The request has no iat.")?;
    let begins = number("nbf", "The request has no nbf.")?;
    if expires <= now - SKEW || expires.saturating_sub(begins) > LONGEST {
        return Err(refuse("The request has expired or lives longer than an hour."));
    }
    if begins > now + SKEW || issued > now + SKEW || begins < now - LONGEST {
        return Err(refuse("The request is from the future or an hour old."));
    }
    let jti = text("jti").filter(|jti| (1..=256).contains(&jti.len()));
    let jti = jti.ok_or(refuse("The request has no jti."))?.to_owned();
    let parameters = request_object::parameters(&claims)
        .map_err(|_| refuse("The request is too large or holds another."))?;
    Ok(Signed { parameters, jti, expires: expires + SKEW })
}

/// Checks a request in order (CIBA Core §7.1, §7.2).
///
/// # Errors
/// The code that CIBA Core §13 has for it.
pub fn check(
    client: &Client,
    parameters: &Parameters,
    issuer: &str,
) -> Result<Request, ProtocolError> {
    let asked = Scope::parse(parameters.get("scope").unwrap_or_default())?;
    // CIBA Core §7.1: openid must be there; officers are met at work.
    let scope = asked.only(&client.scopes()).without("staff");
    if !scope.has("openid") {
        return Err(ProtocolError::invalid_scope("The scope openid is missing."));
    }
    // CIBA Core §7.1 leaves room for other parameters: RFC 8707 §2, RFC 9396 §3.
    let targets = Targets::read(client, parameters, issuer)?;
    let notification_token = notification_token(client, parameters)?;
    let hint = hint(parameters)?;
    // CIBA Core §7.1: no user codes are kept here, and none was offered.
    if parameters.get("user_code").is_some() {
        return Err(refuse("User codes are not supported."));
    }
    let binding_message = parameters.get("binding_message").map(message).transpose()?;
    let life = match parameters.get("requested_expiry") {
        None => LIFE,
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|seconds| *seconds > 0)
            .ok_or(refuse("The requested_expiry is no positive number."))?
            .min(LIFE),
    };
    let acr = acr::wanted_of(client, parameters);
    Ok(Request { scope, targets, acr, hint, binding_message, life, notification_token })
}

/// CIBA Core §7.1: required of a client that is pinged, and never guessed.
fn notification_token(
    client: &Client,
    parameters: &Parameters,
) -> Result<Option<String>, ProtocolError> {
    if client.backchannel_token_delivery_mode.as_deref() != Some("ping") {
        return Ok(None);
    }
    let missing = "The client_notification_token is missing.";
    let token = parameters.required("client_notification_token", missing)?;
    // RFC 6750 §2.1: what a Bearer header can hold; CIBA Core §7.1: at most 1024 characters.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.len() > 1024 || !token.bytes().all(plain) {
        return Err(refuse("The client_notification_token is no bearer token."));
    }
    Ok(Some(token.to_owned()))
}

/// CIBA Core §7.1: one and only one.
fn hint(parameters: &Parameters) -> Result<Hint, ProtocolError> {
    let found =
        ["login_hint", "id_token_hint", "login_hint_token"].map(|name| parameters.get(name));
    match found {
        [Some(text), None, None] if text.len() <= 256 => Ok(Hint::Login(text.to_owned())),
        [None, Some(text), None] => Ok(Hint::IdToken(text.to_owned())),
        [None, None, Some(_)] => Err(refuse("login_hint_token is not supported.")),
        _ => Err(refuse("There must be exactly one hint.")),
    }
}

/// CIBA Core §7.1: short, in one line, and nothing that looks like something else.
fn message(text: &str) -> Result<String, ProtocolError> {
    let plain = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().count() <= LONGEST_MESSAGE && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let told = "The binding_message is longer than 64 characters or not plain text.";
    Err(ProtocolError::new(ErrorCode::InvalidBindingMessage, told))
}

/// The request that the person decides about at our pages. It has no redirect URI: its answer goes
/// over the back channel.
#[must_use]
pub fn request(
    client: &Client,
    (scope, targets): (Scope, Targets),
    acr: Wanted,
    subject: String,
    id: String,
) -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri: String::new(),
        redirect_uri_sent: false,
        scope,
        response_type: ResponseType::CODE,
        state: None,
        nonce: None,
        response_mode: ResponseMode::QUERY,
        // Nothing that was allowed before allows this (RFC 10027; attacks row 33).
        prompt: Prompt { consent: true, ..Prompt::default() },
        max_age: client.default_max_age,
        acr,
        claims: ClaimsRequest::default(),
        ui_locales: None,
        login_hint: None,
        // Only who was meant may answer.
        id_token_hint: Some(subject),
        code_challenge: None,
        resources: targets.resources,
        authorization_details: targets.authorization_details,
        dpop_jkt: None,
        device: None,
        pushed: None,
        backchannel: Some(id),
    }
}

/// CIBA Core §4.
pub(crate) fn metadata(offer: &Offer) -> Value {
    json!({
        "backchannel_authentication_endpoint": offer.at("/oauth2/ciba"),
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_authentication_request_signing_alg_values_supported":
            crate::client::signing_algorithms(offer),
        "backchannel_user_code_parameter_supported": false,
        "grant_types_supported": [GRANT],
    })
}

#[cfg(test)]
mod tests;
