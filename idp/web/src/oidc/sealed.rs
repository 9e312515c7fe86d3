//! Answers as tokens for one client: signed, and encrypted to its key where it registered that.

use idp_protocol::client::Client;
use idp_protocol::jose::Algorithm;
use idp_protocol::jwe::{self, Content, Management};
use serde::Serialize;
use serde_json::Value;

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

/// Encrypts claims as they are (RFC 7519 §7.1), for a client that registered no signature.
///
/// # Errors
/// As [`token`].
pub(crate) async fn claims(
    state: &State,
    client: &Client,
    wish: Wish<'_>,
    claims: &impl Serialize,
) -> Result<String, Failure> {
    let plain = serde_json::to_vec(claims).map_err(|cause| Failure::Server(cause.to_string()))?;
    let keys = client_keys::of(state, client, None).await;
    let sealed = receiver(state, client, &keys, wish).and_then(|(key, management, content)| {
        jwe::encrypt(&plain, key, management, content, None).map_err(|cause| cause.to_string())
    });
    sealed.map_err(Failure::Server)
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
    if wish.alg.is_none() {
        return Ok(signed);
    }
    let (key, management, content) = receiver(state, client, keys, wish)?;
    jwe::encrypt_token(&signed, key, management, content, iss).map_err(|cause| cause.to_string())
}

/// To which key, and how.
fn receiver<'k>(
    state: &State,
    client: &Client,
    keys: &'k Keys<'_>,
    wish: Wish<'_>,
) -> Result<(&'k Value, Management, Content), String> {
    let management = wish.alg.and_then(Management::from_name);
    let content = wish.enc.and_then(Content::from_name);
    // RFC 7517 §4.2, §4.4: of the right kind, and not for signatures.
    let fits = |management| keys.iter().find(|key| jwe::fits(key, management));
    let key = management.and_then(fits);
    if let (Some(management), Some(content), Some(key)) = (management, content, key) {
        return Ok((key, management, content));
    }
    let why = client_keys::problem(state, client);
    Err(format!("client {} has no key to encrypt to: {why}", client.client_id))
}
