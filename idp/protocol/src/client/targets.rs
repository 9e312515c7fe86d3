//! For what a client may have tokens beside its scopes.

use super::Client;
use crate::{details, target};

/// Members of either list (attacks row 42).
const MOST: usize = 32;

impl Client {
    /// What keeps its resources and types of authorization details from being used.
    pub(super) fn target_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.resources.len() > MOST || self.authorization_details_types.len() > MOST {
            faults.push(format!("A list of targets has more than {MOST} members."));
        }
        // RFC 8707 §2.
        if !self.resources.iter().all(|resource| target::nameable(resource)) {
            faults.push("`resources`: absolute URIs without a fragment.".to_owned());
        }
        let named = self.introspects.iter().all(|resource| target::nameable(resource));
        if self.introspects.len() > MOST || !named {
            faults.push("`introspects`: absolute URIs without a fragment.".to_owned());
        }
        // RFC 7662 §4: whoever could ask without credentials could test stolen tokens.
        if self.is_public() && !self.introspects.is_empty() {
            faults.push("`introspects`: the client needs credentials.".to_owned());
        }
        // RFC 8693 §4.4.
        let id = |id: &String| (1..=200).contains(&id.len()) && *id != self.client_id;
        if self.may_act.len() > MOST || !self.may_act.iter().all(id) {
            faults.push("`may_act`: ids of other clients.".to_owned());
        }
        // RFC 9396 §10.
        for kind in &self.authorization_details_types {
            if !details::TYPES.contains(&kind.as_str()) {
                faults.push("`authorization_details_types`: a type is unknown here.".to_owned());
            }
        }
        faults
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

    #[test]
    fn rfc_8707_2_registered_resources_are_absolute() {
        assert!(faults(json!({"resources": ["https://api.example", "urn:a:b"]})).is_empty());
        for wrong in ["api", "https://api.example#x", "https://a b", ""] {
            assert_eq!(faults(json!({"resources": [wrong]})).len(), 1, "{wrong}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("urn:a:{n}")).collect();
        assert_eq!(faults(json!({"resources": many})).len(), 1);
    }

    #[test]
    fn rfc_7662_4_who_introspects_for_a_resource_has_credentials_and_names_it() {
        assert!(faults(json!({"introspects": ["https://api.example"]})).is_empty());
        let public = json!({"introspects": ["https://api.example"],
            "token_endpoint_auth_method": "none"});
        assert_eq!(faults(public).len(), 1);
        assert_eq!(faults(json!({"introspects": ["api"]})).len(), 1);
        let many: Vec<String> = (0..33).map(|n| format!("urn:a:{n}")).collect();
        assert_eq!(faults(json!({"introspects": many})).len(), 1);
    }

    #[test]
    fn rfc_9396_10_registered_types_are_known() {
        let types = |kind: &str| faults(json!({"authorization_details_types": [kind]}));
        assert!(types(details::CASE_ACCESS).is_empty());
        assert_eq!(types("payment_initiation").len(), 1);
    }
}
