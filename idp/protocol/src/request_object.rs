//! Request objects (RFC 9101, OpenID Connect Core §6): the parameters of an authorization request
//! in a JWT that the client has signed.

use serde_json::{Map, Value};

use crate::client::Client;
use crate::jose::{self, Algorithm, JoseError, Unverified};
use crate::parameters::Parameters;
use crate::{ErrorCode, ProtocolError};

/// The `typ` of a request object (RFC 9101 §10.8).
pub(crate) const TYP: &str = "oauth-authz-req+jwt";
/// Clocks may differ, seconds.
const SKEW: i64 = 10;
/// The longest life that FAPI 2.0 Message Signing §5.3.1 leaves, seconds.
const LONGEST: i64 = 3600;
/// Members that are about the object and not about the request.
const OWN: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];

fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidRequestObject, description)
}

/// Opens an object and gives the parameters that count. `outside` are those that came beside it,
/// `keys` the client's.
///
/// # Errors
/// `invalid_request_object`; `request_not_supported` for an unsigned one.
pub fn open(
    client: &Client,
    text: &str,
    outside: &Parameters,
    keys: &[Value],
    issuer: &str,
    now: i64,
) -> Result<Parameters, ProtocolError> {
    let rules = client.rules();
    let token = Unverified::parse(text).map_err(|_| refuse("The request object is malformed."))?;
    // OpenID Connect Core §6.1: `none` is not offered, and never ignored (attacks rows 11, 12).
    if token.algorithm_name() == Some("none") {
        let text = "Unsigned request objects are not supported.";
        // RFC 9101 §6.2: for whoever has to sign, the object is what is wrong.
        let code = if rules.signed_request || rules.pushed {
            ErrorCode::InvalidRequestObject
        } else {
            ErrorCode::RequestNotSupported
        };
        return Err(ProtocolError::new(code, text));
    }
    // RFC 9101 §10.2: the registered algorithm, no other.
    let allowed: Vec<Algorithm> = match client.request_object_signing_alg.as_deref() {
        Some(name) => Algorithm::from_name(name).into_iter().collect(),
        None => rules.algorithms().to_vec(),
    };
    // RFC 9101 §10.8: typed as what it is, if it is typed at all. A media type's case means nothing
    // (RFC 2045 §5.1).
    let typ = Some(TYP).filter(|typ| token.is_typed(typ));
    // RFC 9101 §6.2: signed by a key of this client.
    let claims = token.verify(keys, &allowed, typ).map_err(|cause| match cause {
        JoseError::Algorithm => refuse("The request object is signed with another algorithm."),
        _ => refuse("The request object is not signed by a registered key."),
    })?;
    let Value::Object(claims) = claims else { return Err(refuse("It is no object.")) };
    meant(client, &claims, issuer)?;
    timely(&claims, rules.signed_request, now)?;
    let inside = parameters(&claims)?;
    agree(&inside, outside, client)?;
    // RFC 9101 §5: nothing but what is signed; OpenID Connect Core §6.1 lets parameters stand
    // beside it, and the signed ones win.
    if rules.signed_request || rules.pushed {
        return Ok(inside);
    }
    let beside = outside.iter().filter(|(name, _)| {
        !matches!(*name, "request" | "request_uri") && inside.get(name).is_none()
    });
    let all = inside.iter().chain(beside);
    Parameters::from_pairs(all.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// RFC 9101 §4, §6.3: from this client, for us.
fn meant(client: &Client, claims: &Map<String, Value>, issuer: &str) -> Result<(), ProtocolError> {
    let strict = client.rules().signed_request;
    let named = |value: &Value| value.as_str() == Some(&client.client_id);
    // RFC 9101 §5: iss is the client, where it stands.
    if claims.get("iss").map_or(strict, |iss| !named(iss)) {
        return Err(refuse("The iss of the request object must be the client_id."));
    }
    let ours = match claims.get("aud") {
        None => !strict,
        Some(Value::String(only)) => only == issuer,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(issuer)),
        Some(_) => false,
    };
    if ours { Ok(()) } else { Err(refuse("The aud of the request object must be the issuer.")) }
}

/// FAPI 2.0 Message Signing §5.3.1: `strict` objects live for an hour at most; the others only as
/// long as they say.
fn timely(claims: &Map<String, Value>, strict: bool, now: i64) -> Result<(), ProtocolError> {
    let number = |name: &str| -> Result<Option<i64>, ProtocolError> {
        let Some(value) = claims.get(name) else { return Ok(None) };
        let wrong = refuse("A time of the request object is no number.");
        jose::seconds(value).map(Some).ok_or(wrong)
    };
    let (expires, begins) = (number("exp")?, number("nbf")?);
    if strict && (expires.is_none() || begins.is_none()) {
        return Err(refuse("The request object needs exp and nbf."));
    }
    if expires.is_some_and(|expires| expires <= now - SKEW) {
        return Err(refuse("The request object has expired."));
    }
    if begins.is_some_and(|begins| begins > now + SKEW) {
        return Err(refuse("The request object is from the future."));
    }
    let span = expires.zip(begins).map(|(expires, begins)| expires.saturating_sub(begins));
    let old = begins.is_some_and(|begins| begins < now - LONGEST);
    if strict && (old || span.is_some_and(|span| span > LONGEST)) {
        return Err(refuse("The request object lives longer than an hour."));
    }
    Ok(())
}

/// Members as parameters (RFC 9101 §4): text as it is, numbers and truths as text, the rest as JSON.
pub(crate) fn parameters(claims: &Map<String, Value>) -> Result<Parameters, ProtocolError> {
    let mut pairs = Vec::with_capacity(claims.len());
    for (name, value) in claims {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        // RFC 9101 §4: no object within an object.
        if matches!(name.as_str(), "request" | "request_uri") {
            return Err(refuse("A request object stands inside of a request object."));
        }
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name.clone(), text.clone())),
            // RFC 8707 §2.1: the parameter that may stand more than once.
            Value::Array(list) if name == "resource" => {
                let texts = list.iter().filter_map(Value::as_str);
                pairs.extend(texts.map(|text| (name.clone(), text.to_owned())));
            }
            other => pairs.push((name.clone(), other.to_string())),
        }
    }
    let wrong = |_| refuse("The request object is too large.");
    Parameters::from_pairs(pairs).map_err(wrong)
}

/// What stands twice must be the same (OpenID Connect Core §6.1, attacks row 13).
fn agree(inside: &Parameters, outside: &Parameters, client: &Client) -> Result<(), ProtocolError> {
    // RFC 9101 §5: the client_id inside is the one outside.
    if inside.get("client_id").is_some_and(|id| id != client.client_id) {
        return Err(refuse("The client_id of the request object is another."));
    }
    let differs = |name: &str| {
        let (inside, outside) = (inside.get(name), outside.get(name));
        inside.is_some() && outside.is_some() && inside != outside
    };
    if differs("response_type") {
        return Err(refuse("The response_type of the request object is another."));
    }
    let strict = client.rules().signed_request;
    let beside = outside.iter().map(|(name, _)| name);
    if strict && beside.into_iter().any(differs) {
        return Err(refuse("A parameter beside the request object differs from it."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
