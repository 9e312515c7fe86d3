//! What the members of a registration must be, each by itself and against the client's policy.

use super::Client;
use crate::jose::Algorithm;
use crate::jwe::{Content, Management};
use crate::redirect_uri;

/// Members of any list of a registration (attacks row 42).
const MOST: usize = 32;
/// Characters of a text that nobody acts upon.
const LONGEST: usize = 256;

/// An https address that is fetched or called by us; a fragment may stand where it has a meaning.
fn plain(uri: &str) -> bool {
    uri.starts_with("https://") && redirect_uri::registrable(uri).is_ok()
}

impl Client {
    /// The members that name an algorithm of signatures.
    fn signing(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("id_token_signed_response_alg", Some(&self.id_token_signed_response_alg)),
            ("userinfo_signed_response_alg", self.userinfo_signed_response_alg.as_deref()),
            (
                "introspection_signed_response_alg",
                self.introspection_signed_response_alg.as_deref(),
            ),
            (
                "authorization_signed_response_alg",
                self.authorization_signed_response_alg.as_deref(),
            ),
            ("token_endpoint_auth_signing_alg", self.token_endpoint_auth_signing_alg.as_deref()),
            ("request_object_signing_alg", self.request_object_signing_alg.as_deref()),
            (
                "backchannel_authentication_request_signing_alg",
                self.backchannel_authentication_request_signing_alg.as_deref(),
            ),
        ]
    }

    /// Members that name this algorithm and did not before: what an operator took out of the offer
    /// is left to whoever has it, and given to nobody anew.
    #[must_use]
    pub fn names_anew(&self, algorithm: Algorithm, before: Option<&Self>) -> Vec<&'static str> {
        let named = |(_, value): (_, Option<&str>)| value == Some(algorithm.name());
        let had = before.map(|before| before.signing().map(named)).unwrap_or_default();
        let now = self.signing().into_iter().zip(had);
        now.filter(|(member, had)| named(*member) && !had).map(|((name, _), _)| name).collect()
    }

    /// What keeps its members from being used.
    pub(super) fn field_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.list_faults(&mut faults);
        self.signing_faults(&mut faults);
        self.encryption_faults(&mut faults);
        self.source_faults(&mut faults);
        // RFC 9101 §10.5, FAPI-CIBA §5.2.2: whoever must sign has registered with what.
        if self.must_sign() && self.jwks.is_none() && self.jwks_uri.is_none() {
            faults.push("Signed requests need `jwks` or `jwks_uri`.".to_owned());
        }
        faults
    }

    fn list_faults(&self, faults: &mut Vec<String>) {
        for (name, list) in [
            ("grant_types", &self.grant_types),
            ("response_types", &self.response_types),
            ("default_acr_values", &self.default_acr_values),
            ("request_uris", &self.request_uris),
        ] {
            if list.len() > MOST || list.iter().any(|text| text.len() > 2048) {
                faults.push(format!("`{name}` is too long."));
            }
        }
        for (name, text) in
            [("software_id", &self.software_id), ("software_version", &self.software_version)]
        {
            if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
                faults.push(format!("`{name}` is longer than {LONGEST} characters."));
            }
        }
    }

    fn signing_faults(&self, faults: &mut Vec<String>) {
        let rules = self.rules();
        for (name, pinned) in [
            ("token_endpoint_auth_signing_alg", &self.token_endpoint_auth_signing_alg),
            ("userinfo_signed_response_alg", &self.userinfo_signed_response_alg),
            ("introspection_signed_response_alg", &self.introspection_signed_response_alg),
            ("authorization_signed_response_alg", &self.authorization_signed_response_alg),
            ("request_object_signing_alg", &self.request_object_signing_alg),
        ] {
            let Some(text) = pinned.as_deref() else { continue };
            match Algorithm::from_name(text) {
                // RFC 7518 §3.1 `none` is no signature (attacks row 11).
                None => faults.push(format!("`{name}` is not offered.")),
                Some(algorithm) if !rules.names(algorithm) => {
                    faults.push(format!("`{name}`: the policy does not know this algorithm."));
                }
                Some(_) => {}
            }
        }
        let own = Algorithm::from_name(&self.id_token_signed_response_alg);
        if own.is_some_and(|own| !rules.names(own)) {
            let text = "`id_token_signed_response_alg`: the policy does not know this algorithm.";
            faults.push(text.to_owned());
        }
    }

    /// OpenID Connect Registration §2: `enc` needs `alg`. What is offered for answers is asked where
    /// their keys are.
    fn encryption_faults(&self, faults: &mut Vec<String>) {
        for (what, alg, enc) in [
            (
                "id_token_encrypted_response",
                &self.id_token_encrypted_response_alg,
                &self.id_token_encrypted_response_enc,
            ),
            (
                "userinfo_encrypted_response",
                &self.userinfo_encrypted_response_alg,
                &self.userinfo_encrypted_response_enc,
            ),
            (
                "introspection_encrypted_response",
                &self.introspection_encrypted_response_alg,
                &self.introspection_encrypted_response_enc,
            ),
            (
                "authorization_encrypted_response",
                &self.authorization_encrypted_response_alg,
                &self.authorization_encrypted_response_enc,
            ),
            (
                "request_object_encryption",
                &self.request_object_encryption_alg,
                &self.request_object_encryption_enc,
            ),
        ] {
            if enc.is_some() && alg.is_none() {
                faults.push(format!("`{what}_enc` needs `{what}_alg`."));
            }
        }
        let alg = self.request_object_encryption_alg.as_deref();
        if alg.is_some_and(|alg| Management::from_name(alg).is_none()) {
            faults.push("`request_object_encryption_alg` is not offered.".to_owned());
        }
        let enc = self.request_object_encryption_enc.as_deref();
        if enc.is_some_and(|enc| Content::from_name(enc).is_none()) {
            faults.push("`request_object_encryption_enc` is not offered.".to_owned());
        }
    }

    fn source_faults(&self, faults: &mut Vec<String>) {
        // RFC 7591 §2: one of the two.
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            faults.push("`jwks` and `jwks_uri` cannot both be registered.".to_owned());
        }
        if self.jwks_uri.as_ref().is_some_and(|uri| !plain(uri)) {
            faults.push("`jwks_uri` must be a plain https address.".to_owned());
        }
        // OpenID Connect Core §6.2: the fragment may hold the digest of what stands there.
        let fetched = |uri: &String| plain(uri.split('#').next().unwrap_or_default());
        if !self.request_uris.iter().all(fetched) {
            faults.push("`request_uris` must be plain https addresses.".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(extra: Value) -> Vec<String> {
        let mut value = json!({"redirect_uris": ["https://a.example/cb"], "scope": "openid"});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Client::from_json(value).err().unwrap_or_default()
    }

    fn key() -> Value {
        let pkcs8 = crate::jose::generate(Algorithm::Es256).unwrap();
        crate::jose::Signer::new(Algorithm::Es256, &pkcs8).unwrap().jwk().clone()
    }

    #[test]
    fn registration_2_each_member_has_its_fault() {
        for (members, named) in [
            (json!({"userinfo_signed_response_alg": "HS256"}), "`userinfo_signed_response_alg`"),
            (json!({"request_object_signing_alg": "none"}), "`request_object_signing_alg`"),
            (json!({"authorization_signed_response_alg": "x"}), "`authorization_signed"),
            (json!({"introspection_signed_response_alg": ""}), "`introspection_signed"),
            (json!({"id_token_encrypted_response_enc": "A128GCM"}), "needs `id_token_encrypted"),
            (json!({"userinfo_encrypted_response_alg": "RSA1_5"}), "is not offered"),
            (json!({"jwks_uri": "http://a.example/k"}), "`jwks_uri`"),
            (json!({"jwks_uri": "https://u@a.example/k"}), "`jwks_uri`"),
            (json!({"jwks_uri": "https://a.example/k", "jwks": {"keys": [key()]}}), "both"),
            (json!({"request_uris": ["http://a.example/r"]}), "`request_uris`"),
            (json!({"request_uris": vec!["https://a.example/r"; 33]}), "`request_uris`"),
            (json!({"software_id": "x".repeat(257)}), "`software_id`"),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), "`private_key_jwt` needs"),
        ] {
            let found = faults(members.clone());
            assert!(found.iter().any(|fault| fault.contains(named)), "{members} {found:?}");
        }
        for members in [
            json!({"userinfo_signed_response_alg": "RS256"}),
            json!({"id_token_signed_response_alg": "SGD_SM3_SM2"}),
            json!({"jwks_uri": "https://a.example/k", "token_endpoint_auth_method": "private_key_jwt"}),
            json!({"request_uris": ["https://a.example/r#digest"]}),
            json!({"default_acr_values": ["urn:x"], "software_id": "s"}),
        ] {
            assert_eq!(faults(members.clone()), Vec::<String>::new(), "{members}");
        }
    }

    #[test]
    fn fapi2_5_3_2_1_a_policy_wants_keys_and_strong_algorithms() {
        let with = |more: Value| {
            let mut value = json!({"policy": "fapi2", "jwks": {"keys": [key()]},
                "token_endpoint_auth_method": "private_key_jwt"});
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            faults(value)
        };
        assert_eq!(with(json!({})), Vec::<String>::new());
        for more in [
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"token_endpoint_auth_method": "none"}),
            json!({"token_endpoint_auth_signing_alg": "RS256"}),
            json!({"id_token_signed_response_alg": "RS256"}),
            json!({"request_object_signing_alg": "RS256"}),
            json!({"id_token_signed_response_alg": "SGD_SM3_SM2"}),
            json!({"token_endpoint_auth_signing_alg": "SGD_SM3_SM2"}),
        ] {
            assert_eq!(with(more.clone()).len(), 1, "{more}");
        }
    }

    #[test]
    fn registration_2_a_key_for_encryption_is_enough_for_who_signs_nothing() {
        let mut sealing = key();
        sealing.as_object_mut().unwrap().remove("alg");
        sealing["use"] = json!("enc");
        let with = |more: Value| {
            let mut value = json!({"jwks": {"keys": [sealing]},
                "id_token_encrypted_response_alg": "ECDH-ES",
                "id_token_encrypted_response_enc": "A128GCM"});
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            faults(value)
        };
        assert_eq!(with(json!({})), Vec::<String>::new());
        for more in [
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"}),
            json!({"require_signed_request_object": true}),
            json!({"request_object_signing_alg": "ES256"}),
            json!({"backchannel_authentication_request_signing_alg": "ES256"}),
            json!({"grant_types": [crate::assertion::GRANT]}),
            json!({"grant_types": [crate::ciba::GRANT], "policy": "ciba"}),
        ] {
            let found = with(more.clone());
            assert!(found.contains(&"`jwks` needs a key for signatures.".to_owned()), "{found:?}");
        }
        let short = json!({"jwks": {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}});
        assert!(faults(short).iter().any(|fault| fault.contains("no usable key")));
    }

    #[test]
    fn rfc_9101_10_5_signing_needs_keys() {
        assert_eq!(faults(json!({"require_signed_request_object": true})).len(), 1);
        let uri = "https://a.example/k";
        let keyed = json!({"require_signed_request_object": true, "jwks_uri": uri});
        assert!(faults(keyed).is_empty());
    }
}
