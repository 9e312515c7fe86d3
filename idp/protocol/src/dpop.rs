//! DPoP proofs (RFC 9449): a request shows that its sender holds a key.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use crate::jose::{self, Algorithm, Unverified};
use crate::metadata::Offer;
use crate::{ErrorCode, ProtocolError, compare};

/// Algorithms of proofs: asymmetric, and none that FAPI 2.0 §5.4.1 leaves out.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];

/// How far `iat` may lie from our clock, seconds to either side (RFC 9449 §11.1): a proof has to be
/// remembered that long.
pub const WINDOW: i64 = 120;

/// The `typ` of a proof (RFC 9449 §4.2).
const TYP: &str = "dpop+jwt";
/// Characters of a `jti` that is looked at (attacks row 42).
const LONGEST_JTI: usize = 256;

/// What a proof must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The request's method.
    pub method: &'a str,
    /// Addresses of the endpoint, as clients know them.
    pub addresses: &'a [String],
    /// The access token that comes with it, where one does.
    pub token: Option<&'a str>,
    /// Seconds UTC.
    pub now: i64,
}

/// A believed proof; that its `jti` is new remains to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of the key (RFC 9449 §6.1).
    pub jkt: String,
    /// Unique for the key (RFC 9449 §4.2).
    pub jti: String,
    /// Seconds UTC.
    pub issued: i64,
    /// The server's nonce, where the proof holds one (RFC 9449 §8).
    pub nonce: Option<String>,
}

fn refuse(description: &'static str) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidDpopProof, description)
}

/// Checks a proof (RFC 9449 §4.3, in the order of its items); `headers` are all `DPoP` headers of
/// the request.
///
/// # Errors
/// `invalid_dpop_proof`.
pub fn check(headers: &[&str], expected: Expected<'_>) -> Result<Proof, ProtocolError> {
    // Item 1: not more than one header.
    let [text] = headers else { return Err(refuse("There must be exactly one DPoP proof.")) };
    // Item 2: one well-formed JWT.
    let token = Unverified::parse(text).map_err(|_| refuse("The DPoP proof is malformed."))?;
    // Item 7: a public key, and nothing that its owner alone should know.
    let key = token.jwk().cloned().ok_or(refuse("The DPoP proof has no jwk."))?;
    if jose::is_private(&key) {
        return Err(refuse("The jwk of the DPoP proof holds a private or symmetric key."));
    }
    let jkt = jose::thumbprint(&key).map_err(|_| refuse("The jwk of the DPoP proof is no key."))?;
    // Items 4, 5, 6: typed, an asymmetric algorithm of ours, signed by that key.
    let claims = token
        .verify(std::slice::from_ref(&key), &ALGORITHMS, Some(TYP))
        .map_err(|_| refuse("The DPoP proof is not a dpop+jwt that its jwk has signed."))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Item 3: the required claims.
    let jti = text("jti").filter(|jti| (1..=LONGEST_JTI).contains(&jti.len()));
    let jti = jti.ok_or(refuse("The DPoP proof has no jti."))?.to_owned();
    let issued = claims.get("iat").and_then(jose::seconds);
    let issued = issued.ok_or(refuse("The DPoP proof has no iat."))?;
    // Item 8: the method, whose case counts (RFC 9110 §9.1).
    if text("htm") != Some(expected.method) {
        return Err(refuse("The htm of the DPoP proof is not the method of the request."));
    }
    // Item 9: the address, without query and fragment.
    let address = text("htu").and_then(plain).ok_or(refuse("The DPoP proof has no htu."))?;
    if !expected.addresses.iter().any(|known| plain(known).as_ref() == Some(&address)) {
        return Err(refuse("The htu of the DPoP proof is not the address of the request."));
    }
    // Item 11: fresh; what its own nbf and exp say is not asked.
    // The distance of an iat of an age ago is longer than a signed number.
    if issued.abs_diff(expected.now) > WINDOW.unsigned_abs() {
        return Err(refuse("The DPoP proof is too old or from the future."));
    }
    // Item 12: about this very token.
    if let Some(token) = expected.token {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if !text("ath").is_some_and(|ath| compare::same(ath, &hash)) {
            return Err(refuse("The ath of the DPoP proof is not the hash of the access token."));
        }
    }
    Ok(Proof { jkt, jti, issued, nonce: text("nonce").map(str::to_owned) })
}

/// An address as two of them are compared (RFC 9449 §4.3: syntax- and scheme-based normalisation
/// of RFC 3986 §6.2.2 and §6.2.3).
fn plain(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

/// Members of the metadata (RFC 9449 §5.1).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({ "dpop_signing_alg_values_supported": ALGORITHMS.map(Algorithm::name) })
}

#[cfg(test)]
mod tests;
