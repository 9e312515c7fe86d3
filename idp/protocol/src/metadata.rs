//! The metadata document (OpenID Connect Discovery §3, RFC 8414 §2). What stands here is done by
//! an endpoint and proven by a test of its name.

use serde_json::{Value, json};

use crate::{acr, claims, client, scope};

/// What a deployment offers: its settings decide what the document may say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Issuer identifier without a trailing slash.
    pub issuer: String,
    /// `[protocol] implicit_and_hybrid`.
    pub implicit_and_hybrid: bool,
    /// `[protocol] sm2`.
    pub sm2: bool,
    /// `[protocol] client_id_metadata_documents`.
    pub client_id_metadata_documents: bool,
    /// Clients can register themselves, with a token or without.
    pub registration: bool,
    /// Client certificates reach us (RFC 8705).
    pub certificates: bool,
    /// Somebody is believed to vouch for client certificates (RFC 8705 §2.1).
    pub authorities: bool,
    /// Address of the listener that asks for them, where it is another one (RFC 8705 §5).
    pub mtls: Option<String>,
}

impl Offer {
    /// An address below the issuer.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

/// One feature's members. A member that is already there as a list is added to, any other replaced.
pub type Part = fn(&Offer) -> Value;

/// Every feature beside the core, each with its own file.
#[rustfmt::skip] // One a line: features arrive side by side.
const PARTS: &[Part] = &[
    crate::assertion::metadata,
    crate::certificate::metadata,
    client::document::metadata,
    client::registration::metadata,
    crate::authorize::metadata,
    crate::ciba::metadata,
    crate::details::metadata,
    crate::device::metadata,
    crate::dpop::metadata,
    crate::exchange::metadata,
    crate::jwe::metadata,
    crate::logout::metadata,
    crate::verified::metadata,
];

/// The document of an issuer.
#[must_use]
pub fn document(offer: &Offer) -> Value {
    let mut document = core(offer);
    for part in PARTS {
        merge(&mut document, part(offer));
    }
    let aliases = crate::certificate::aliases(offer, &document);
    merge(&mut document, aliases);
    if offer.sm2 {
        // GM/T 0125: whoever registered SM2 looks here; others' libraries do not meet the curve.
        merge(&mut document, json!({"sm2_jwks_uri": offer.at("/oauth2/jwks/sm2")}));
    }
    document
}

fn merge(document: &mut Value, part: Value) {
    let (Value::Object(known), Value::Object(members)) = (document, part) else { return };
    for (name, value) in members {
        match (known.get_mut(&name), value) {
            (Some(Value::Array(list)), Value::Array(more)) => {
                for value in more {
                    if !list.contains(&value) {
                        list.push(value);
                    }
                }
            }
            (_, value) => {
                known.insert(name, value);
            }
        }
    }
}

fn core(offer: &Offer) -> Value {
    let (issuer, at) = (&offer.issuer, |path: &str| offer.at(path));
    let signing = client::signing_algorithms(offer);
    let public_scopes: Vec<_> = scope::KNOWN.iter().filter(|word| **word != "staff").collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth2/authorize"),
        "token_endpoint": at("/oauth2/token"),
        "userinfo_endpoint": at("/oauth2/userinfo"),
        "jwks_uri": at("/oauth2/jwks"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "end_session_endpoint": at("/oauth2/end_session"),
        "scopes_supported": public_scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": signing,
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": signing,
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": signing,
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": signing,
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": acr::VALUES,
        "claims_supported": claims::SUPPORTED,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "display_values_supported": ["page"],
        "ui_locales_supported": ["zh-CN", "en"],
        "authorization_response_iss_parameter_supported": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize;
    use crate::jose::Algorithm;
    use crate::parameters::Parameters;

    fn offer() -> Offer {
        Offer { issuer: "https://id.example".to_owned(), ..Offer::default() }
    }

    #[test]
    fn a_part_adds_to_lists_and_replaces_the_rest() {
        let mut document = json!({"a": ["x"], "b": false});
        merge(&mut document, json!({"a": ["x", "y"], "b": true, "c": 1}));
        assert_eq!(document, json!({"a": ["x", "y"], "b": true, "c": 1}));
    }

    #[test]
    fn discovery_3_endpoints_stand_below_the_issuer() {
        let document = document(&offer());
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                assert!(
                    value.as_str().unwrap().starts_with("https://id.example/oauth2/"),
                    "{name}"
                );
            }
        }
        assert!(document["scopes_supported"].as_array().unwrap().contains(&json!("openid")));
    }

    #[test]
    fn rfc_8414_2_lists_hold_what_the_rules_take() {
        let document = document(&offer());
        let list =
            |name: &str| -> Vec<String> { serde_json::from_value(document[name].clone()).unwrap() };
        for value in list("id_token_signing_alg_values_supported") {
            assert!(Algorithm::from_name(&value).is_some(), "{value}");
        }
        for value in list("token_endpoint_auth_methods_supported") {
            let method: Result<client::AuthMethod, _> = serde_json::from_value(json!(value));
            assert!(method.is_ok(), "{value}");
        }
        let base = "redirect_uri=https://a.example/cb&scope=openid&response_type=code";
        let passes = |query: String| {
            let registration = json!({"redirect_uris": ["https://a.example/cb"]});
            let client = client::Client::from_json(registration).unwrap();
            let parameters = Parameters::parse(format!("{base}&{query}").as_bytes()).unwrap();
            authorize::check(&client, &parameters, authorize::Arrival::default()).is_ok()
        };
        for (list, parameter) in [
            (list("response_modes_supported"), "response_mode"),
            (list("prompt_values_supported"), "prompt"),
            (list("display_values_supported"), "display"),
            (list("ui_locales_supported"), "ui_locales"),
        ] {
            for value in list {
                assert!(passes(format!("{parameter}={value}")), "{parameter} {value}");
            }
        }
        for claim in list("claims_supported") {
            assert!(!claim.starts_with("staff"), "{claim}");
        }
        assert!(!list("scopes_supported").contains(&"staff".to_owned()));
        // Discovery §3: who may fetch what is said, because the default is anything.
        assert_eq!(document["require_request_uri_registration"], json!(true));
    }
}
