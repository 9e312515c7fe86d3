//! Where a client is told that a session has ended.

use super::Client;
use crate::{logout, redirect_uri};

impl Client {
    /// What keeps its logout addresses from being used.
    pub(super) fn logout_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, uri) in [
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
            ("frontchannel_logout_uri", &self.frontchannel_logout_uri),
        ] {
            // Back-Channel Logout §2.2, Front-Channel Logout §2: absolute, without a fragment; a
            // private-use scheme is no server and no frame.
            let usable = |uri: &String| {
                logout::origin(uri).is_some() && redirect_uri::registrable(uri).is_ok()
            };
            if uri.as_ref().is_some_and(|uri| !usable(uri)) {
                faults.push(format!("`{name}` must be a plain https address."));
            }
        }
        // Front-Channel Logout §2: of the same origin as a registered redirect URI, so that nobody
        // has us frame a stranger's page.
        if let Some(uri) = &self.frontchannel_logout_uri
            && !self.redirect_uris.iter().any(|back| logout::origin(back) == logout::origin(uri))
        {
            let text = "`frontchannel_logout_uri` is of another origin than the redirect URIs.";
            faults.push(text.to_owned());
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
    fn frontchannel_logout_2_the_frame_is_of_a_redirect_uris_origin() {
        let front = |uri: &str| faults(json!({"frontchannel_logout_uri": uri}));
        assert!(front("https://a.example/out?x=1").is_empty());
        for uri in ["https://b.example/out", "https://a.example:444/out", "http://a.example/out"] {
            assert!(!front(uri).is_empty(), "{uri}");
        }
    }

    #[test]
    fn backchannel_logout_2_2_the_address_is_plain() {
        let back = |uri: &str| faults(json!({"backchannel_logout_uri": uri}));
        // Another host than the redirect URIs' is usual: a server behind the site.
        for uri in ["https://back.example/out", "http://localhost:9000/out"] {
            assert!(back(uri).is_empty(), "{uri}");
        }
        for uri in ["https://a.example/#x", "http://a.example/", "com.example.app:/x", "x", ""] {
            assert!(!back(uri).is_empty(), "{uri}");
        }
    }
}
