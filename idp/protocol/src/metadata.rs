//! The metadata document (OpenID Connect Discovery §3, RFC 8414 §2). What stands here is done by
//! an endpoint and proven by a test of its name.

use serde_json::{Value, json};

use crate::{acr, claims, client, scope};

/// The document of an issuer.
#[must_use]
pub fn document(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
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
        "id_token_signing_alg_values_supported": client::SIGNING_ALGORITHMS,
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": client::SIGNING_ALGORITHMS,
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": client::SIGNING_ALGORITHMS,
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": client::SIGNING_ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": acr::VALUES,
        "claims_supported": claims::SUPPORTED,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
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

    #[test]
    fn discovery_3_endpoints_stand_below_the_issuer() {
        let document = document("https://id.example");
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
        let document = document("https://id.example");
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
            authorize::check(&client, &parameters).is_ok()
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
        // Discovery §3: what is not said would be taken for true.
        assert_eq!(document["request_uri_parameter_supported"], json!(false));
    }
}
