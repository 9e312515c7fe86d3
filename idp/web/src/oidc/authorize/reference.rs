//! Request objects by reference (RFC 9101 §5.2, OpenID Connect Core §6.2): fetched from where their
//! client has registered them, through the one guarded way out (attacks row 17).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use idp_domain::outgoing::{Answer, Limits};
use idp_protocol::client::Client;
use idp_protocol::{ErrorCode, ProtocolError};

use crate::oidc::counted::Counted;
use crate::{State, pages};

/// How long an object is kept at most, milliseconds: as long as its site says, or as an address
/// says that names what it holds.
const LONGEST: i64 = 5 * 60_000;
/// Fetches of one client within a minute: the browser of anybody can make us fetch.
const PER_CLIENT: u32 = 120;
/// And for requests from one network, so that no single one can use up the client's.
const PER_NETWORK: u32 = 30;
/// Objects kept; beyond, all begins anew.
const MOST: usize = 1_000;

/// Objects by address, and fetches by client.
#[derive(Default)]
pub(crate) struct References {
    kept: Mutex<HashMap<String, (i64, Arc<str>)>>,
    by_client: Counted,
    /// By themselves: whoever has many networks would make the clients' counts begin anew.
    by_network: Counted,
}

fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidRequestUri, description)
}

impl References {
    fn find(&self, uri: &str, now: i64) -> Option<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(uri).filter(|(until, _)| now < *until).map(|(_, object)| object.clone())
    }

    fn keep(&self, uri: &str, object: &Arc<str>, until: i64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(uri.to_owned(), (until, object.clone()));
    }

    /// Counts a fetch; false if the network, where networks are counted, or the client has had
    /// enough in this minute.
    fn may_fetch(&self, client_id: &str, network: Option<&str>, now: i64) -> bool {
        let of = |network: &str| format!("{network} {client_id}");
        network.is_none_or(|network| self.by_network.within(of(network), PER_NETWORK, now))
            && self.by_client.within(client_id.to_owned(), PER_CLIENT, now)
    }
}

/// The object behind a `request_uri`, not yet opened.
///
/// # Errors
/// `invalid_request_uri`.
pub(super) async fn fetch(
    state: &State,
    client: &Client,
    network: &str,
    uri: &str,
) -> Result<Arc<str>, ProtocolError> {
    // OpenID Connect Core §6.2: the fragment says which version is meant; it never leaves.
    let (plain, version) = uri.split_once('#').map_or((uri, None), |(at, said)| (at, Some(said)));
    // OpenID Connect Registration §2, RFC 9101 §10.4: registered, exactly; a client may leave the
    // fragment to the request.
    if !client.request_uris.iter().any(|known| known == uri || known == plain) {
        return Err(refuse("The request_uri is not registered."));
    }
    let now = state.now();
    if let Some(object) = state.references.find(uri, now) {
        return Ok(object);
    }
    // RFC 9101 §10.4: nobody uses us to flood somebody else (attacks row 42).
    let network = pages::authorization_limit(state, network).map(|_| network);
    if !state.references.may_fetch(&client.client_id, network, now) {
        return Err(refuse("The request_uri is fetched too often; try again in a minute."));
    }
    let answer = match state.outgoing().get(plain, Limits::default()).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => {
            tracing::info!(status = answer.status, "a request object could not be fetched");
            return Err(refuse("The request_uri gives no request object."));
        }
        Err(cause) => {
            tracing::info!(%cause, "a request object could not be fetched");
            return Err(refuse("The request_uri cannot be reached."));
        }
    };
    let life = life(&answer, version);
    let text = String::from_utf8(answer.body).unwrap_or_default();
    let object: Arc<str> = text.trim().into();
    if object.is_empty() {
        return Err(refuse("The request_uri gives no request object."));
    }
    if life > 0 {
        state.references.keep(uri, &object, now + life);
    }
    Ok(object)
}

/// Milliseconds for which an answer may serve again: what the site says, else none, unless the
/// address names a version (OpenID Connect Core §6.2).
fn life(answer: &Answer, version: Option<&str>) -> i64 {
    let said = answer.max_age.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    let said = said.or(version.map(|_| LONGEST / 1000)).unwrap_or(0);
    said.saturating_mul(1000).min(LONGEST)
}
