//! Who is measured: where it is, as whom it is asked, and how a person signs in there.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_protocol::jose::Signer;
use serde::Deserialize;
use url::Url;

use super::browser::Transport;
use super::places::Places;

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// What stands in the table.
    pub name: String,
    /// The issuer as it names itself.
    pub issuer: String,
    /// Its addresses.
    pub places: Places,
    /// A confidential client with every grant that is measured.
    pub client: (String, String),
    /// The scope that it asks for when a person signs in, and, if it must, for itself.
    pub scope: (String, Option<String>),
    /// A client that signs its assertions.
    pub signing: Option<Arc<Signing>>,
    /// A client that is known by the certificate of the connection.
    pub certified: Option<String>,
    /// Its redirect URI.
    pub redirect_uri: Url,
    /// Pages of a sign-in: of each page that comes, the first of these that stands on it is sent.
    pub forms: Vec<Form>,
    /// Whoever signs in; `{person}` in a form.
    pub people: Vec<String>,
    /// What only we have.
    pub hall: Option<Hall>,
    /// How connections are made.
    pub transport: Transport,
}

/// A client that authenticates by assertions.
#[derive(Debug)]
pub struct Signing {
    /// Its identifier.
    pub client: String,
    /// Its key, ES256.
    pub signer: Signer,
    /// Whom its assertions name.
    pub audience: String,
}

/// A page of a sign-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// A field by which it is known.
    pub has: String,
    /// What is written into it, beside its hidden fields.
    pub fill: BTreeMap<String, String>,
}

/// The hall of a demo.
#[derive(Debug, Clone)]
pub struct Hall {
    /// An item without materials.
    pub item: String,
    /// Examples for each field of its form.
    pub answers: Vec<(String, String)>,
}
