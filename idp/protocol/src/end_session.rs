//! Where a logout leads (RP-Initiated Logout §2, §3).

use crate::ProtocolError;
use crate::client::Client;
use crate::hint::Hint;
use crate::parameters::Parameters;
use crate::redirect_uri::with_query;

/// The client that a request is about, if it names one.
///
/// # Errors
/// `invalid_request` where the hint is another client's.
pub fn client_id<'a>(
    parameters: &'a Parameters,
    hint: Option<&'a Hint>,
) -> Result<Option<&'a str>, ProtocolError> {
    let named = parameters.get("client_id");
    // RP-Initiated Logout §2: the hint was issued to the client that is named.
    if let (Some(hint), Some(named)) = (hint, named)
        && hint.client_id != named
    {
        return Err(ProtocolError::invalid_request("The hint is another client's."));
    }
    Ok(hint.map(|hint| hint.client_id.as_str()).or(named))
}

/// The address that the browser goes back to, with the `state`; none: a page of ours is the end.
/// `client` is the one of [`client_id`].
///
/// # Errors
/// `invalid_request` for an address that the client of a hint did not register.
pub fn back(
    parameters: &Parameters,
    hint: Option<&Hint>,
    client: Option<&Client>,
) -> Result<Option<String>, ProtocolError> {
    let Some(uri) = parameters.get("post_logout_redirect_uri") else { return Ok(None) };
    // RP-Initiated Logout §2: without a hint nobody vouches for the request: no redirect.
    if hint.is_none() {
        return Ok(None);
    }
    // RP-Initiated Logout §3: registered, exactly (attacks row 18).
    let registered = client.is_some_and(|client| {
        client.post_logout_redirect_uris.iter().any(|registered| registered == uri)
    });
    if !registered {
        let text = "The post_logout_redirect_uri is not registered.";
        return Err(ProtocolError::invalid_request(text));
    }
    Ok(Some(match parameters.get("state") {
        Some(state) => with_query(uri, &[("state".to_owned(), state.to_owned())]),
        None => uri.to_owned(),
    }))
}
