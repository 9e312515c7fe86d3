//! What keeps a registration from being used: each fault a sentence.

use super::{AuthMethod, Client};
use crate::authorize::ResponseType;
use crate::jose::{self, Algorithm};
use crate::jwe::{self, Content, Management};
use crate::redirect_uri;
use crate::scope::Scope;

/// Members of any list of a registration (attacks row 42).
const MOST: usize = 32;
/// Characters that make a name look like another on a consent page.
fn misleading(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

const GRANTS: &[&str] = &[
    "authorization_code",
    "implicit",
    "refresh_token",
    "client_credentials",
    crate::device::GRANT,
    crate::ciba::GRANT,
    crate::exchange::GRANT,
    crate::assertion::GRANT,
];

impl Client {
    /// Everything that keeps the registration from being used.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.address_faults();
        self.key_faults(&mut faults);
        faults.extend(self.logout_faults());
        faults.extend(self.certificate_faults());
        faults.extend(self.target_faults());
        faults.extend(self.field_faults());
        let uses_code = self.may("authorization_code");
        let by_browser = uses_code || self.may("implicit");
        // Printable ASCII that neither header nor page has to escape (RFC 6749 Appendix A.1).
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>&'".contains(&byte);
        if self.client_id.len() > 200 || !self.client_id.bytes().all(plain) {
            faults.push("`client_id` is longer than 200 characters or not plain ASCII.".to_owned());
        }
        if self.grant_types.iter().any(|grant| !GRANTS.contains(&grant.as_str())) {
            faults.push("`grant_types`: this provider does not have all of these.".to_owned());
        }
        self.response_faults(&mut faults);
        // FAPI 2.0 §5.3.2.1, item 6: no secrets, and nobody without credentials.
        let shared =
            [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::None];
        if self.rules().strong_authentication && shared.contains(&self.token_endpoint_auth_method) {
            let text = "`token_endpoint_auth_method`: the policy asks for a key or a certificate.";
            faults.push(text.to_owned());
        }
        self.backchannel_faults(&mut faults);
        // RFC 6749 §6: a refresh token comes of a code.
        if self.may("refresh_token")
            && !uses_code
            && !self.may(crate::device::GRANT)
            && !self.may(crate::ciba::GRANT)
        {
            faults.push("`refresh_token` needs `authorization_code`.".to_owned());
        }
        // RFC 6749 §4.4: client credentials are for confidential clients only.
        if self.is_public() && self.may("client_credentials") {
            faults.push("A public client cannot use `client_credentials`.".to_owned());
        }
        if self.is_public() && self.may(crate::exchange::GRANT) {
            faults.push("A public client cannot exchange tokens.".to_owned());
        }
        // RFC 7523 §3, item 9: an assertion is signed by the client's key.
        if self.may(crate::assertion::GRANT)
            && (self.is_public() || self.jwks.is_none() && self.jwks_uri.is_none())
        {
            let text = "The grant `jwt-bearer` needs credentials and `jwks` or `jwks_uri`.";
            faults.push(text.to_owned());
        }
        // FAPI 2.0 §5.3.2.1 knows grants that a person takes part in, and the client's own.
        if self.may(crate::assertion::GRANT) && self.rules().strong_authentication {
            faults.push("The policy does not know the grant `jwt-bearer`.".to_owned());
        }
        match Scope::parse(&self.scope) {
            Err(_) => faults.push("`scope` is malformed.".to_owned()),
            // Officers do not consent: only a house of the operator may learn who they are.
            Ok(scope) if scope.has("staff") && self.legal_basis.is_none() => {
                faults.push("The scope `staff` needs a `legal_basis`.".to_owned());
            }
            Ok(_) => {}
        }
        for name in [Some(&self.client_name), self.client_name_en.as_ref()].into_iter().flatten() {
            if name.chars().count() > 100 || name.chars().any(misleading) {
                faults.push("`client_name` is longer than 100 characters or not text.".to_owned());
            }
        }
        if self.default_max_age.is_some_and(|seconds| seconds < 0) {
            faults.push("`default_max_age` is negative.".to_owned());
        }
        if by_browser && self.sector().is_none() {
            faults.push("`sector` cannot be derived from `redirect_uris`.".to_owned());
        }
        faults
    }

    /// OpenID Connect Registration §2: each response type with the grants that it needs. Whether the
    /// operator offers those from the front is asked at each request.
    fn response_faults(&self, faults: &mut Vec<String>) {
        for name in &self.response_types {
            let Some(kind) = ResponseType::parse(name) else {
                faults
                    .push("`response_types`: only those of OpenID Connect are offered.".to_owned());
                continue;
            };
            // `code` is what stands there when nothing is said, of who uses no browser, too.
            let said = self.response_types.len() > 1 || self.may("implicit");
            if kind.code && !self.may("authorization_code") && said {
                faults.push(format!("`response_types`: `{name}` needs `authorization_code`."));
            }
            if kind.front() && !self.may("implicit") {
                faults.push(format!("`response_types`: `{name}` needs the grant `implicit`."));
            }
            if kind.front() && self.rules().code_only {
                faults.push(format!("`response_types`: the policy does not know `{name}`."));
            }
        }
    }

    /// CIBA Core §4.
    fn backchannel_faults(&self, faults: &mut Vec<String>) {
        let endpoint = self.backchannel_client_notification_endpoint.as_ref();
        let https =
            |uri: &String| uri.starts_with("https://") && redirect_uri::registrable(uri).is_ok();
        if endpoint.is_some_and(|uri| !https(uri)) {
            let told = "`backchannel_client_notification_endpoint` must be a plain https address.";
            faults.push(told.to_owned());
        }
        if self.backchannel_user_code_parameter {
            faults
                .push("`backchannel_user_code_parameter`: user codes are not offered.".to_owned());
        }
        if !self.may(crate::ciba::GRANT) {
            return;
        }
        match self.backchannel_token_delivery_mode.as_deref() {
            Some("poll") => {}
            Some("ping") if endpoint.is_some() => {}
            Some("ping") => {
                let told = "`ping` needs `backchannel_client_notification_endpoint`.";
                faults.push(told.to_owned());
            }
            _ => faults.push("`backchannel_token_delivery_mode` must be poll or ping.".to_owned()),
        }
        let named = self.backchannel_authentication_request_signing_alg.as_deref();
        let offered = |name| {
            Algorithm::from_name(name).is_some_and(|algorithm| self.rules().names(algorithm))
        };
        if named.is_some_and(|name| !offered(name)) {
            let told = "`backchannel_authentication_request_signing_alg` is not offered.";
            faults.push(told.to_owned());
        }
        // CIBA Core §4: the client authenticates.
        if self.is_public() {
            faults.push("A public client cannot ask over the back channel.".to_owned());
        }
    }

    fn address_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let by_browser = self.may("authorization_code") || self.may("implicit");
        if by_browser && self.redirect_uris.is_empty() {
            faults.push("`redirect_uris` is empty.".to_owned());
        }
        for (name, uris) in [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ] {
            if uris.len() > MOST {
                faults.push(format!("`{name}` has more than {MOST} members."));
            }
            let found = uris.iter().filter_map(|uri| redirect_uri::registrable(uri).err());
            faults.extend(found.map(|fault| format!("`{name}`: {fault}.")));
        }
        if self.contacts.len() > MOST || self.contacts.iter().any(|contact| contact.len() > 256) {
            faults.push("`contacts` is too long.".to_owned());
        }
        // They become links on our pages or addresses that browsers are sent to.
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("initiate_login_uri", &self.initiate_login_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ] {
            let https = |uri: &String| {
                uri.starts_with("https://") && redirect_uri::registrable(uri).is_ok()
            };
            if uri.as_ref().is_some_and(|uri| !https(uri)) {
                faults.push(format!("`{name}` must be a plain https address."));
            }
        }
        faults
    }

    /// Encrypted answers: what is registered must be offered, and there must be a key.
    fn answer_faults(&self, faults: &mut Vec<String>) {
        let keys = self.jwks.as_ref().and_then(|jwks| jwks.get("keys"));
        let keys = keys.and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
        for (name, alg, enc) in [
            (
                "id_token",
                &self.id_token_encrypted_response_alg,
                &self.id_token_encrypted_response_enc,
            ),
            (
                "userinfo",
                &self.userinfo_encrypted_response_alg,
                &self.userinfo_encrypted_response_enc,
            ),
            (
                "introspection",
                &self.introspection_encrypted_response_alg,
                &self.introspection_encrypted_response_enc,
            ),
            (
                "authorization",
                &self.authorization_encrypted_response_alg,
                &self.authorization_encrypted_response_enc,
            ),
        ] {
            let Some(alg) = alg.as_deref() else { continue };
            let Some(management) = Management::from_name(alg) else {
                faults.push(format!("`{name}_encrypted_response_alg` is not offered."));
                continue;
            };
            if enc.as_deref().and_then(Content::from_name).is_none() {
                let told = "must be A128GCM or A256GCM";
                faults.push(format!("`{name}_encrypted_response_enc` {told}."));
            }
            if self.jwks_uri.is_none() && !keys.iter().any(|key| jwe::fits(key, management)) {
                faults.push(format!("`{name}_encrypted_response_alg` needs a key in `jwks`."));
            }
        }
    }

    fn key_faults(&self, faults: &mut Vec<String>) {
        self.answer_faults(faults);
        if Algorithm::from_name(&self.id_token_signed_response_alg).is_none() {
            faults.push("`id_token_signed_response_alg` is not offered.".to_owned());
        }
        match &self.jwks {
            None if self.token_endpoint_auth_method == AuthMethod::PrivateKeyJwt
                && self.jwks_uri.is_none() =>
            {
                faults.push("`private_key_jwt` needs `jwks` or `jwks_uri`.".to_owned());
            }
            None => {}
            Some(jwks) => match jose::registrable(jwks) {
                Err(fault) => faults.push(format!("{fault}.")),
                // What it will sign could never be believed.
                Ok(()) if self.signs() && !jose::verifies(jwks) => {
                    faults.push("`jwks` needs a key for signatures.".to_owned());
                }
                Ok(()) => {}
            },
        }
    }

    /// Whether its requests, or those over the back channel, are taken signed only (RFC 9101 §10.5,
    /// FAPI-CIBA §5.2.2).
    pub(super) fn must_sign(&self) -> bool {
        let rules = self.rules();
        rules.signed_request || rules.signed_backchannel && self.may(crate::ciba::GRANT)
    }

    /// Whether it has said that it will sign, or show a certificate of a key that it registers.
    fn signs(&self) -> bool {
        matches!(
            self.token_endpoint_auth_method,
            AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClientAuth
        ) || self.must_sign()
            || self.may(crate::assertion::GRANT)
            || self.request_object_signing_alg.is_some()
            || self.backchannel_authentication_request_signing_alg.is_some()
    }
}
