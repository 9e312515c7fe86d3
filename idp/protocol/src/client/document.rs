//! Clients whose `client_id` is the address of their metadata
//! (draft-ietf-oauth-client-id-metadata-document-02, in this file and elsewhere: CIMD).
//!
//! Nobody vouches for such a client: what is known of it is that somebody writes at its address.

use serde_json::{Value, json};
use url::Url;

use super::registration::{self, Refusal, Standing};
use super::{AuthMethod, Client};
use crate::metadata::Offer;

/// Bytes of a document (CIMD §8.7).
pub const LARGEST: usize = 5 * 1024;
/// Bytes of an address: those of any `client_id`.
const LONGEST: usize = 200;

/// Why a `client_id` is no address of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// More than 200 bytes.
    TooLong,
    /// Not https, or no host.
    Scheme,
    /// No path.
    NoPath,
    /// A fragment.
    Fragment,
    /// A query.
    Query,
    /// A user name or a password.
    UserInfo,
    /// Path dots, or anything that is written otherwise when it is called.
    NotPlain,
}

impl Fault {
    /// A sentence in ASCII without quotes.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::TooLong => "The client_id is an address of more than 200 characters.",
            Self::Scheme => "The client_id is not an https address.",
            Self::NoPath => "The client_id is an address without a path.",
            Self::Fragment => "The client_id is an address with a fragment.",
            Self::Query => "The client_id is an address with a query.",
            Self::UserInfo => "The client_id is an address with a user name.",
            Self::NotPlain => {
                "The client_id is an address in another form than it is called in: lower case, no \
                 default port, no path dots, plain ASCII."
            }
        }
    }
}

/// A `client_id` that is the address of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    host: String,
}

impl Address {
    /// Whether a `client_id` claims to be one; everything else is an id of our making.
    #[must_use]
    pub fn is_meant(client_id: &str) -> bool {
        client_id.starts_with("https:") || client_id.starts_with("http:")
    }

    /// Reads a `client_id` (CIMD §3).
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault::TooLong);
        }
        let rest = text.strip_prefix("https://").ok_or(Fault::Scheme)?;
        let url = Url::parse(text).map_err(|_| Fault::Scheme)?;
        let host = url.host_str().ok_or(Fault::Scheme)?;
        if text.contains('#') {
            return Err(Fault::Fragment);
        }
        // CIMD §3 advises against one: two addresses of one document would be two clients.
        if text.contains('?') {
            return Err(Fault::Query);
        }
        let (authority, _) = rest.split_once('/').ok_or(Fault::NoPath)?;
        if authority.contains('@') {
            return Err(Fault::UserInfo);
        }
        // What is called is what is compared and shown: dots are gone from `Url`, a host of other
        // letters shows as what it is.
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>&'".contains(&byte);
        if url.as_str() != text || !text.bytes().all(plain) {
            return Err(Fault::NotPlain);
        }
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { text: text.to_owned(), host })
    }

    /// As it was sent, is fetched and is compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, with a port that is not the usual one: what a person is shown (CIMD §8).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Whether an answer of this type is looked at (CIMD §4).
#[must_use]
pub fn is_json(content_type: Option<&str>) -> bool {
    let Some(kind) = content_type.and_then(|kind| kind.strip_prefix("application/")) else {
        return false;
    };
    kind == "json" || kind.ends_with("+json")
}

/// Reads a document. `before` is what it said last, with what the operator has given the client
/// since.
///
/// # Errors
/// [`Refusal`] with all faults.
pub fn read(address: &Address, body: &[u8], before: Option<&Client>) -> Result<Client, Refusal> {
    let refuse = |text| Err(Refusal::because(text));
    let Ok(Value::Object(mut sent)) = serde_json::from_slice(body) else {
        return refuse("The document is not a JSON object.");
    };
    // CIMD §4: compared as a string; whoever can write elsewhere at this host only is nobody.
    if sent.get("client_id").and_then(Value::as_str) != Some(address.as_str()) {
        return refuse("`client_id` in the document is not the address of the document.");
    }
    // CIMD §4: everybody reads it, so there is no secret in it.
    if sent.contains_key("client_secret") || sent.contains_key("client_secret_expires_at") {
        return refuse("A document that everybody can read has no `client_secret`.");
    }
    let method = sent.entry("token_endpoint_auth_method").or_insert(Value::Null);
    // The default of RFC 7591 §2 is a secret, which cannot be meant here.
    if method.is_null() {
        *method = json!(AuthMethod::None);
    }
    let secretless = [
        AuthMethod::None,
        AuthMethod::PrivateKeyJwt,
        AuthMethod::TlsClientAuth,
        AuthMethod::SelfSignedTlsClientAuth,
    ];
    if !secretless.map(|known| json!(known)).contains(method) {
        return refuse(
            "`token_endpoint_auth_method` must be none, private_key_jwt or one of a certificate.",
        );
    }
    sent.remove("sector_identifier_uri");
    let sector = Some(sector(address, before));
    let before = before.map(|before| Client { sector: sector.clone(), ..before.clone() });
    let standing = Standing { vouched: false, before: before.as_ref() };
    let mut client = registration::read(&Value::Object(sent), standing)?;
    address.as_str().clone_into(&mut client.client_id);
    client.sector = sector;
    client.published = true;
    Ok(client)
}

/// The sector of its subjects: its whole address, whatever it answers to.
///
/// OpenID Connect Core §8.1 takes the host of the redirect URIs, which assumes that one party has
/// the host. At a host where many publish, two authors who each write a document would see the same
/// `sub` of one person, and could put side by side what each knows; and the redirect host is the
/// author's to choose. A sector may be finer than a host: §8.1 asks that another sector has another
/// `sub`, which holds. An author of two documents gets two.
///
/// Whoever was read when the sector was the host keeps it, as the subjects of its people do.
fn sector(address: &Address, before: Option<&Client>) -> String {
    let kept = before.and_then(|before| before.sector.as_deref());
    let kept = kept.filter(|kept| *kept == address.host());
    kept.unwrap_or(address.as_str()).to_owned()
}

/// The host at which a client publishes itself, if it is such a client.
#[must_use]
pub fn host(client: &Client) -> Option<String> {
    let address = client.published.then(|| Address::parse(&client.client_id).ok());
    address.flatten().map(|address| address.host)
}

/// Members of the metadata (CIMD §6).
pub(crate) fn metadata(offer: &Offer) -> Value {
    if offer.client_id_metadata_documents {
        json!({"client_id_metadata_document_supported": true})
    } else {
        json!({})
    }
}

#[cfg(test)]
mod tests;
