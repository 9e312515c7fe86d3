//! Who holds the key: what a request shows of its sender beside its parameters (RFC 9449), and what
//! tokens are bound to because of it.

use axum::extract::{self, FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use idp_protocol::dpop::{self, Expected, Proof};
use idp_protocol::{ErrorCode, ProtocolError, compare};

use super::issue::Binding;
use super::reply::Failure;
use crate::State;
use crate::certificate::Chain;

/// RFC 9449 §4.1.
const PROOF: HeaderName = HeaderName::from_static("dpop");
/// RFC 9449 §8.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// How long a nonce is handed out, milliseconds; it is taken for one more such time.
const SLOT: i64 = 180_000;

/// A request, as far as proofs are about it.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// Its method.
    pub method: String,
    /// Its path, without a query.
    pub path: String,
    /// Its `DPoP` headers.
    pub proofs: Vec<String>,
    /// The certificate with which it came.
    pub certificate: Option<Chain>,
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // What is not text is no proof, but it was sent: an empty one is refused as malformed.
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        Ok(Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            proofs: parts.headers.get_all(PROOF).iter().map(text).collect(),
            certificate: parts.extensions.get::<Chain>().cloned(),
        })
    }
}

impl Sender {
    /// Addresses under which clients know the endpoint: the issuer's, and that of the listener that
    /// asks for certificates (RFC 8705 §5).
    pub(crate) fn addresses(&self, state: &State) -> Vec<String> {
        let settings = &state.settings;
        let known = [Some(&settings.issuer), settings.certificates.address.as_ref()];
        known.into_iter().flatten().map(|base| format!("{base}{}", self.path)).collect()
    }
}

/// The keys that the sender proved to hold; none were shown: nothing is bound. `token` is the
/// access token that came along.
///
/// # Errors
/// `invalid_dpop_proof`, `use_dpop_nonce`, or as the database says.
pub(crate) async fn proven(
    state: &State,
    sender: &Sender,
    token: Option<&str>,
) -> Result<Binding, Failure> {
    if sender.proofs.is_empty() {
        return Ok(Binding::default());
    }
    let headers: Vec<&str> = sender.proofs.iter().map(String::as_str).collect();
    let addresses = sender.addresses(state);
    let now = state.now() / 1000;
    let expected = Expected { method: &sender.method, addresses: &addresses, token, now };
    // RFC 9449 §4.3, items 1 to 12 without 10.
    let proof = dpop::check(&headers, expected)?;
    // RFC 9449 §4.3, item 10, and §8.
    let nonce_holds = match &proof.nonce {
        Some(nonce) => nonces(state).iter().any(|known| compare::same(known, nonce)),
        None => !state.settings.require_dpop_nonce,
    };
    if !nonce_holds {
        let text = "The DPoP proof must hold the nonce of the header DPoP-Nonce.";
        return Err(ProtocolError::new(ErrorCode::UseDpopNonce, text).into());
    }
    spend(state, &proof).await?;
    Ok(Binding { jkt: Some(proof.jkt), x5t: None })
}

/// RFC 9449 §11.1: a proof that somebody else read is of no use to them (attacks row 15).
async fn spend(state: &State, proof: &Proof) -> Result<(), Failure> {
    let until = proof.issued.saturating_add(dpop::WINDOW + 1).saturating_mul(1000);
    let first = idp_store::proof::spend(&state.db, &proof.jkt, &proof.jti, until).await?;
    if first {
        return Ok(());
    }
    let text = "The DPoP proof was used before.";
    Err(ProtocolError::new(ErrorCode::InvalidDpopProof, text).into())
}

/// The nonce of a stretch of time: any node knows it, none stores it.
fn nonce(state: &State, slot: i64) -> String {
    let tag = aws_lc_rs::hmac::sign(&state.nonce_key, &slot.to_be_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref().get(..18).unwrap_or_default())
}

/// The nonce to hand out now.
pub(crate) fn fresh_nonce(state: &State) -> String {
    nonce(state, state.now() / SLOT)
}

/// Nonces that are taken now, the newest first.
fn nonces(state: &State) -> [String; 2] {
    let slot = state.now() / SLOT;
    [nonce(state, slot), nonce(state, slot - 1)]
}

/// Hands out the nonce to whoever sends proofs, or was refused for want of one (RFC 9449 §8.2).
pub(crate) async fn offer_nonce(
    extract::State(state): extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let proves = request.headers().contains_key(PROOF);
    let mut response = next.run(request).await;
    let refused = matches!(response.status().as_u16(), 400 | 401);
    if (proves || refused)
        && let Ok(value) = HeaderValue::from_str(&fresh_nonce(&state))
    {
        response.headers_mut().insert(NONCE, value);
    }
    response
}

/// What the tokens of a client have to be bound to (RFC 9449 §5.2, RFC 8705 §3; FAPI 2.0
/// §5.3.2.1): to the proven key, and to the certificate where that is registered or nothing else
/// binds.
///
/// # Errors
/// `invalid_request` if the key that the client must prove was not: nothing is wrong with a proof,
/// there is none.
pub(crate) fn demanded(
    rules: &idp_protocol::client::Rules,
    proven: Binding,
    certificate: Option<&Chain>,
) -> Result<Binding, ProtocolError> {
    let mut binding = proven;
    if rules.certificate || rules.sender_constrained && binding.jkt.is_none() {
        binding.x5t = certificate.map(Chain::thumbprint);
    }
    if rules.certificate && binding.x5t.is_none() {
        let text = "This client's tokens are bound to its certificate: none was shown.";
        return Err(ProtocolError::invalid_request(text));
    }
    let bound = binding.cnf().is_some();
    if rules.dpop && binding.jkt.is_none() || rules.sender_constrained && !bound {
        let text = "This client's tokens are bound to a key: a DPoP proof is missing.";
        return Err(ProtocolError::invalid_request(text));
    }
    Ok(binding)
}
