//! Whose rules a client lives by.
//!
//! A policy is a set of mandates, and a registration may add its own. Each mandate is asked for by
//! itself: that one is met never switches off another.

use serde::{Deserialize, Serialize};

use super::Client;
use crate::jose::Algorithm;

/// A set of rules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Plain OpenID Connect.
    #[default]
    Openid,
    /// FAPI 2.0 Security Profile, final.
    Fapi2,
    /// FAPI 2.0 Message Signing, final: the same with signed requests.
    Fapi2MessageSigning,
    /// FAPI-CIBA.
    Ciba,
}

/// What a client must do, and what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each mandate stands for itself.
pub struct Rules {
    /// PKCE with S256 (RFC 7636; FAPI 2.0 §5.3.2.2).
    pub pkce: bool,
    /// Authorization requests come by PAR only (RFC 9126 §6; FAPI 2.0 §5.3.2.2).
    pub pushed: bool,
    /// Authorization requests are signed (RFC 9101 §10.5; Message Signing §5.3.1).
    pub signed_request: bool,
    /// Access tokens are bound to a key, by DPoP or by certificate (FAPI 2.0 §5.3.2.1).
    pub sender_constrained: bool,
    /// The binding has to be DPoP (RFC 9449 §5.2).
    pub dpop: bool,
    /// The binding has to be the certificate (RFC 8705 §3.4).
    pub certificate: bool,
    /// Only asymmetric client authentication (FAPI 2.0 §5.3.2.1).
    pub strong_authentication: bool,
    /// The audience of an assertion is the issuer, as a string (FAPI 2.0 §5.3.2.1).
    pub issuer_audience: bool,
    /// The `redirect_uri` stands in each request (FAPI 2.0 §5.3.2.2).
    pub redirect_uri: bool,
    /// Only the response type `code` (FAPI 2.0 §5.3.2.2).
    pub code_only: bool,
    /// Backchannel requests are signed (FAPI-CIBA §5.2.2).
    pub signed_backchannel: bool,
    /// Refresh tokens do not need `offline_access` to be asked for.
    pub refresh_without_asking: bool,
    /// Every authorization is allowed by the person there and then. Our own rule: what a FAPI client
    /// gets is worth a look each time, and its certification wants it refused after it was allowed
    /// (the module user-rejects-authentication).
    pub asks_each_time: bool,
    /// A refresh token stays the same, because its key already guards it (FAPI 2.0 §5.3.2.1).
    pub refresh_stays: bool,
}

/// Algorithms that FAPI 2.0 §5.4.1 leaves.
const STRONG: &[Algorithm] = &[Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

impl Rules {
    pub(super) fn of(client: &Client) -> Self {
        let fapi2 = matches!(client.policy, Policy::Fapi2 | Policy::Fapi2MessageSigning);
        let ciba = client.policy == Policy::Ciba;
        let signing = client.policy == Policy::Fapi2MessageSigning;
        Self {
            // RFC 9700 §2.1.1: public clients always.
            pkce: fapi2 || client.is_public(),
            pushed: fapi2 || client.require_pushed_authorization_requests,
            signed_request: signing || client.require_signed_request_object,
            sender_constrained: fapi2
                || ciba
                || client.dpop_bound_access_tokens
                || client.tls_client_certificate_bound_access_tokens,
            dpop: client.dpop_bound_access_tokens,
            // FAPI-CIBA builds on FAPI 1, whose tokens are bound to certificates.
            certificate: ciba || client.tls_client_certificate_bound_access_tokens,
            strong_authentication: fapi2 || ciba,
            issuer_audience: fapi2,
            redirect_uri: fapi2,
            code_only: fapi2 || ciba,
            signed_backchannel: ciba,
            refresh_without_asking: fapi2 || ciba,
            asks_each_time: fapi2,
            refresh_stays: fapi2 || ciba,
        }
    }

    /// Algorithms with which the client may sign where its registration names none.
    #[must_use]
    pub fn algorithms(&self) -> &'static [Algorithm] {
        if self.strong_authentication { STRONG } else { &Algorithm::USUAL }
    }

    /// Whether the registration may name this algorithm: SM2 serves only whoever does (attacks
    /// row 11), and FAPI 2.0 §5.4.1 does not know it.
    #[must_use]
    pub fn names(&self, algorithm: Algorithm) -> bool {
        self.algorithms().contains(&algorithm)
            || algorithm == Algorithm::Sm2 && !self.strong_authentication
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(more: serde_json::Value) -> Client {
        let mut value = json!({"client_id": "a", "redirect_uris": ["https://a.example/cb"]});
        for (name, member) in more.as_object().unwrap() {
            value[name] = member.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn fapi2_5_3_2_each_mandate_stands_whatever_else_is_registered() {
        for more in [json!({}), json!({"tls_client_certificate_bound_access_tokens": true})] {
            let mut more = more;
            more["policy"] = json!("fapi2");
            let rules = client(more).rules();
            assert!(rules.pkce && rules.pushed && rules.sender_constrained);
            assert!(rules.strong_authentication && rules.issuer_audience && rules.code_only);
            assert!(!rules.signed_request);
            assert!(!rules.algorithms().contains(&Algorithm::Rs256));
        }
        assert!(client(json!({"policy": "fapi2-message-signing"})).rules().signed_request);
    }

    #[test]
    fn a_registration_adds_its_own_mandates() {
        let plain = client(json!({})).rules();
        assert!(!plain.pkce && !plain.pushed && !plain.sender_constrained);
        assert!(client(json!({"token_endpoint_auth_method": "none"})).rules().pkce);
        assert!(client(json!({"require_pushed_authorization_requests": true})).rules().pushed);
        assert!(client(json!({"require_signed_request_object": true})).rules().signed_request);
        let bound = client(json!({"dpop_bound_access_tokens": true})).rules();
        assert!(bound.dpop && bound.sender_constrained && !bound.certificate);
    }
}
