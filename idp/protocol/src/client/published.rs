//! Documents that a client publishes and we fetch: its keys, its sector. Not believed until they
//! are read here (attacks rows 17, 42).

use serde_json::Value;

/// Keys of one set: a client that rotates has a handful.
const MOST: usize = 32;
/// Members of a key that only its owner, or both sides of a shared secret, may know (RFC 7518
/// §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The public keys of a key set (RFC 7517 §5); none if it is no key set, or holds what nobody may
/// see: then everybody has seen it.
#[must_use]
pub fn keys(body: &[u8]) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let keys = document.get("keys")?.as_array()?;
    let public = |key: &Value| {
        key.as_object().is_some_and(|key| PRIVATE.iter().all(|name| !key.contains_key(*name)))
    };
    (keys.len() <= MOST && keys.iter().all(public)).then(|| keys.clone())
}

/// Whether the document behind a `sector_identifier_uri` names every redirect URI (OpenID Connect
/// Core §8.1, Registration §5): who cannot write there cannot join the sector. Who has no redirect
/// URI has nothing that could be named, so that any list would do: it joins none.
#[must_use]
pub fn sector_names(body: &[u8], redirect_uris: &[String]) -> bool {
    let named: Vec<String> = serde_json::from_slice(body).unwrap_or_default();
    !redirect_uris.is_empty() && redirect_uris.iter().all(|uri| named.contains(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7517_5_a_key_set_is_public_and_of_bounded_length() {
        assert_eq!(keys(br#"{"keys": [{"kty": "EC", "kid": "a"}], "x": 1}"#).unwrap().len(), 1);
        assert_eq!(keys(br#"{"keys": []}"#).unwrap().len(), 0);
        for bad in [
            r#"{"keys": [{"kty": "EC", "d": "x"}]}"#,
            r#"{"keys": [{"kty": "oct", "k": "x"}]}"#,
            r#"{"keys": [1]}"#,
            r#"{"keys": {}}"#,
            "[]",
            "<html>",
            "",
        ] {
            assert_eq!(keys(bad.as_bytes()), None, "{bad}");
        }
        let many = serde_json::json!({"keys": vec![serde_json::json!({"kty": "EC"}); 33]});
        assert_eq!(keys(many.to_string().as_bytes()), None);
    }

    #[test]
    fn core_8_1_the_sectors_document_names_every_redirect_uri() {
        let uris = ["https://a.example/cb".to_owned(), "https://b.example/cb".to_owned()];
        let names = |body: &str| sector_names(body.as_bytes(), &uris);
        assert!(names(r#"["https://b.example/cb", "https://a.example/cb", "https://c.example"]"#));
        for bad in [r#"["https://a.example/cb"]"#, "[]", "{}", r#"["https://a.example/cb", 1]"#, ""]
        {
            assert!(!names(bad), "{bad}");
        }
        for body in [r#"["https://a.example/cb"]"#, "[]"] {
            assert!(!sector_names(body.as_bytes(), &[]), "{body}");
        }
    }
}
