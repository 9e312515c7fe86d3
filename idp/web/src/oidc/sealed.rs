//! Answers as tokens for one client: signed, and encrypted to its key where it registered that.

use idp_protocol::client::Client;
use idp_protocol::jose::Algorithm;
use idp_protocol::jwe::{self, Content, Management};
use serde::Serialize;

use super::client_keys;
use super::reply::Failure;
use crate::State;

/// How a client registered an answer.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// `alg` of the signature.
    pub(crate) signed: Option<&'a str>,
    /// `alg` of the key's encryption.
    pub(crate) alg: Option<&'a str>,
    /// `enc` of the content's.
    pub(crate) enc: Option<&'a str>,
}

/// Signs, then encrypts (RFC 7519 §11.2: in this order).
///
/// # Errors
/// A failure of the server if the client's key cannot be used: the registration was checked.
pub(crate) async fn token(
    state: &State,
    client: &Client,
    wish: Wish<'_>,
    typ: &str,
    claims: &impl Serialize,
) -> Result<String, Failure> {
    let algorithm = wish.signed.and_then(Algorithm::from_name).unwrap_or(Algorithm::Rs256);
    let ring = state.keys.ring(state).await?;
    let signed = ring.signer(algorithm)?.sign(typ, claims)?;
    encrypted(state, client, signed, wish).await
}

/// Encrypts a signed token, if the client registered that.
pub(crate) async fn encrypted(
    state: &State,
    client: &Client,
    signed: String,
    wish: Wish<'_>,
) -> Result<String, Failure> {
    let Some(name) = wish.alg else { return Ok(signed) };
    let management = Management::from_name(name);
    let content = wish.enc.and_then(Content::from_name);
    // RFC 7517 §4.2, §4.4: of the right kind, and not for signatures.
    let keys = client_keys::of(state, client, None).await;
    let fits = |management| keys.iter().find(|key| jwe::fits(key, management));
    let key = management.and_then(fits);
    let (Some(management), Some(content), Some(key)) = (management, content, key) else {
        let cause = format!("client {} has no key to encrypt to", client.client_id);
        return Err(Failure::Server(cause));
    };
    // RFC 7519 §5.2: what is inside is a token.
    Ok(jwe::encrypt(signed.as_bytes(), key, management, content, Some("JWT"))?)
}
