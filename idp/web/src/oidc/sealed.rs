//! Answers as tokens for one client: signed, and encrypted to its key where it registered that.

use idp_protocol::client::Client;
use idp_protocol::jose::Algorithm;
use idp_protocol::jwe::{self, Content, Management};
use serde::Serialize;

use super::client_keys::{self, Keys};
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

impl<'a> Wish<'a> {
    /// As a client registered its ID tokens (OpenID Connect Registration §2).
    pub(crate) fn id_token(client: &'a Client) -> Self {
        Self {
            signed: Some(&client.id_token_signed_response_alg),
            alg: client.id_token_encrypted_response_alg.as_deref(),
            enc: client.id_token_encrypted_response_enc.as_deref(),
        }
    }
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
    if wish.alg.is_none() {
        return Ok(signed);
    }
    let keys = client_keys::of(state, client, None).await;
    encrypted_to(state, client, &keys, signed, wish, None).map_err(Failure::Server)
}

/// The same to the client's keys as the caller has them; `iss` stands in the header too (RFC 7519
/// §5.3).
///
/// # Errors
/// Why it cannot be encrypted, for the operator: it is not let out as it is.
pub(crate) fn encrypted_to(
    state: &State,
    client: &Client,
    keys: &Keys<'_>,
    signed: String,
    wish: Wish<'_>,
    iss: Option<&str>,
) -> Result<String, String> {
    let Some(name) = wish.alg else { return Ok(signed) };
    let management = Management::from_name(name);
    let content = wish.enc.and_then(Content::from_name);
    // RFC 7517 §4.2, §4.4: of the right kind, and not for signatures.
    let fits = |management| keys.iter().find(|key| jwe::fits(key, management));
    let key = management.and_then(fits);
    let (Some(management), Some(content), Some(key)) = (management, content, key) else {
        let why = client_keys::problem(state, client);
        return Err(format!("client {} has no key to encrypt to: {why}", client.client_id));
    };
    jwe::encrypt_token(&signed, key, management, content, iss).map_err(|cause| cause.to_string())
}
